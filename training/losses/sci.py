"""SCI's own loss (CVPR 2022): every stage's illumination stays near what the stage saw and is smooth."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from networks.sci import Stage

_OFFSETS = ((1, 0), (0, 1), (1, 1), (1, -1), (2, 0), (0, 2), (2, 1), (2, -1), (1, 2), (1, -2), (2, 2), (2, -2))


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
