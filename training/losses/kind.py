"""The losses of KinD (Zhang et al., ACM MM 2019) and KinD++ (IJCV 2021), as in the published code.

R reflectance [n, 3, h, w], I illumination [n, 1, h, w], dark `_l` and bright `_h`. A "gradient" is KinD's: the absolute
difference of neighbours in one direction, stretched to 0..1 over the whole batch of maps. Weights are the system's
(decomposition 1, 0.01, 0.2, 0.15, with KinD++ 0.009 for the similarity; the others 1).
Faithful: all terms, the stretched gradients in all of them (the paper prints plain ones), KinD++'s adjustment with the
sign of its differences, KinD++'s restoration without gradients. Also the border of zeros to the right and below: the
edge that it makes is as high as the map and sets the scale of the stretch. Without it a nearly flat map is blown up to
full height, and the terms for structure drown the reconstruction.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from training.losses.retinexnet import differences, grey
from training.metrics import ssim_gaussian

CONTRAST = 1.2
DIMMED = 0.99


def stretched(values: Tensor) -> Tensor:
    """Values to 0..1 by the least and the largest of them."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low + 1e-4)


def gradients(picture: Tensor, signed: bool = False) -> tuple[Tensor, Tensor]:
    """KinD's gradients of [n, 1, h, w] to the right and downwards; `signed` keeps the sign of the differences."""
    right, down = differences(F.pad(picture, (0, 1, 0, 1)))
    right, down = (change if signed else change.abs() for change in (right[..., :-1, :], down[..., :-1]))
    return stretched(right), stretched(down)


def shared_structure(dark: Tensor, bright: Tensor) -> Tensor:
    """Edges of two illuminations should be strong in both or weak in both: M exp(-10 M) is small at either end."""
    total = dark.new_zeros(())
    for first, second in zip(gradients(dark), gradients(bright), strict=True):
        both = first + second
        total = total + (both * torch.exp(-10 * both)).mean()
    return total


def unexplained_structure(illumination: Tensor, picture: Tensor) -> Tensor:
    """Edges of the illumination where the picture [n, 3, h, w] has none."""
    total = illumination.new_zeros(())
    for own, seen in zip(gradients(illumination), gradients(grey(picture)), strict=True):
        total = total + (own / seen.clamp(min=0.01)).mean()
    return total


def gradient_distance(got: Tensor, want: Tensor, signed: bool = False) -> Tensor:
    """Mean squared difference of the gradients of two maps [n, 1, h, w], both directions added."""
    total = got.new_zeros(())
    for first, second in zip(gradients(got, signed), gradients(want, signed), strict=True):
        total = total + (first - second).square().mean()
    return total


def decomposition_terms(
    low: Tensor, high: Tensor, dark: tuple[Tensor, Tensor], bright: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """Unweighted terms for pictures [n, 3, h, w] and their (reflectance, illumination)."""
    (r_l, i_l), (r_h, i_h) = dark, bright
    return {
        "reconstruction": (r_l * i_l - low).abs().mean() + (r_h * i_h - high).abs().mean(),
        "similarity": (r_l - r_h).abs().mean(),
        "shared": shared_structure(i_l, i_h),
        "unexplained": unexplained_structure(i_l, low) + unexplained_structure(i_h, high),
    }


def restoration_terms(restored: Tensor, bright_reflectance: Tensor) -> dict[str, Tensor]:
    """KinD: the bright picture's reflectance, with more contrast, is the target; at least 11 x 11 pixels."""
    target = bright_reflectance**CONTRAST
    return _closeness(restored, target) | {"gradient": gradient_distance(grey(restored), grey(target))}


def restoration_terms_plus(restored: Tensor, bright_reflectance: Tensor) -> dict[str, Tensor]:
    """KinD++: a slightly dimmed target and no term for gradients; at least 11 x 11 pixels."""
    return _closeness(restored, (DIMMED * bright_reflectance) ** CONTRAST)


def adjustment_terms(adjusted: Tensor, wanted: Tensor, signed: bool = False) -> dict[str, Tensor]:
    """The adjusted illumination against that of the wanted light level; `signed` is KinD++'s."""
    return {
        "square": (adjusted - wanted).square().mean(),
        "gradient": gradient_distance(adjusted, wanted, signed),
    }


def brightening(dark: Tensor, bright: Tensor) -> Tensor:
    """How many times brighter the second illumination is, [n]; its reciprocal is the ratio that darkens."""
    return 1 / (dark / (bright + 1e-4)).mean((1, 2, 3)).clamp(min=1e-4)


def _closeness(got: Tensor, want: Tensor) -> dict[str, Tensor]:
    return {"square": (got - want).square().mean(), "structure": 1 - ssim_gaussian(got, want, 1.0).mean()}
