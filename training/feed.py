"""What the steps of a recipe look at: pictures, and what its bank or its cache of semantics knows about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from networks.embedding_bank import EmbeddingBank
from networks.hrnet import HRNetV2, load_pascal_context
from networks.skf import Knowledge, brighten
from training.batches import Crop, PairBatch, PairSampler
from training.data import APART_TREE, TARGETLESS, LayoutError, Pair, find_apart, find_dark, find_pairs, is_apart
from training.recent import Recent
from training.recipe import Data, Place, Recipe, Semantics
from training.semantics import Semantics as Cache
from training.semantics import crop_embedding, crop_regions, load_bank
from training.semantics.files import GAMMA

Drawn = Sequence[tuple[Pair, Crop]]


def pairs_of(data: Place) -> list[Pair]:
    """The pairs that a recipe's ``data`` or ``validation`` names; pictures without targets are pairs of themselves.

    Raises ``LayoutError`` where they are not.
    """
    if data.layout in TARGETLESS:
        return find_dark(data.path, data.layout, data.exclude)
    return find_pairs(data.path, brightest=data.brightest, layout=data.layout, split=data.split, exclude=data.exclude)


def open_sampler(data: Data, seed: int) -> PairSampler:
    """Draws from what a recipe's ``data`` names: pairs, dark pictures, or dark and bright pictures of other scenes."""
    if data.unpaired and data.layout is None:
        if is_apart(data.path):
            dark, bright = find_apart(data.path, data.split or "train", data.exclude)
            return PairSampler(dark, seed, unpaired=True, bright=bright, longest=data.longest)
        try:
            return PairSampler(pairs_of(data), seed, unpaired=True, longest=data.longest)
        except LayoutError as error:
            raise LayoutError(str(error), f"or {APART_TREE}") from error
    return PairSampler(pairs_of(data), seed, data.unpaired, longest=data.longest)


def open_bank(semantics: Semantics) -> nn.Module | None:
    """The bank that a recipe names: of a cache's embeddings, or the HRNet with its published weights."""
    if semantics.bank == "none" or semantics.path is None:
        return None
    if semantics.bank == "hrnet":
        try:
            return load_pascal_context(semantics.path, HRNetV2(normalise=semantics.normalise))
        except FileNotFoundError as error:
            raise ValueError(
                f"no HRNet weights: no file {semantics.path}. SKF's bank is HRNetV2-W48 trained on PASCAL-Context (59 "
                "classes, 480x480), published with HRNet's semantic segmentation: get that checkpoint and name it as "
                "`semantics.path`. Or take SAM's features: `semantics.bank: embedding`, with a cache of "
                "`python -m training semantics` as the path, as the small variants do"
            ) from error
    return load_bank(semantics.path)


def open_cache(semantics: Semantics) -> Cache | None:
    """The cache that a recipe takes embeddings or region maps from, if it does."""
    needed = semantics.bank == "embedding" or semantics.regions != "none"
    return Cache(semantics.path) if needed and semantics.path is not None else None


class Batches(Protocol):
    """Where the trainer gets its batches from."""

    def batch(self, step: int) -> Any:
        """The batch of a step of the whole run, the same at every call; may run ahead on a thread."""

    def ready(self, batch: Any, device: torch.device) -> Any:
        """The batch on the device, with what must be computed there."""


class Feed:
    """Batches of picture pairs."""

    def __init__(self, recipe: Recipe, bank: nn.Module | None) -> None:
        self.recipe = recipe
        self.bank = bank
        self.sampler = open_sampler(recipe.data, recipe.seed)
        how = recipe.semantics
        self.cache = open_cache(how)
        self.embeddings: Recent[Tensor] = Recent()
        self.maps: Recent[Tensor] = Recent()
        self.needs_target = bool(how.sch or how.sa or how.labels)
        self.numbers = {name: number for number, name in enumerate(recipe.phases)}

    def batch(self, step: int) -> PairBatch:
        """The pictures of this step of the whole run, with what the cache knows about them."""
        name, phase, within = self.recipe.at(step)
        batch, drawn = self.sampler.batch(within, phase, self.numbers[name])
        how = self.recipe.semantics
        if self.cache is not None and how.regions != "none":
            batch = replace(batch, regions=self._regions(drawn))
        if isinstance(self.bank, EmbeddingBank):
            rng = np.random.default_rng((self.recipe.seed, 17, step))
            knowledge = self._knowledge(self.bank, drawn, "low", rng)
            target = self._knowledge(self.bank, drawn, "high") if self.needs_target else None
            batch = replace(batch, knowledge=knowledge, target=target)
        return batch

    @torch.no_grad()
    def ready(self, batch: PairBatch, device: torch.device) -> PairBatch:
        """The batch on a device, with what a bank that works on pictures says about it, where the recipe has one."""
        batch = batch.to(device)
        if self.bank is None or isinstance(self.bank, EmbeddingBank):
            return batch
        knowledge = self.bank(brighten(batch.low))
        return replace(batch, knowledge=knowledge, target=self.bank(batch.high) if self.needs_target else None)

    def _knowledge(
        self,
        bank: EmbeddingBank,
        drawn: Drawn,
        side: Literal["low", "high"],
        dropout: np.random.Generator | None = None,
    ) -> Knowledge:
        crops = []
        for pair, crop in drawn:
            embedding = crop_embedding(self._embedding(pair, side), self._size(pair), crop)
            if dropout is not None and dropout.random() < self.recipe.semantics.dropout:
                embedding = torch.zeros_like(embedding)
            crops.append(embedding)
        return bank.from_embedding(torch.stack(crops), drawn[0][1].size)

    def _embedding(self, pair: Pair, side: Literal["low", "high"]) -> Tensor:
        """The embedding of the dark picture, which SAM saw brightened, or of the bright one as it is."""
        cache = self.cache
        assert cache is not None
        path = pair.low if side == "low" else pair.high
        gamma = GAMMA if side == "low" else 1.0
        return self.embeddings.get((path, gamma), lambda: cache.embedding(path, gamma).half()).float()

    def _regions(self, drawn: Drawn) -> Tensor:
        """Region ids of the dark pictures; where the recipe says so, of other pictures."""
        cache = self.cache
        assert cache is not None
        maps = []
        for pair, crop in drawn:
            source = shuffled(self.sampler.pairs, pair) if self.recipe.semantics.regions == "shuffled" else pair
            ids = self.maps.get(source.low, partial(cache.regions, source.low))
            maps.append(crop_regions(ids, self._size(pair), crop))
        return torch.stack(maps)

    def _size(self, pair: Pair) -> tuple[int, int]:
        height, width = self.sampler.picture(pair, "low").shape[:2]
        return height, width


def shuffled(pairs: Sequence[Pair], pair: Pair) -> Pair:
    """Another pair of the list, always the same for a pair, and of another scene where there is one."""
    number = pairs.index(pair)
    for step in range(len(pairs)):
        other = pairs[(number + len(pairs) // 2 + step) % len(pairs)]
        if other.high != pair.high:
            return other
    return pair
