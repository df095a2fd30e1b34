"""Single training steps of a recipe on batches that a test makes, through the trainer's own code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.batches import PairBatch
from training.recipe import Recipe, merged
from training.trainer import Run

RECIPES = Path(__file__).parents[2] / "training" / "recipes"


def open_run(system: str, **changes: Any) -> Run:
    """A run of a system in one phase of 100 steps, nothing read or written. ``changes`` as in a recipe."""
    base = {
        "system": system,
        "data": {"path": "none", "name": "pictures made by the test", "licence": "CC0-1.0"},
        "out": "none",
        "phases": {"all": {"steps": 100, "batch": 2, "optimizer": {"learning_rate": 1e-3}}},
        "average": 0.5,
    }
    return Run(Recipe.model_validate(merged(base, changes)), torch.device("cpu"))


def pictures(count: int = 2, size: int = 48, seed: int = 0) -> PairBatch:
    """Dark pictures and what they should be: large shapes and some texture; region ids by quarters."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.rand(count, 3, 4, 4, generator=generator).repeat_interleave(size // 4, 2)
    bright = 0.2 + 0.6 * shapes.repeat_interleave(size // 4, 3)
    bright = (bright + 0.05 * torch.randn(bright.shape, generator=generator)).clamp(0, 1)
    ids = 1 + torch.arange(4).view(1, 2, 2).repeat_interleave(size // 2, 1).repeat_interleave(size // 2, 2)
    return PairBatch(0.15 * bright, bright, regions=ids.repeat(count, 1, 1))


def weights(module: nn.Module) -> dict[str, Tensor]:
    """A copy of everything that a module's checkpoint would hold, running statistics too."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def moved(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    """Names of what has changed since."""
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}
