"""The losses of Zero-DCE and Zero-DCE++ (CVPR 2020, TPAMI 2021): no reference picture, only what a good one looks like.

Four terms: neighbouring regions keep their contrast (spatial consistency), regions are well exposed, the channels agree
on average (gray world), and the curve maps are smooth. Reductions are those of the released code. The colour term is
that of the paper (squares); the released code has fourth powers under a root, `form="code"` gives that.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

ColourForm = Literal["paper", "code"]

WELL_EXPOSED = 0.6
"""The gray that regions should have on average, display values."""


def curve_smoothness(curves: Tensor) -> Tensor:
    """Twice the squared variation of curve maps [n, c, h, w]: summed over channels, mean over places and pictures."""
    count, _, height, width = curves.shape
    down = (curves[:, :, 1:] - curves[:, :, :-1]).square().sum() / max(1, (height - 1) * width)
    right = (curves[..., 1:] - curves[..., :-1]).square().sum() / max(1, height * (width - 1))
    return 2 * (down + right) / count


def spatial_consistency(result: Tensor, picture: Tensor, region: int = 4) -> Tensor:
    """How much the steps between neighbouring regions changed: [n, 3, h, w] twice, at least ``region`` high and wide.

    Gray means of ``region`` x ``region`` pixels, four neighbours each, zero beyond the border, as published: regions at
    the border are therefore also held near their own old brightness.
    """
    change = F.avg_pool2d((result - picture).mean(1, keepdim=True), region)
    around = F.pad(change, (1, 1, 1, 1))
    height, width = change.shape[-2:]
    steps = [
        change - around[..., top : top + height, left : left + width] for top, left in ((1, 0), (1, 2), (0, 1), (2, 1))
    ]
    return torch.stack(steps).square().sum(0).mean()


def colour_constancy(result: Tensor, form: ColourForm = "paper") -> Tensor:
    """How far the mean colours of pictures [n, 3, h, w] are from gray; mean over the pictures."""
    means = result.mean((2, 3))
    apart = (means - means.roll(1, 1)).square()
    if form == "paper":
        return apart.sum(1).mean()
    return _root(apart.square().sum(1)).mean()


def _root(values: Tensor) -> Tensor:
    """The square root with slope 0 at 0, where gray pictures lie."""
    positive = values > 0
    return torch.where(positive, torch.where(positive, values, 1.0).sqrt(), 0.0)


def exposure(result: Tensor, level: float = WELL_EXPOSED, region: int = 16) -> Tensor:
    """Squared distance of the gray means of ``region`` x ``region`` pixels from ``level``; [n, 3, h, w]."""
    return (F.avg_pool2d(result.mean(1, keepdim=True), region) - level).square().mean()


def zero_dce_terms(
    picture: Tensor, result: Tensor, curves: Tensor, level: float = WELL_EXPOSED, colour: ColourForm = "paper"
) -> dict[str, Tensor]:
    """All four terms, not weighted. Published weights: smooth 200 (1600 in "++"), spatial 1, colour 5, exposure 10."""
    return {
        "smooth": curve_smoothness(curves),
        "spatial": spatial_consistency(result, picture),
        "colour": colour_constancy(result, colour),
        "exposure": exposure(result, level),
    }
