"""KinD (ACM MM 2019) and KinD++ (IJCV 2021), also guided by SKF: three parts, trained one after the other.

The recipe's phases are ``decomposition``, ``adjustment`` and ``restoration``, each with the parts before it frozen. The
published code trains the last two on their own, in either order; here restoration is the last, because it holds the SE
modules and SKF's losses need the whole result: restored reflectance times illumination, adjusted by the ratio of the
pair's own illuminations (known in training only).
Different: pictures are not stretched to 0..1 (B3), and reflectance and illumination are found on the crop, not on the
whole picture before cutting.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from networks.kind import MULTIPLE, KinD
from training.batches import PairBatch
from training.losses.kind import (
    adjustment_terms,
    brightening,
    decomposition_terms,
    restoration_terms,
    restoration_terms_plus,
)
from training.recipe import Recipe, Strict
from training.systems.base import options_of
from training.systems.skf import SKFOptions, SKFSystem, check_phases, weighted

Parts = tuple[Tensor, Tensor]


class Options(Strict):
    """Weights as published; all other terms have weight 1."""

    similarity: float | None = Field(default=None, ge=0)
    """0.01, with KinD++ 0.009, unless given."""
    shared: float = Field(default=0.2, ge=0)
    unexplained: float = Field(default=0.15, ge=0)
    skf: SKFOptions = SKFOptions()


class KinDSystem(SKFSystem):
    guided_phase = "restoration"
    network: KinD

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        self.options = options_of(Options, recipe)
        super().__init__(recipe, network_options, self.options.skf)
        check_phases(recipe, ("decomposition", "adjustment", "restoration"))
        self.plus = recipe.system == "kind-plus"
        for name, phase in recipe.phases.items():
            if phase.crop is None or phase.crop % MULTIPLE:
                raise ValueError(
                    f"phase {name}: {recipe.system} is trained on crops of a multiple of {MULTIPLE} pixels"
                )

    def trained(self, phase: str) -> nn.Module:
        network = self.network
        return {
            "decomposition": network.decompose,
            "adjustment": network.adjust,
            "restoration": network.restore,
        }[phase]

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        if phase == "decomposition":
            yield "network", self._decomposition(batch)
            return
        with torch.no_grad():
            dark, bright = self.network.decompose(batch.low), self.network.decompose(batch.high)
        if phase == "adjustment":
            yield "network", self._adjustment(dark[1], bright[1])
        else:
            yield from self._restoration(batch, dark, bright, step)

    def _decomposition(self, batch: PairBatch) -> dict[str, Tensor]:
        how = self.options
        dark, bright = self.network.decompose(batch.low), self.network.decompose(batch.high)
        published = 0.009 if self.plus else 0.01
        weights = {
            "similarity": published if how.similarity is None else how.similarity,
            "shared": how.shared,
            "unexplained": how.unexplained,
        }
        return weighted(decomposition_terms(batch.low, batch.high, dark, bright), weights)

    def _adjustment(self, dark: Tensor, bright: Tensor) -> dict[str, Tensor]:
        """Half of the samples, drawn anew, learn to brighten, the others to darken."""
        ratio = brightening(dark, bright)[:, None, None, None]
        upwards = (torch.rand(len(dark)) < 0.5).to(dark.device)[:, None, None, None]
        source, wanted = torch.where(upwards, dark, bright), torch.where(upwards, bright, dark)
        adjusted = self.network.adjust(source, torch.where(upwards, ratio, 1 / ratio))
        return adjustment_terms(adjusted, wanted, signed=self.plus)

    def _restoration(
        self, batch: PairBatch, dark: Parts, bright: Parts, step: int
    ) -> Iterator[tuple[str, dict[str, Tensor]]]:
        restored = self.network.restore(*dark, batch.knowledge)
        terms = (restoration_terms_plus if self.plus else restoration_terms)(restored, bright[0])
        if not self.guides("restoration"):
            yield "network", terms
            return
        with torch.no_grad():
            adjusted = self.network.adjust(dark[1], brightening(dark[1], bright[1])[:, None, None, None])
        yield from self.guided(terms, restored * adjusted, batch, step)
