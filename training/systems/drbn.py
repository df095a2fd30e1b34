"""DRBN (CVPR 2020), also guided by SKF: first the bands, trained for structure, then their recomposition for looks.

Phase ``bands`` trains stage 1, which is the network that is exported and that the paper's objective scores are of.
SKF's losses act there, on the result of the last recurrence. Phase ``recomposition`` trains stage 2 on top, with the
bands frozen, against a discriminator; stage 2 is kept in the checkpoint beside the network, and
``python -m export --recomposed`` joins both.
Unknown: the discriminator of stage 2, here SKF's, whose code was released on top of DRBN's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from networks.drbn import DRBN, Recomposition
from networks.skf_discriminator import SKFDiscriminator
from training.batches import PairBatch
from training.losses.drbn import FEATURES, STEPS, band_similarity, judged, looks, sorted_beside
from training.losses.perceptual import open_vgg16
from training.recipe import Phase, Recipe, Strict
from training.systems.base import make_optimizer, options_of
from training.systems.skf import SKFOptions, SKFSystem, check_phases, weighted


class Options(Strict):
    """Weights of the terms as published, and what stage 2 needs."""

    full: float = Field(default=1.0, ge=0)
    half: float = Field(default=1.0, ge=0)
    quarter: float = Field(default=1.0, ge=0)
    features: float = Field(default=1.0, ge=0)
    """Stage 2: distance of VGG16's features, whose weights are those in the file ``vgg16``."""
    adversarial: float = Field(default=2.0, ge=0)
    vgg16: Path | None = None
    critic_rate: float = Field(default=0.01, gt=0)
    """Learning rate of stage 2's discriminator as a multiple of that of the recomposition."""
    critic_channels: int = Field(default=64, gt=0)
    skf: SKFOptions = SKFOptions()


class DRBNSystem(SKFSystem):
    guided_phase = "bands"
    network: DRBN

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        self.options = options_of(Options, recipe)
        super().__init__(recipe, network_options, self.options.skf)
        check_phases(recipe, ("bands", "recomposition"))
        self.vgg = None
        if "recomposition" in recipe.phases:
            self.helpers["recomposition"] = Recomposition()
            # Its joined first layer takes 3 + 3 channels, the picture and the picture with its channels sorted.
            self.helpers["critic"] = SKFDiscriminator(3, self.options.critic_channels)
            if self.options.features:
                self.vgg = open_vgg16(self.options.vgg16, tuple(FEATURES), "options.vgg16", "options.features")

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        if name == "bands":
            return super().optimizers(name, phase)
        critic = self.helpers["critic"]
        return {
            "recomposition": make_optimizer(self.helpers["recomposition"].parameters(), phase.optimizer),
            "critic": make_optimizer(critic.parameters(), phase.optimizer, self.options.critic_rate),
        }

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        if phase == "recomposition":
            yield from self._recomposition(batch)
            return
        result = self.network(batch.low, batch.knowledge)
        weights = {name: getattr(self.options, name) for name in STEPS}
        terms = weighted(band_similarity(result.scales, batch.high), weights)
        if self.guides(phase):
            yield from self.guided(terms, result.enhanced, batch, step)
        else:
            yield "network", terms

    def _recomposition(self, batch: PairBatch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        how, critic = self.options, self.helpers["critic"]
        with torch.no_grad():
            scales = self.network(batch.low, batch.knowledge).scales
        got = self.helpers["recomposition"](batch.low, scales)
        vgg = None if self.vgg is None else self.vgg.to(got.device)
        terms = weighted(looks(got, batch.high, vgg), {"features": how.features})
        critic.requires_grad_(False)  # the critic stays as it is while the picture moves
        terms["adversarial"] = how.adversarial * judged(self._score(got), real=True)
        yield "recomposition", terms
        critic.requires_grad_(True)
        yield (
            "critic",
            {
                "critic_made": judged(self._score(got.detach()), real=False),
                "critic_real": judged(self._score(batch.high), real=True),
            },
        )

    def _score(self, picture: Tensor) -> Tensor:
        joined = sorted_beside(picture)
        score: Tensor = self.helpers["critic"](joined[:, :3], joined[:, 3:])
        return score
