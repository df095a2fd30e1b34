"""The loss of ``curve``: the fused pass's result against the target, in R'G'B' and in structure.

Further terms guard what a mean error does not see: tinted blacks, halos and grids that change with the noise.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from networks.colour import yuv_to_rgb
from networks.curve import STEEPEST
from networks.tone_curve import apply_grid, safe_sqrt
from training.metrics import ssim_uniform
from training.recipe import Strict
from training.samples import Batch

_LIFTED_BLACK, _STEEP = 0.06, 20.0
_KNOTS = (0.0, 0.03, 0.12, 0.4, 0.8)


class Weights(Strict):
    """Weights of the terms of the curve loss."""

    charbonnier: float = 1.0
    decibel: float = 0.01
    structure: float = 0.15
    colour: float = 0.5
    smooth: float = 0.02
    steady: float = 0.1
    black: float = 0.0
    region: float = 0.0
    """How far regions are from the mean luma of their target: exposure is judged region by region, small ones too."""


def _soft_clip(picture: Tensor) -> Tensor:
    """Clipped to 0..1 as the run time does, but what lies outside still pulls back."""
    clipped = picture.clamp(0.0, 1.0)
    return clipped + 0.1 * (picture - clipped)


def curve_loss(grid: Tensor, other: Tensor, batch: Batch, weights: Weights) -> dict[str, Tensor]:
    """All weighted terms for the grids of ``batch`` and of its second recordings."""
    y, chroma = apply_grid(grid, batch.low[:, :1], F.avg_pool2d(batch.low[:, 1:], 2))
    y = _soft_clip(y)
    full = F.interpolate(chroma, y.shape[-2:], mode="bilinear", align_corners=False)
    got = _soft_clip(yuv_to_rgb(torch.cat((y, full), 1), batch.kr, batch.kb))
    want = yuv_to_rgb(batch.high, batch.kr, batch.kb).clamp(0.0, 1.0)
    squared = (got - want).square()
    # Tints are judged by what the eye compares them with: the darker the target, the more a cast in it shows.
    dark = (1 - F.avg_pool2d(batch.high[:, :1], 2)).square()
    terms = {
        "charbonnier": (squared + 1e-4).sqrt().mean(),
        "decibel": 10 * torch.log10(squared.mean((1, 2, 3)) + 1e-4).mean(),
        "structure": 1 - ssim_uniform(y, batch.high[:, :1], 1.0).mean(),
        "colour": (dark * (chroma - F.avg_pool2d(batch.high[:, 1:], 2)).abs()).mean(),
        "smooth": _variation(responses(grid)),
        "black": milky_blacks(grid),
        "steady": _distance(responses(grid[: len(other)]), responses(other)),
    }
    if batch.region_weights is not None:
        terms["region"] = region_exposure(y, batch.high[:, :1], batch.region_weights)
    return {name: getattr(weights, name) * term for name, term in terms.items()}


def region_exposure(y: Tensor, target: Tensor, region_weights: Tensor) -> Tensor:
    """Mean over regions of the difference of their mean lumas; luma [n, 1, h, w], weights [n, 17, rows, cols]."""
    rows, cols = region_weights.shape[-2:]
    cells = F.adaptive_avg_pool2d(y - target, (rows, cols))
    areas = region_weights[:, 1:].sum((2, 3))
    errors = (cells * region_weights[:, 1:]).sum((2, 3)).abs() / areas.clamp(min=1e-3)
    # A region of less than two cells has hardly an exposure of its own.
    counted = (areas / 2).clamp(max=1.0)
    return (errors * counted).sum() / counted.sum().clamp(min=1.0)


def milky_blacks(grid: Tensor) -> Tensor:
    """How far curves lift black itself, and how steeply they leave it: haze, and steps where the input has few codes.

    A cell without black pixels does not determine either; without this term the network puts there what it likes.
    """
    lifted = F.relu(grid[..., 2] - _LIFTED_BLACK).mean()
    steep = F.relu(grid[..., 0] + STEEPEST * grid[..., 1] - _STEEP).mean()
    return lifted + 0.02 * steep


def responses(grid: Tensor) -> Tensor:
    """What a grid does rather than what its numbers are: its curve at some lumas, and its chroma coefficients.

    Grid [n, rows, cols, 9] -> [n, rows, cols, 11]. Coefficients trade off against each other; the response does not.
    """
    knots = grid.new_tensor(_KNOTS)
    curve = grid[..., 0:1] * knots + grid[..., 1:2] * safe_sqrt(knots) + grid[..., 2:3]
    return torch.cat((curve, 0.2 * grid[..., 3::3], grid[..., 4::3], grid[..., 5::3]), -1)


def _variation(field: Tensor) -> Tensor:
    down = (field[:, 1:] - field[:, :-1]).abs().mean()
    right = (field[:, :, 1:] - field[:, :, :-1]).abs().mean()
    return down + right


def _distance(one: Tensor, two: Tensor) -> Tensor:
    return (one - two).abs().mean() if len(one) else one.sum()
