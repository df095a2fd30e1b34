"""``curve``, this project's own: thumbnail to grid, judged by the picture that the grid gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from networks.checkpoint import open_checkpoint
from networks.curve import CurveNet
from networks.sci import SCI
from training.curve_regions import Forgetting, RegionLessons
from training.feed import Batches, open_cache, pairs_of
from training.losses.curve import Weights, curve_loss
from training.recipe import Phase, Recipe, Strict
from training.samples import Augmentation, Batch, Samples
from training.systems.base import System, make_optimizer, options_of


class Options(Strict):
    augmentation: Augmentation = Augmentation()
    weights: Weights = Weights()
    forgetting: Forgetting = Forgetting()
    base_rate: float | None = Field(None, ge=0)
    """For a network with regions that starts from one without: the learning rate of all but the new part, as a multiple
    of the phase's; 0 leaves the old weights as they are. The old part's statistics are then kept too. None: everything
    learns alike."""


class CurveSystem(System):
    network: CurveNet

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(Options, recipe)
        if (recipe.semantics.regions != "none") != (self.network.regions is not None):
            raise ValueError("curve takes regions where `network.regions` and `semantics.regions` both say so")

    def start_from(self, checkpoint: Path) -> None:
        """A ``curve`` with or without regions, or an SCI, whose illumination network is part of ``curve``."""
        start = open_checkpoint(checkpoint).network
        if isinstance(start, SCI):
            self.network.illumination.load_state_dict(start.enhance.state_dict())
            return
        missing, unknown = self.network.load_state_dict(start.state_dict(), strict=False)
        if unknown or not all(name.startswith("regions.") for name in missing):
            raise ValueError(f"{checkpoint} has weights of another shape than this curve")

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        """All weights alike, or those of the region part at the full rate and the others at a multiple of it."""
        rate, regions = self.options.base_rate, self.network.regions
        if rate is None or regions is None:
            return super().optimizers(name, phase)
        new = {id(parameter) for parameter in regions.parameters()}
        old = [parameter for parameter in self.network.parameters() if id(parameter) not in new]
        for parameter in old:
            parameter.requires_grad_(rate > 0)
        groups: list[dict[str, Any]] = [{"params": list(regions.parameters())}]
        if rate > 0:
            groups.append({"params": old, "lr": rate * phase.optimizer.learning_rate})
        return {"network": make_optimizer(groups, phase.optimizer)}

    def updates(self, batch: Batch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        size = len(batch.thumbnail)
        if self.options.base_rate is not None and self.network.regions is not None:
            self.network.eval()
            self.network.regions.train()
        given = [torch.cat((batch.thumbnail, batch.other))]
        for known in (batch.region_weights, batch.region_features):
            if known is not None:
                given.append(torch.cat((known, known[: len(batch.other)])))
        grid = self.network(*given)
        yield "network", curve_loss(grid[:size], grid[size:], batch, self.options.weights)

    def feed(self, bank: nn.Module | None) -> Batches:
        return Thumbnails(self.recipe, self.options)


class Thumbnails:
    """Batches of thumbnails (training/samples.py) by the step of a run."""

    def __init__(self, recipe: Recipe, options: Options) -> None:
        self.recipe = recipe
        pairs = pairs_of(recipe.data)
        lessons = None
        cache, how = open_cache(recipe.semantics), recipe.semantics
        if cache is not None:
            foreign = how.regions == "shuffled"
            lessons = RegionLessons(cache, pairs, how.dropout, options.forgetting, foreign)
        self.samples = Samples(pairs, options.augmentation, recipe.seed, recipe.data.longest, lessons)

    def batch(self, step: int) -> Batch:
        _, phase, _ = self.recipe.at(step)
        return self.samples.batch(step, phase.batch)

    def ready(self, batch: Batch, device: torch.device) -> Batch:
        given = {field.name: getattr(batch, field.name) for field in fields(batch)}
        moved: dict[str, Any] = {name: None if value is None else value.to(device) for name, value in given.items()}
        return Batch(**moved)
