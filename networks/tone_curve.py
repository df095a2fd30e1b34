"""The differentiable twin of the fused pass: a tone-curve grid applied to Y'CbCr planes, for training.

    y' = a*y + s*sqrt(y) + b        u' = c_u*u + d_u*y + e_u        v' alike

Coefficients sit at cell centres, bilinear between them and constant outside the outermost ones. The arithmetic that
ships is engines/curve; a test holds this file to it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_LINEAR_BELOW = 1e-4
"""Far below code 1 of 8 bits: from here to black the square root is replaced by its chord, whose slope is finite."""


def spread(coefficients: Tensor, height: int, width: int) -> Tensor:
    """Nodes [n, k, rows, cols] to pixels [n, k, height, width]."""
    return F.interpolate(coefficients, (height, width), mode="bilinear", align_corners=False)


def safe_sqrt(y: Tensor) -> Tensor:
    """sqrt(y) on 0 and on all 8-bit codes, with a finite derivative everywhere."""
    return torch.where(y > _LINEAR_BELOW, y.clamp(min=_LINEAR_BELOW).sqrt(), y / _LINEAR_BELOW**0.5)


def apply_grid(grid: Tensor, y: Tensor, chroma: Tensor) -> tuple[Tensor, Tensor]:
    """Apply grid [n, rows, cols, 9] to y [n, 1, h, w] (0..1) and chroma u, v [n, 2, h, w] or 4:2:0 [n, 2, h/2, w/2].

    Returns y' and (u', v') in the shapes they came in, not clipped. With 4:2:0 the luma of a chroma site is the mean of
    its four luma samples.
    """
    nodes = grid.permute(0, 3, 1, 2)
    curve = spread(nodes[:, :3], *y.shape[-2:])
    out_y = curve[:, :1] * y + curve[:, 1:2] * safe_sqrt(y) + curve[:, 2:]
    site = y if chroma.shape[-2:] == y.shape[-2:] else F.avg_pool2d(y, 2)
    tint = spread(nodes[:, 3:], *chroma.shape[-2:])
    out_chroma = tint[:, 0::3] * chroma + tint[:, 1::3] * site + tint[:, 2::3]
    return out_y, out_chroma
