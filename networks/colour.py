"""Y'CbCr <-> R'G'B' on tensors, normalised as the thumbnail is: y 0..1, u and v about -0.5..0.5.

The weights travel as a tensor so that every picture of a batch may have its own matrix (ITU-R BT.601-7, BT.709-6).
"""

from __future__ import annotations

import torch
from torch import Tensor

KR_KB: dict[str, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020nc": (0.2627, 0.0593),
}
"""Luma weights of red and blue; green has the rest."""


def luma_weights(matrix: str, like: Tensor) -> tuple[Tensor, Tensor]:
    """Luma weights of red and blue of a named matrix, as scalars that broadcast against ``like``."""
    kr, kb = KR_KB[matrix]
    return like.new_tensor(kr), like.new_tensor(kb)


def rgb_to_yuv(rgb: Tensor, kr: Tensor, kb: Tensor) -> Tensor:
    """[n, 3, h, w] R'G'B' in 0..1 to y, u, v; ``kr`` and ``kb`` are scalars or [n, 1, 1]."""
    red, green, blue = rgb.unbind(1)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    return torch.stack((y, (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))), 1)


def yuv_to_rgb(yuv: Tensor, kr: Tensor, kb: Tensor) -> Tensor:
    """The inverse of ``rgb_to_yuv``; may leave 0..1 where the colour is not displayable."""
    y, u, v = yuv.unbind(1)
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    return torch.stack((red, (y - kr * red - kb * blue) / (1 - kr - kb), blue), 1)
