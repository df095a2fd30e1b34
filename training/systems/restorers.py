"""HWMNet (ICIP 2022) and SNR-LLIE-Net (CVPR 2022), also guided by SKF: one network, one Charbonnier distance.

They differ in the recipe alone: the mean of the distance for HWMNet, its sum for SNR-LLIE-Net. The distance is taken
before the result is clipped to 0..1, SKF's losses after.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from torch import Tensor

from networks.hwmnet import HWMNet
from networks.snr import SNRLLIENet
from training.batches import PairBatch
from training.losses.charbonnier import Reduction, charbonnier
from training.recipe import Recipe, Strict
from training.systems.base import options_of
from training.systems.skf import SKFOptions, SKFSystem, check_phases


class Options(Strict):
    reduction: Reduction = "mean"
    """SCH and SA are added as they are: their weights must fit a sum over batch and crop, where it is a sum."""
    epsilon: float = Field(default=1e-3, gt=0)
    skf: SKFOptions = SKFOptions()


class RestorerSystem(SKFSystem):
    network: HWMNet | SNRLLIENet

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        self.options = options_of(Options, recipe)
        super().__init__(recipe, network_options, self.options.skf)
        check_phases(recipe, ("restoration",))

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        result = self.network(batch.low, knowledge=batch.knowledge)
        terms = {"charbonnier": charbonnier(result.raw, batch.high, self.options.reduction, self.options.epsilon)}
        if self.guides(phase):
            yield from self.guided(terms, result.enhanced, batch, step)
        else:
            yield "network", terms
