"""EnlightenGAN (TIP 2021): bright pictures of other places, judged as a whole and by patches, teach what bright is.

As in the paper: relativistic-average least squares over whole pictures, least squares over six random 32x32 patches of
each, features of VGG16 that keep the content of both. Without VGG's weights `correlation` keeps it, which is this
project's stand-in. Set the data to ``unpaired: true``: the bright picture of a sample is then another scene's.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from networks.enlightengan import EnlightenGAN, global_discriminator, local_discriminator
from training.batches import PairBatch
from training.losses.enlightengan import (
    content_distance,
    cut,
    least_squares_discriminator,
    least_squares_generator,
    random_corners,
    relativistic_discriminator,
    relativistic_generator,
)
from training.losses.perceptual import feature_distances, open_vgg16
from training.recipe import Phase, Recipe, Strict
from training.systems.base import System, make_optimizer, options_of

CONTENT_LAYER = "relu5_1"


class Options(Strict):
    """Weights of the generator's terms, and the patches."""

    whole: float = Field(1.0, ge=0)
    """Adversarial, whole pictures."""
    patches: float = Field(1.0, ge=0)
    """Adversarial, patches."""
    content: float = Field(1.0, ge=0)
    """Features of VGG16, of whole pictures and of patches."""
    vgg16: Path | None = None
    correlation: float = Field(0.0, ge=0)
    """Channels of the result should correlate with those of the input: in place of ``content``."""
    patch_count: int = Field(6, gt=0)
    patch_size: int = Field(32, ge=16)
    discriminator_channels: int = Field(64, gt=0)


class EnlightenGANSystem(System):
    network: EnlightenGAN

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options = options_of(Options, recipe)
        self.helpers["whole"] = global_discriminator(options.discriminator_channels)
        self.helpers["patches"] = local_discriminator(options.discriminator_channels)
        self.vgg = None
        if options.content:
            self.vgg = open_vgg16(options.vgg16, [CONTENT_LAYER], "options.vgg16", "options.content")

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        return {
            "generator": make_optimizer(self.network.parameters(), phase.optimizer),
            "discriminator": make_optimizer(self.helpers.parameters(), phase.optimizer),
        }

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        size, height, width = self.options.patch_size, *batch.low.shape[-2:]
        here, elsewhere = (
            random_corners(self.options.patch_count, len(batch.low), height, width, size) for _ in range(2)
        )
        result = self.network(batch.low).raw
        pairs = {
            "whole": (2 * batch.high - 1, 2 * result - 1),
            "patches": (2 * cut(batch.high, elsewhere, size) - 1, 2 * cut(result, here, size) - 1),
        }
        self.helpers.requires_grad_(False)  # the judges stay as they are while the generator moves
        scores = {name: tuple(self.helpers[name](picture) for picture in pair) for name, pair in pairs.items()}
        terms = {
            "whole": self.options.whole * relativistic_generator(*scores["whole"]),
            "patches": self.options.patches * least_squares_generator(scores["patches"][1]),
        }
        yield "generator", terms | self._kept(batch.low, result, here)
        self.helpers.requires_grad_(True)
        scores = {name: tuple(self.helpers[name](picture.detach()) for picture in pair) for name, pair in pairs.items()}
        yield (
            "discriminator",
            {
                "judge_whole": relativistic_discriminator(*scores["whole"]),
                "judge_patches": least_squares_discriminator(*scores["patches"]),
            },
        )

    def _kept(self, picture: Tensor, result: Tensor, corners: Tensor) -> dict[str, Tensor]:
        """What keeps the content: terms between the input and its own result."""
        terms = {}
        if self.options.correlation:
            terms["correlation"] = self.options.correlation * content_distance(picture, result)
        if self.vgg is not None:
            self.vgg.to(picture.device)
            size = self.options.patch_size
            views = ((result, picture), (cut(result, corners, size), cut(picture, corners, size)))
            for name, (got, want) in zip(("content", "content_patches"), views, strict=True):
                distance = feature_distances(self.vgg, got, want, [CONTENT_LAYER], normalised=True)[CONTENT_LAYER]
                terms[name] = self.options.content * distance
        return terms
