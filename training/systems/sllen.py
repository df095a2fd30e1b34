"""The SLLEN-style network: odd steps train encoder and segmentation, even steps encoder and enhancement, in turn.

The alternation and the extra data set are the paper's (arXiv 2211.11571); losses and schedule are this project's design
(L1). The segmentation step takes labels where the data has them (L3), else the class map that a bank gives the bright
picture, and shows the network a darkened copy of it; where there is neither, the step does nothing, which is said once.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from networks.sllen import SLLEN
from networks.sllen import Phase as Half
from training.batches import PairBatch, PairSampler
from training.data import Pair, find_labelled, read_labels
from training.feed import Batches, Feed
from training.losses.perceptual import feature_distances, open_vgg16
from training.losses.sllen import darken, enhancement_terms, segmentation_loss
from training.recipe import Phase, Recipe, Strict
from training.systems.base import System, make_optimizer, options_of

LAYERS = ("relu2_2", "relu3_3")


class Options(Strict):
    """Weights of the terms, and the night of the segmentation step."""

    l1: float = Field(1.0, ge=0)
    structure: float = Field(0.5, ge=0)
    perceptual: float = Field(0.05, ge=0)
    vgg16: Path | None = None
    labelled: Path | None = None
    """Folder of labelled pictures (training/data/labelled.py) that the segmentation steps look at instead."""
    segmentation: float = Field(1.0, ge=0)
    noise: float = Field(0.02, ge=0)
    """The strongest noise of darkened pictures, as a deviation in 0..1."""


class SLLENSystem(System):
    network: SLLEN

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(Options, recipe)
        self.vgg = None
        if self.options.perceptual:
            self.vgg = open_vgg16(self.options.vgg16, LAYERS, "options.vgg16", "options.perceptual")
        self._told = False

    def feed(self, bank: nn.Module | None) -> Batches:
        if self.options.labelled is None:
            return super().feed(bank)
        return WithLabels(self.recipe, bank, self.options.labelled, self.network.options.classes)

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        halves: tuple[Half, ...] = ("segmentation", "enhancement")
        return {half: make_optimizer(self.network.phase_parameters(half), phase.optimizer) for half in halves}

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        if step % 2 == 0:
            self.network.set_phase("enhancement")
            yield "enhancement", self._enhancement(batch)
            return
        classes = self._classes(batch)
        if classes is not None:
            self.network.set_phase("segmentation")
            logits = self.network.segment(darken(batch.high, self.options.noise))
            yield "segmentation", {"segmentation": self.options.segmentation * segmentation_loss(logits, classes)}

    def _enhancement(self, batch: PairBatch) -> dict[str, Tensor]:
        got = self.network(batch.low).raw
        terms = enhancement_terms(got, batch.high)
        if self.vgg is not None:
            distances = feature_distances(self.vgg.to(got.device), got, batch.high, LAYERS)
            terms["perceptual"] = torch.stack(list(distances.values())).sum()
        return {name: getattr(self.options, name) * term for name, term in terms.items()}

    def _classes(self, batch: PairBatch) -> Tensor | None:
        """Labels, or the bank's guess at the bright picture, [n, h, w]."""
        if batch.labels is not None:
            return batch.labels
        if batch.target is None:
            if not self._told:
                self._told = True
                warnings.warn(
                    "neither labels nor a bank's classes (`semantics.labels`): the steps of segmentation do nothing",
                    stacklevel=2,
                )
            return None
        known, has = batch.target.logits.shape[1], self.network.options.classes
        if known != has:
            raise ValueError(
                f"the bank knows {known} classes and the network has {has}: set network.classes to {known}"
            )
        return batch.target.classes


class WithLabels(Feed):
    """Pairs on even steps, crops of labelled pictures on odd ones, each flipped as the phase says."""

    def __init__(self, recipe: Recipe, bank: nn.Module | None, folder: Path, classes: int) -> None:
        super().__init__(recipe, bank)
        self.classes = classes
        found = find_labelled(folder)
        self.labels = {one.picture: one.labels for one in found}
        # A labelled picture is a pair of itself: the segmentation step darkens it.
        pairs = [Pair(one.name, one.picture, one.picture) for one in found]
        self.pictures = PairSampler(pairs, recipe.seed + 1)

    def batch(self, step: int) -> PairBatch:
        name, phase, within = self.recipe.at(step)
        if within % 2 == 0:
            return super().batch(step)
        batch, drawn = self.pictures.batch(within, phase, self.numbers[name])
        cut = [crop.of(read_labels(self.labels[pair.low], self.classes)) for pair, crop in drawn]
        return replace(batch, labels=torch.from_numpy(np.stack(cut)))
