"""Counts what a network computes: learnable values, and multiply-accumulates of its convolutions and linear layers.

Products between features (attention) and everything element by element are not counted, as in the tables of the papers.
On the meta device counting takes no memory and hardly any time, whatever the network and the picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

_ATEN = torch.ops.aten
_UNUSED = ("calibrate.", "network.calibrate.")
"""Parts that only training runs: SCI's calibrator, also inside Enlighten Anything."""


class _Count(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums over all convolutions and matrix products that run, whether a layer or a function called them."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is _ATEN.convolution.default:
            # Weights are [out, in / groups, ...], or [in, out / groups, ...] where transposed.
            given, weight, transposed = args[0], args[1], args[6]
            places = given.numel() if transposed else out.numel()
            self.total += places * weight[0].numel()
        elif func in (_ATEN.mm.default, _ATEN.addmm.default):
            self.total += out.numel() * args[-2].shape[1]
        return out


def giga_macs(network: nn.Module, *inputs: Any) -> float:
    """10^9 multiply-accumulates of one call of the network, in evaluation mode."""
    network.eval()
    count = _Count()
    with torch.no_grad(), count:
        network(*inputs)
    return count.total / 1e9


def parameters(network: nn.Module) -> int:
    """Learnable values that inference uses."""
    return sum(value.numel() for name, value in network.named_parameters() if not name.startswith(_UNUSED))
