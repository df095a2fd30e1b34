"""The systems that can be trained, by the name that recipes, ``--model`` and bundles use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from training.recipe import Recipe
from training.systems.base import System
from training.systems.curve import CurveSystem
from training.systems.drbn import DRBNSystem
from training.systems.enlighten_anything import EnlightenAnythingSystem, WakeupDarknessSystem
from training.systems.enlightengan import EnlightenGANSystem
from training.systems.kind import KinDSystem
from training.systems.llflow import LLFlowSystem
from training.systems.mirnet import MIRNetSystem
from training.systems.restorers import RestorerSystem
from training.systems.retinexnet import RetinexNetSystem
from training.systems.sci import SCISystem
from training.systems.skf import SKFSystem
from training.systems.sllen import SLLENSystem
from training.systems.zero_dce import ZeroDCESystem

TRAINED: dict[str, Callable[[Recipe, dict[str, Any]], System]] = {
    "curve": CurveSystem,
    "sci": SCISystem,
    "retinexnet": RetinexNetSystem,
    "kind": KinDSystem,
    "kind-plus": KinDSystem,
    "drbn": DRBNSystem,
    "hwmnet": RestorerSystem,
    "snr": RestorerSystem,
    "llflow-s": LLFlowSystem,
    "llflow-l": LLFlowSystem,
    "mirnet": MIRNetSystem,
    "enlighten-anything": EnlightenAnythingSystem,
    "wakeup-darkness": WakeupDarknessSystem,
    "sllen": SLLENSystem,
    "zero-dce": ZeroDCESystem,
    "zero-dce-plus-plus": ZeroDCESystem,
    "enlightengan": EnlightenGANSystem,
}


def open_system(recipe: Recipe, bank: nn.Module | None = None) -> System:
    """A fresh system of the recipe, initialised from its seed.

    ``bank``: what guides the network, where the recipe's ``semantics`` name one. Raises ``ValueError`` for a system
    without a training and for settings that are wrong.
    """
    kind = TRAINED.get(recipe.system)
    if kind is None:
        raise ValueError(f"'{recipe.system}' cannot be trained; these can: {', '.join(sorted(TRAINED))}")
    torch.manual_seed(recipe.seed)
    system = kind(recipe, network_options(recipe, bank))
    if isinstance(system, SKFSystem):
        system.consult(bank)
    if recipe.start is not None:
        system.start_from(recipe.start)
    return system


def network_options(recipe: Recipe, bank: nn.Module | None) -> dict[str, Any]:
    """Arguments of the network's builder: the recipe's, and what the SE modules must fit."""
    if not recipe.semantics.se or bank is None:
        return dict(recipe.network)
    semantics = {"channels": list(bank.channels), "classes": bank.classes, "released": recipe.semantics.released}  # type: ignore[arg-type]
    return {**recipe.network, "semantics": semantics}
