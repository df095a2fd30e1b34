"""Opens what `python -m training fit` writes, and the published SCI checkpoints, as networks ready for inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from networks.curve import CurveNet
from networks.sci import SCI, load_sci


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network in evaluation mode. ``recipe`` is None and ``step`` 0 where the file does not know them."""

    network: SCI | CurveNet
    recipe: Mapping[str, Any] | None
    step: int

    @property
    def parameters(self) -> int:
        """Parameters that inference uses."""
        used = self.network.enhance if isinstance(self.network, SCI) else self.network
        return sum(parameter.numel() for parameter in used.parameters())


def open_checkpoint(path: Path, system: str | None = None) -> Checkpoint:
    """The averaged weights of a run, or a published SCI checkpoint.

    Raises ``ValueError`` naming a file that is neither, or that holds another ``system`` than the one asked for.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint: {error}") from error
    if "average" not in state:
        if system == "curve":
            raise ValueError(f"{path} is no checkpoint of `python -m training fit`")
        return Checkpoint(load_sci(path), None, 0)
    if system is not None and state["system"] != system:
        raise ValueError(f"{path} holds weights of {state['system']}, not of {system}")
    network = SCI() if state["system"] == "sci" else CurveNet()
    network.load_state_dict(state["average"])
    return Checkpoint(network.eval(), state["recipe"], int(state["step"]))
