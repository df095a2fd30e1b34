"""The Charbonnier distance, a smooth L1, as HWMNet (mean) and SNR-LLIE-Net (sum) are trained with it.

Charbonnier et al., "Two deterministic half-quadratic regularization algorithms for computed imaging" (ICIP 1994).
Both trainings add the same constant under the root: HWMNet says epsilon 1e-3 and squares it, SNR-LLIE-Net adds 1e-6.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Reduction = Literal["mean", "sum"]


def charbonnier(got: Tensor, want: Tensor, reduction: Reduction, epsilon: float = 1e-3) -> Tensor:
    """`sqrt((got - want)^2 + epsilon^2)` over all values of both, which have the same shape.

    The sum grows with batch and crop: Adam's steps do not, but terms that are added to it, and bounds on the gradient,
    must be chosen for one batch and crop.
    """
    if got.shape != want.shape:
        raise ValueError(f"pictures of different shapes: {tuple(got.shape)} and {tuple(want.shape)}")
    distance = ((got - want).square() + epsilon * epsilon).sqrt()
    return distance.mean() if reduction == "mean" else distance.sum()
