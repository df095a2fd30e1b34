"""What ``curve`` makes of regions: a scene that objects do not sway, and a decision of its own for every region.

Exposure follows the scene, and an object that enters must not change it. So the scene's statistics are pooled over what
is no object: the background, and regions so large that they are scenery themselves (a wall, a sky). Where that is
little, everything counts, as without regions. Every region, and the background beside them, is described by its own
statistics, its share of the picture, the scene around it and its pooled SAM embedding; that description scales and
shifts the features of the region's own cells (FiLM, as the scene's does) and is zero where nothing is known.

Own design; scale and shift by an image encoder's features follows SLLEN, pooling by region SKF's idea that a region is
enhanced as one thing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REGIONS = 16
"""Regions beside the background, whose index is 0."""
EMBEDDING = 256
"""Channels of a SAM embedding."""
_OBJECT, _SCENERY = 0.10, 0.30
"""Share of the picture up to which a region is an object, and from which it is scenery."""
_LITTLE, _ENOUGH = 0.10, 0.25
"""Share of scenery below which everything counts, and from which only scenery does."""
_FADE = 0.05
"""Share of the picture that regions must cover for the background to be told from them."""


def shares(region_weights: Tensor) -> Tensor:
    """Weights [n, 17, rows, cols] as shares that sum to 1 in every cell; the background is what regions leave.

    All zeros, which stand for "not known", give a picture that is all background. Index 0 of the weights is not read.
    """
    regions = region_weights[:, 1:].clamp(min=0.0)
    total = regions.sum(1, keepdim=True)
    return torch.cat(((1 - total).clamp(min=0.0), regions / total.clamp(min=1.0)), 1)


def scenery(shared: Tensor) -> Tensor:
    """How far each cell belongs to the scene: [n, 1, rows, cols], exactly 1 everywhere without regions."""
    area = shared[:, 1:].mean((2, 3), keepdim=True)
    large = ((area - _OBJECT) / (_SCENERY - _OBJECT)).clamp(0.0, 1.0)
    # Less the objects, not the sum of the rest: without regions nothing must be lost to rounding.
    scene = 1 - (shared[:, 1:] * (1 - large)).sum(1, keepdim=True)
    enough = ((scene.mean((2, 3), keepdim=True) - _LITTLE) / (_ENOUGH - _LITTLE)).clamp(0.0, 1.0)
    return 1 - enough * (1 - scene)


def means(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted means [n, k, c] of features [n, c, rows, cols] over k parts with weights [n, k, rows, cols]."""
    flat, parts = features.flatten(2), weights.flatten(2)
    return parts @ flat.transpose(1, 2) / parts.sum(2, keepdim=True).clamp(min=1e-3)


class RegionContext(nn.Module):
    """Describes every part of a picture, and turns descriptions into scale and shift of the features of its cells."""

    def __init__(self, channels: int, context: int, blocks: int, code: int = 48, projected: int = 16) -> None:
        """``channels`` of the features, ``context`` values of the scene, ``blocks`` that are scaled and shifted."""
        super().__init__()
        self.project = nn.Linear(EMBEDDING, projected, bias=False)
        self.describe = nn.Sequential(
            nn.Dropout(0.15),
            nn.Linear(channels + context + projected + 4, code),
            nn.ReLU(),
            nn.Dropout(0.15),
            nn.Linear(code, code),
            nn.ReLU(),
        )
        # Without biases: what is not known has the code zero and must change nothing.
        self.films = nn.ModuleList(nn.Linear(code, 2 * channels, bias=False) for _ in range(blocks))
        for film in self.films:
            nn.init.zeros_(film.weight)  # type: ignore[arg-type]

    def forward(
        self, luma: Tensor, features: Tensor, scene: Tensor, shared: Tensor, region_features: Tensor
    ) -> list[Tensor]:
        """Scale and shift [n, 2 * channels, rows, cols] for every block; exactly zero without regions.

        ``luma`` [n, 1, rows, cols] in 0..1, ``scene`` [n, context], ``shared`` as `shares` gives it,
        ``region_features`` [n, 17, 256], zeros where unknown.
        """
        light = luma.clamp(min=1e-6).sqrt()
        area = shared.mean((2, 3))[:, :, None]
        known = (area[:, 1:].sum(1, keepdim=True) / _FADE).clamp(max=1.0)
        background = torch.zeros_like(area)
        background[:, 0] = 1.0
        parts = (
            means(features, shared),
            scene[:, None].expand(-1, shared.shape[1], -1),
            torch.tanh(self.project(region_features * (1 - background))),
            means(light, shared),
            (light * shared).amax((2, 3))[:, :, None],
            area,
            background,
        )
        codes = self.describe(torch.cat(parts, 2)) * known
        # All blocks at once, and for 17 parts before they are spread over the cells: a tenth of the work.
        films = codes @ torch.cat([film.weight for film in self.films]).T  # type: ignore[misc]
        cells = (films.transpose(1, 2) @ shared.flatten(2)).unflatten(2, shared.shape[-2:])
        return list(cells.chunk(len(self.films), 1))
