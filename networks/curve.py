"""``curve``: the network that predicts the tone-curve grid directly from the thumbnail.

SCI's illumination (networks/sci.py) of a reduced thumbnail is the base: its gain 1/L is what the grid starts from, and
the head only corrects it, so that a network whose head is zero does what SCI would do. Exposure is a decision about the
whole scene, hence the pooled statistics that scale and shift the local features (FiLM, Perez et al. 2018); dilated
residual blocks at an eighth of the thumbnail see its whole width.

Every curve it can emit is monotone. A curve a*y + s*sqrt(y) + b rises over all codes exactly when its slope is not
negative at white (a + s/2) and at the step from code 0 to code 1 (a + 16 s, full range, the steepest there is). The
head therefore predicts the logarithms of these two slopes, and a and s follow from them.

With regions (networks/curve_regions.py) objects leave the scene's statistics, and each region is scaled and shifted on
its own cells. Where they are not known the network does, to the bit, what it does without that part.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.colour import luma_weights, yuv_to_rgb
from networks.curve_regions import EMBEDDING, REGIONS, RegionContext, scenery, shares
from networks.sci import Illumination

STEEPEST = 16.0
"""sqrt(255): the largest difference quotient of sqrt over neighbouring codes, between 0 and 1."""
CELL = 8
"""Thumbnail pixels per grid node."""
_GREATEST_GAIN = 20.0
_GREATEST_CHROMA_GAIN = 4.0
_LOG_SLOPE = 3.0
_OFFSET, _CAST, _SHIFT = 0.5, 0.5, 0.06


def curve_from_slopes(at_white: Tensor, at_black: Tensor) -> tuple[Tensor, Tensor]:
    """a and s of the curve with the slope ``at_white`` (y near 1) and ``at_black`` (from code 0 to 1)."""
    s = (at_black - at_white) / (STEEPEST - 0.5)
    return at_white - 0.5 * s, s


class ResidualBlock(nn.Module):
    """Two convolutions, the first dilated, scaled and shifted by the scene's statistics."""

    def __init__(self, channels: int, dilation: int, context: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.film = nn.Linear(context, 2 * channels)
        self.mix = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.film.weight)
        nn.init.zeros_(self.film.bias)

    def forward(self, features: Tensor, scene: Tensor, regions: Tensor | None = None) -> Tensor:
        """``scene`` [n, context]; ``regions`` [n, 2 * channels, h, w]: what regions add to its scale and shift."""
        film = self.film(scene)[:, :, None, None]
        scale, shift = (film if regions is None else film + regions).chunk(2, 1)
        inner = F.relu(self.norm(self.wide(features)) * (1 + scale) + shift)
        mixed: Tensor = self.mix(inner)
        return F.relu(features + mixed)


class CurveNet(nn.Module):
    """Thumbnail [n, 3, h, w] (y 0..1, u and v about -0.5..0.5; h, w multiples of 8) -> grid [n, h/8, w/8, 9].

    The coefficients come in the order a, s, b, c_u, d_u, e_u, c_v, d_v, e_v. Built with ``regions`` it also takes
    ``region_weights`` [n, 17, h/8, w/8], the soft share of each region in each cell (index 0, the background, is what
    the others leave and is not read), and ``region_features`` [n, 17, 256], the mean SAM embedding over each region;
    zeros, or None, stand for "not known".
    """

    def __init__(
        self,
        channels: tuple[int, int, int] = (16, 32, 48),
        dilations: tuple[int, ...] = (1, 2, 4, 8),
        context: int = 64,
        regions: bool = False,
    ) -> None:
        super().__init__()
        first, second, deep = channels
        self.illumination = Illumination()
        self.encode = nn.Sequential(
            nn.Conv2d(4, first, 3, 2, 1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.Conv2d(first, second, 3, 2, 1, bias=False),
            nn.BatchNorm2d(second),
            nn.ReLU(),
            nn.Conv2d(second, deep, 3, 2, 1, bias=False),
            nn.BatchNorm2d(deep),
            nn.ReLU(),
        )
        # A few hundred pictures are soon known by heart; what is dropped here cannot be.
        self.scene = nn.Sequential(
            nn.Dropout(0.15),
            nn.Linear(2 * deep, 2 * context),
            nn.ReLU(),
            nn.Dropout(0.15),
            nn.Linear(2 * context, context),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(ResidualBlock(deep, dilation, context) for dilation in dilations)
        self.head = nn.Conv2d(deep, 9, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        if self.head.bias is not None:
            nn.init.zeros_(self.head.bias)
        self.regions = RegionContext(deep, context, len(dilations)) if regions else None

    def base_gain(self, thumbnail: Tensor) -> Tensor:
        """1/L of SCI at a quarter of the thumbnail, averaged over each grid cell: [n, 1, h/8, w/8]."""
        kr, kb = luma_weights("bt709", thumbnail)
        small = F.avg_pool2d(thumbnail, CELL // 2)
        found = self.illumination(yuv_to_rgb(small, kr, kb).clamp(0.0, 1.0))
        luma = kr * found[:, :1] + (1 - kr - kb) * found[:, 1:2] + kb * found[:, 2:]
        return F.avg_pool2d(1 / luma.clamp(min=1 / _GREATEST_GAIN), 2)

    def forward(
        self, thumbnail: Tensor, region_weights: Tensor | None = None, region_features: Tensor | None = None
    ) -> Tensor:
        gain = self.base_gain(thumbnail)
        y, chroma = thumbnail[:, :1], thumbnail[:, 1:]
        features: Tensor = self.encode(torch.cat((y, y.clamp(min=1e-6).sqrt(), chroma), 1))
        films: list[Tensor] | list[None] = [None] * len(self.blocks)
        if self.regions is None or region_weights is None:
            scene = self.scene(torch.cat((features.mean((2, 3)), features.amax((2, 3))), 1))
        else:
            shared = shares(region_weights)
            stays = scenery(shared)
            mean = (features * stays).sum((2, 3)) / stays.sum((2, 3))
            scene = self.scene(torch.cat((mean, (features * stays).amax((2, 3))), 1))
            if region_features is None:
                region_features = features.new_zeros(len(features), 1 + REGIONS, EMBEDDING)
            films = self.regions(F.avg_pool2d(y, CELL), features, scene, shared, region_features)
        for block, film in zip(self.blocks, films, strict=True):
            features = block(features, scene, film)
        correction: Tensor = torch.tanh(self.head(features))
        white, black, b, cu, du, eu, cv, dv, ev = torch.chunk(correction, 9, 1)
        a, s = curve_from_slopes(gain * torch.exp(_LOG_SLOPE * white), gain * torch.exp(_LOG_SLOPE * black))
        grid = [a, s, _OFFSET * b]
        for strength, cast, shift in ((cu, du, eu), (cv, dv, ev)):
            chroma_gain = (gain * torch.exp(_LOG_SLOPE * strength)).clamp(max=_GREATEST_CHROMA_GAIN)
            grid += [chroma_gain, _CAST * cast, _SHIFT * shift]
        return torch.cat(grid, 1).permute(0, 2, 3, 1)
