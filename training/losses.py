"""What training minimises.

SCI's own loss (CVPR 2022): every stage's illumination stays near what the stage saw and is smooth. And the loss of
``curve``: the fused pass's result against the target, in R'G'B' and in structure, with terms that guard what a mean
error does not see: tinted blacks, halos and grids that change with the noise.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from networks.colour import yuv_to_rgb
from networks.curve import STEEPEST
from networks.sci import Stage
from networks.tone_curve import apply_grid, safe_sqrt
from training.metrics import ssim_uniform
from training.recipe import Weights
from training.samples import Batch

_OFFSETS = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (2, -1), (1, 2), (1, -2), (2, 2), (2, -2))
_LIFTED_BLACK, _STEEP = 0.06, 20.0
_KNOTS = (0.0, 0.03, 0.12, 0.4, 0.8)


def smoothness_weight(squared_distance: Tensor, sigma: float) -> Tensor:
    """How much two neighbouring pixels should share their illumination, from their distance in Y'CbCr."""
    return torch.exp(-squared_distance / (2 * sigma * sigma))


def illumination_smoothness(guide: Tensor, illumination: Tensor, sigma: float = 10.0) -> Tensor:
    """L1 variation of the illumination over a 5x5 neighbourhood, relaxed where ``guide`` (R'G'B') has edges.

    The released code mixes three neighbouring pixels where it means to convert a colour; here the colour is converted.
    """
    red, green, blue = guide.unbind(1)
    y = 0.257 * red + 0.564 * green + 0.098 * blue + 16 / 255
    cb = -0.148 * red - 0.291 * green + 0.439 * blue + 128 / 255
    cr = 0.439 * red - 0.368 * green - 0.071 * blue + 128 / 255
    colour = torch.stack((y, cb, cr), 1)
    total = guide.new_zeros(())
    for down, right in _OFFSETS:
        here, there = _neighbours(colour, down, right)
        weight = smoothness_weight((here - there).square().sum(1), sigma)
        here, there = _neighbours(illumination, down, right)
        total = total + (weight * (here - there).abs().sum(1)).mean()
    return 2 * total


def _neighbours(picture: Tensor, down: int, right: int) -> tuple[Tensor, Tensor]:
    """All pixels that have a neighbour at this offset, and those neighbours; nothing is padded."""
    height, width = picture.shape[-2:]
    rows, cols = height - down, width - abs(right)
    left = max(0, -right)
    here = picture[..., :rows, left : left + cols]
    there = picture[..., down : down + rows, left + right : left + right + cols]
    return here, there


def sci_loss(stages: list[Stage], sigma: float = 10.0) -> dict[str, Tensor]:
    """SCI's fidelity and smoothness, summed over the stages."""
    fidelity = torch.stack([F.mse_loss(stage.illumination, stage.seen) for stage in stages]).sum()
    smooth = torch.stack([illumination_smoothness(s.seen, s.illumination, sigma) for s in stages]).sum()
    return {"fidelity": 1.5 * fidelity, "smooth": smooth}


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
    return {name: getattr(weights, name) * term for name, term in terms.items()}


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
