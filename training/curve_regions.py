"""What ``curve`` is told about regions: the cache's ids and embeddings as shares of grid cells and means of regions.

As at run time, the 16 largest regions count, embeddings are averaged over each of them in the whole picture, whatever
part of it a sample shows, and SAM has seen the dark picture alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from networks.curve_regions import EMBEDDING, REGIONS
from training.data import Pair
from training.feed import shuffled
from training.recipe import Strict
from training.semantics import Semantics

COUNT = 1 + REGIONS


@dataclass(frozen=True, slots=True)
class SceneRegions:
    """Of one picture: ``ids`` uint8 [rh, rw], 0 where there is none of the 16, ``features`` [17, 256]."""

    ids: Tensor
    features: Tensor


NOTHING = SceneRegions(torch.zeros(1, 1, dtype=torch.uint8), torch.zeros(COUNT, EMBEDDING))
"""Of a picture that nobody looked at."""


class RegionBook:
    """What the cache knows about pictures, kept in memory: some 100 kB each."""

    def __init__(self, cache: Semantics) -> None:
        self._cache = cache
        self._known: dict[Path, SceneRegions] = {}

    def knows(self, picture: Path) -> bool:
        """Whether the cache holds the regions and the embedding of a dark picture."""
        return picture in self._known or self._cache.knows(picture)

    def of(self, picture: Path) -> SceneRegions:
        """Regions of a dark picture. Raises ``ValueError`` where the cache does not know it."""
        if picture not in self._known:
            ids = self._cache.regions(picture)
            ids = torch.where(ids <= REGIONS, ids, 0)
            self._known[picture] = SceneRegions(ids, pooled_features(self._cache.embedding(picture), ids))
        return self._known[picture]


def region_weights(ids: Tensor, rows: int, cols: int) -> Tensor:
    """Ids [h, w] in 0..16 -> float32 [17, rows, cols], the share of each in each cell."""
    hot = F.one_hot(ids.long(), COUNT).movedim(-1, 0).float()
    return F.adaptive_avg_pool2d(hot[None], (rows, cols))[0]


def pooled_features(embedding: Tensor, ids: Tensor) -> Tensor:
    """Embedding [256, eh, ew] averaged over each region of ids [h, w]: [17, 256], zeros for 0 and absent ones."""
    weights = region_weights(ids, *embedding.shape[1:]).flatten(1)
    weights[0] = 0
    mean: Tensor = weights @ embedding.flatten(1).T / weights.sum(1, keepdim=True).clamp(min=1e-3)
    return mean


class Forgetting(Strict):
    """Shares of samples, and of regions, that the network is not told about, so that it works without them too."""

    region: float = Field(0.15, ge=0, le=1)
    """Single regions, which then count as background."""
    features: float = Field(0.2, ge=0, le=1)
    """Samples of which the embedding is not known."""


class RegionLessons:
    """What samples are told about their regions: all, some or nothing of what the cache knows.

    An exposure that the cache does not know has the regions of another one of its bracket, which shows the same scene;
    where there is none either, it is told nothing.
    """

    def __init__(
        self, cache: Semantics, pairs: Sequence[Pair], dropout: float, forgetting: Forgetting, foreign: bool = False
    ) -> None:
        """``dropout``: share of samples that are told nothing. ``foreign``: regions of other scenes (for ablations).

        Raises ``ValueError`` where the cache knows none of the pairs.
        """
        self._book = RegionBook(cache)
        self._dropout = dropout
        self._forgetting = forgetting
        self._sources: dict[Path, Path] = {pair.high: pair.low for pair in pairs if cache.knows(pair.low)}
        if not self._sources:
            cache.regions(pairs[0].low)
        self._foreign = {pair.low: shuffled(pairs, pair) for pair in pairs} if foreign else {}

    def of(self, pair: Pair) -> SceneRegions:
        """What the cache knows about a pair's scene; no regions at all where it knows nothing."""
        pair = self._foreign.get(pair.low, pair)
        source = pair.low if self._book.knows(pair.low) else self._sources.get(pair.high)
        return self._book.of(source) if source is not None else NOTHING

    def told(
        self, ids: Tensor, scene: SceneRegions, shape: tuple[int, int], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor]:
        """Weights [17, rows, cols] and features [17, 256] of a sample with ``ids`` [h, w]; ``shape``: rows, cols."""
        nothing = rng.random() < self._dropout
        embedded = rng.random() >= self._forgetting.features
        kept = torch.from_numpy((rng.random(COUNT) >= self._forgetting.region).astype(np.float32))
        if nothing:
            return unknown(*shape)
        weights = region_weights(ids, *shape) * kept[:, None, None]
        weights[0] = 1 - weights[1:].sum(0)
        return weights, scene.features * kept[:, None] * float(embedded)


def unknown(rows: int, cols: int) -> tuple[Tensor, Tensor]:
    """Weights and features of a picture whose regions are not known."""
    return torch.zeros(COUNT, rows, cols), torch.zeros(COUNT, EMBEDDING)
