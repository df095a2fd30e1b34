"""Runs of the systems of SKF on random pictures, with a small bank: what their tests share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from networks.embedding_bank import EmbeddingBank
from training.batches import PairBatch
from training.recipe import Recipe
from training.semantics.bank import FILE, save_bank
from training.trainer import Run

DIMENSION, CLASSES = 8, 4
GUIDED = {"bank": "embedding", "se": True, "sch": 1.0, "sa": 0.1}


def bank_in(folder: Path) -> Path:
    """A folder with a bank of four classes in it."""
    torch.manual_seed(3)
    folder.mkdir(parents=True, exist_ok=True)
    save_bank(EmbeddingBank(DIMENSION, CLASSES, (4, 6, 8)), folder / FILE)
    return folder


def recipe_of(
    folder: Path,
    system: str,
    phases: Mapping[str, int],
    semantics: Mapping[str, Any] | None = None,
    rate: float = 1e-3,
    **changes: Any,
) -> Recipe:
    """A recipe with so many steps of each phase; ``semantics`` name the bank in the folder unless they are None."""
    phase = {"batch": 2, "crop": 32, "optimizer": {"learning_rate": rate}}
    guidance = {} if semantics is None else {"path": bank_in(folder / "bank"), **semantics}
    values = {
        "system": system,
        "data": {"path": folder, "name": "none", "licence": "none"},
        "out": folder / "run",
        "phases": {name: {"steps": steps, **phase} for name, steps in phases.items()},
        "semantics": guidance,
        **changes,
    }
    return Recipe.model_validate(values)


def pictures(run: Run, side: int = 32) -> PairBatch:
    """A dark and a bright picture of two scenes, smooth enough to be learnt, and what the run's bank knows of them."""
    generator = torch.Generator().manual_seed(5)
    small = torch.rand(2, 3, 4, 4, generator=generator)
    high = torch.nn.functional.interpolate(small, (side, side), mode="bilinear", align_corners=True) * 0.8 + 0.1
    low = 0.15 * high + 0.01 * torch.rand(2, 3, side, side, generator=generator)
    knowledge = target = None
    if isinstance(run.bank, EmbeddingBank):
        embeddings = torch.randn(2, 2, DIMENSION, 2, 2, generator=generator)
        knowledge, target = (run.bank.from_embedding(embedding, (side, side)) for embedding in embeddings)
    return PairBatch(low, high, knowledge, target)


def start(recipe: Recipe) -> tuple[Run, PairBatch]:
    torch.set_num_threads(1)
    run = Run(recipe, torch.device("cpu"))
    return run, pictures(run)


def state_of(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.named_parameters()}


def moved(before: Mapping[str, Tensor], module: torch.nn.Module) -> set[str]:
    """Names of the parameters that are no longer what they were."""
    return {name for name, value in module.named_parameters() if not torch.equal(before[name], value)}
