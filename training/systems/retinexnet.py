"""RetinexNet (BMVC 2018), also guided by SKF: decomposition first, then relighting with the decomposition frozen.

As in the published code; the recipe's phases are ``decomposition`` and ``relighting``. SKF's losses act on the
relighting alone (its last sub-network), on the product that is the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from networks.retinexnet import RetinexNet
from training.batches import PairBatch
from training.losses.retinexnet import decomposition_terms, relighting_terms
from training.recipe import Recipe, Strict
from training.systems.base import options_of
from training.systems.skf import SKFOptions, SKFSystem, check_phases, weighted


class Options(Strict):
    """Weights as published; the reconstruction terms have weight 1."""

    exchange: float = Field(default=0.001, ge=0)
    smooth: float = Field(default=0.1, ge=0)
    similarity: float = Field(default=0.01, ge=0)
    relit_smooth: float = Field(default=3.0, ge=0)
    detach_bright: bool = True
    """Whether similarity moves only the dark picture's reflectance, as in the PyTorch port; the authors' moves both."""
    skf: SKFOptions = SKFOptions()


class RetinexNetSystem(SKFSystem):
    guided_phase = "relighting"
    network: RetinexNet

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        self.options = options_of(Options, recipe)
        super().__init__(recipe, network_options, self.options.skf)
        check_phases(recipe, ("decomposition", "relighting"))

    def trained(self, phase: str) -> nn.Module:
        return self.network.decompose if phase == "decomposition" else self.network.relight

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        how = self.options
        if phase == "decomposition":
            dark, bright = self.network.decompose(batch.low), self.network.decompose(batch.high)
            terms = decomposition_terms(batch.low, batch.high, dark, bright, how.detach_bright)
            yield (
                "network",
                weighted(terms, {"exchange": how.exchange, "smooth": how.smooth, "similarity": how.similarity}),
            )
            return
        with torch.no_grad():
            reflectance, illumination = self.network.decompose(batch.low)
        relit = self.network.relight(reflectance, illumination, batch.knowledge)
        terms = weighted(relighting_terms(batch.high, reflectance, relit), {"smooth": how.relit_smooth})
        if not self.guides(phase):
            yield "network", terms
            return
        yield from self.guided(terms, (reflectance * relit).clamp(0.0, 1.0), batch, step)
