"""RetinexNet's losses (Wei et al., BMVC 2018, as in the published code): decomposition, then relighting.

`_l` is the dark picture S, `_h` the bright one; R reflectance [n, 3, h, w], I illumination [n, 1, h, w]; |.| is the
mean absolute value. Weights (1, 0.001, 0.1, 0.01; 1, 3) are the system's. The authors let the similarity term pull both
reflectances together, the PyTorch port only the dark one towards the bright one (`detach_bright`, the port's, B1).
Different: gradients are differences inside the picture; the published kernels also run over a border of zeros, where
every picture has an edge that is none.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from networks.colour import luma_weights


def grey(picture: Tensor) -> Tensor:
    """Luma of BT.601, [n, 3, h, w] -> [n, 1, h, w]."""
    kr, kb = luma_weights("bt601", picture)
    return kr * picture[:, :1] + (1 - kr - kb) * picture[:, 1:2] + kb * picture[:, 2:]


def differences(picture: Tensor) -> tuple[Tensor, Tensor]:
    """To the right neighbour [..., h, w - 1] and to the one below [..., h - 1, w]."""
    return picture[..., 1:] - picture[..., :-1], picture[..., 1:, :] - picture[..., :-1, :]


def edge_aware_smoothness(illumination: Tensor, reflectance: Tensor) -> Tensor:
    """Variation of the illumination, forgiven where the reflectance has an edge (3x3 mean, exponent -10)."""
    total = illumination.new_zeros(())
    for change, edge in zip(differences(illumination), differences(grey(reflectance)), strict=True):
        near = F.avg_pool2d(edge.abs(), 3, 1, 1, count_include_pad=False)
        total = total + (change.abs() * torch.exp(-10 * near)).mean()
    return total


def decomposition_terms(
    low: Tensor, high: Tensor, dark: tuple[Tensor, Tensor], bright: tuple[Tensor, Tensor], detach_bright: bool = True
) -> dict[str, Tensor]:
    """Unweighted terms for pictures [n, 3, h, w] and their (reflectance, illumination)."""
    (r_l, i_l), (r_h, i_h) = dark, bright
    return {
        "reconstruction": (r_l * i_l - low).abs().mean() + (r_h * i_h - high).abs().mean(),
        "exchange": (r_h * i_l - low).abs().mean() + (r_l * i_h - high).abs().mean(),
        "smooth": edge_aware_smoothness(i_l, r_l) + edge_aware_smoothness(i_h, r_h),
        "similarity": (r_l - (r_h.detach() if detach_bright else r_h)).abs().mean(),
    }


def relighting_terms(high: Tensor, reflectance: Tensor, relit: Tensor) -> dict[str, Tensor]:
    """Unweighted terms: the dark picture's reflectance under the new illumination is the bright picture."""
    return {
        "reconstruction": (reflectance * relit - high).abs().mean(),
        "smooth": edge_aware_smoothness(relit, reflectance),
    }
