"""SCI (CVPR 2022), which never sees a target: three stages with shared weights, each judged by what it saw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from torch import Tensor

from training.batches import PairBatch
from training.losses.sci import sci_loss
from training.recipe import Recipe, Strict
from training.systems.base import System, options_of


class Options(Strict):
    smooth_sigma: float = Field(10.0, gt=0)
    """Sigma of the smoothness loss; 10 is the published code's, 0.1 makes it follow edges."""


class SCISystem(System):
    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(Options, recipe)

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        yield "network", sci_loss(self.network.unroll(batch.low), self.options.smooth_sigma)  # type: ignore[operator]
