"""Opens what `python -m training fit` writes, published SCI checkpoints, and what needs none, ready for inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from networks.drbn import DRBN, Recomposed, Recomposition
from networks.embedding_bank import EmbeddingBank
from networks.hrnet import HRNetV2, load_pascal_context
from networks.sci import load_sci
from networks.systems import UNTRAINED, Inference, build

_ONLY_FOR_TRAINING = ("calibrate",)
"""Parts of networks that inference never runs: SCI's calibrator, also inside Enlighten Anything."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network in evaluation mode. ``recipe`` is None and ``step`` 0 where the file does not know them.

    ``options`` are the arguments of `networks.systems.build`; ``bank`` is what guides the network, if anything does.
    """

    system: str
    network: nn.Module
    recipe: Mapping[str, Any] | None
    step: int
    options: Mapping[str, Any] = field(default_factory=dict)
    bank: nn.Module | None = None

    @property
    def parameters(self) -> int:
        """Parameters of the network that inference uses; the bank's are its own."""
        return sum(
            parameter.numel()
            for name, parameter in self.network.named_parameters()
            if not name.startswith(_ONLY_FOR_TRAINING)
        )

    def inference(self) -> Inference:
        """The network, and its bank, as a function from pictures to pictures. Raises ``ValueError`` for ``curve``."""
        return Inference(self.system, self.network, self.bank).eval()


def open_checkpoint(
    path: Path, system: str | None = None, bank: Path | None = None, *, recomposed: bool = False
) -> Checkpoint:
    """The averaged weights of a run, or a published SCI checkpoint.

    ``bank``: the PASCAL-Context checkpoint of the HRNet, for networks that it guides; it is not saved with them.
    ``recomposed``: DRBN with its second stage, from a run that trained it.
    Raises ``ValueError`` naming a file that is neither, or that holds another ``system`` than the one asked for.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is no checkpoint: {error}") from error
    if "average" not in state:
        if system not in (None, "sci"):
            raise ValueError(f"{path} is no checkpoint of `python -m training fit`")
        return Checkpoint("sci", load_sci(path).eval(), None, 0)
    if system is not None and state["system"] != system:
        raise ValueError(f"{path} holds weights of {state['system']}, not of {system}")
    network = build(state["system"], state["options"])
    network.load_state_dict(state["average"])
    if recomposed:
        network = _recomposed(network, state.get("helpers", {}), path)
    guide = _open_bank(state["bank"], bank, path)
    return Checkpoint(state["system"], network.eval(), state["recipe"], int(state["step"]), state["options"], guide)


def _recomposed(network: nn.Module, helpers: Mapping[str, Any], path: Path) -> nn.Module:
    beginning = "recomposition."
    weights = {name.removeprefix(beginning): w for name, w in helpers.items() if name.startswith(beginning)}
    if not weights or not isinstance(network, DRBN):
        raise ValueError(f"{path} holds no second stage of DRBN: its recipe needs the phase recomposition")
    second = Recomposition()
    second.load_state_dict(weights)
    return Recomposed(network, second)


def without_weights(system: str) -> Checkpoint:
    """A system that has nothing to learn. Raises ``ValueError`` for one that must be trained."""
    if system not in UNTRAINED:
        raise ValueError(f"{system} must be trained: name a checkpoint; only {', '.join(UNTRAINED)} needs none")
    return Checkpoint(system, build(system).eval(), None, 0)


def saved_bank(bank: nn.Module | None) -> dict[str, Any] | None:
    """What a checkpoint keeps of a bank: an embedding's whole, of an HRNet (large, always the same) how it is fed."""
    if bank is None:
        return None
    if isinstance(bank, EmbeddingBank):
        return {"kind": "embedding"} | bank.saved()
    return {"kind": "hrnet", "normalise": not isinstance(bank, HRNetV2) or bool(bank.mean.any())}


def _open_bank(saved: Mapping[str, Any] | None, given: Path | None, path: Path) -> nn.Module | None:
    if saved is None:
        return None
    if saved["kind"] == "embedding":
        return EmbeddingBank.restored(saved)
    if given is None:
        raise ValueError(f"{path} is guided by the HRNet, whose PASCAL-Context checkpoint must be named too")
    return load_pascal_context(given, HRNetV2(normalise=saved.get("normalise", True)))
