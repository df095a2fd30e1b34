"""``curve``, this project's own: thumbnail to grid, judged by the picture that the grid gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from networks.checkpoint import open_checkpoint
from networks.curve import CurveNet
from networks.sci import SCI
from training.feed import Batches, pairs_of
from training.losses.curve import Weights, curve_loss
from training.recipe import Recipe, Strict
from training.samples import Augmentation, Batch, Samples
from training.systems.base import System, options_of


class Options(Strict):
    augmentation: Augmentation = Augmentation()
    weights: Weights = Weights()


class CurveSystem(System):
    network: CurveNet

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(Options, recipe)

    def start_from(self, checkpoint: Path) -> None:
        """A ``curve``, or an SCI, whose illumination network is part of ``curve``."""
        start = open_checkpoint(checkpoint).network
        if isinstance(start, SCI):
            self.network.illumination.load_state_dict(start.enhance.state_dict())
        else:
            self.network.load_state_dict(start.state_dict())

    def updates(self, batch: Batch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        size = len(batch.thumbnail)
        grid = self.network(torch.cat((batch.thumbnail, batch.other)))
        yield "network", curve_loss(grid[:size], grid[size:], batch, self.options.weights)

    def feed(self, bank: nn.Module | None) -> Batches:
        return Thumbnails(self.recipe, self.options.augmentation)


class Thumbnails:
    """Batches of thumbnails (training/samples.py) by the step of a run."""

    def __init__(self, recipe: Recipe, augmentation: Augmentation) -> None:
        self.recipe = recipe
        self.samples = Samples(pairs_of(recipe.data), augmentation, recipe.seed, recipe.data.longest)

    def batch(self, step: int) -> Batch:
        _, phase, _ = self.recipe.at(step)
        return self.samples.batch(step, phase.batch)

    def ready(self, batch: Batch, device: torch.device) -> Batch:
        return Batch(*(getattr(batch, field.name).to(device) for field in fields(batch)))
