"""Zero-DCE and Zero-DCE++: a network that estimates tone curves, trained without reference pictures.

Papers: Guo et al., "Zero-Reference Deep Curve Estimation for Low-Light Image Enhancement" (CVPR 2020), and Li, Guo and
Loy, "Learning to Enhance Low-Light Image via Zero-Reference Deep Curve Estimation" (TPAMI 2021, "++").

The light-enhancement curve is applied eight times: ``x <- x + A_n * (x^2 - x)``. It maps [0, 1] onto [0, 1] for every
``A_n`` in [-1, 1], which the final tanh guarantees, so no clamp is needed. A negative ``A_n`` brightens.

Faithful: layers, the seven-convolution symmetric concatenations, eight iterations, one shared map in "++".
Chosen here: the reduced picture of "++" is made and its map is brought back with half-pixel bilinear resizing, to the
size of the input exactly, where a fixed factor would need multiples of it. Unknown: nothing that affects the layers.

Sizes: any height and width of at least 1 pixel; RGB in [0, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import at_scale

ITERATIONS = 8


class ZeroDCEOutput(NamedTuple):
    """``enhanced`` [N, 3, H, W] in [0, 1]; ``curves`` [N, 24, H, W] (Zero-DCE) or [N, 3, H, W] ("++") in [-1, 1]."""

    enhanced: Tensor
    curves: Tensor


def apply_curves(image: Tensor, curves: Tensor) -> Tensor:
    """Equation 4: eight curve iterations. ``curves`` has 3 channels (used eight times) or 24 (three per iteration)."""
    steps = curves.chunk(ITERATIONS, dim=1) if curves.shape[1] > 3 else (curves,) * ITERATIONS
    for step in steps:
        image = image + step * (image * image - image)
    return image


class SeparableConv(nn.Sequential):
    """3x3 depthwise convolution, then 1x1, both with bias."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs), nn.Conv2d(inputs, outputs, 1))


class CurveEstimator(nn.Module):
    """DCE-Net: seven convolutions, the later ones also fed by the mirrored earlier ones; tanh at the end."""

    def __init__(self, channels: int, maps: int, separable: bool) -> None:
        super().__init__()
        pairs = [(3, channels), *[(channels, channels)] * 3, *[(2 * channels, channels)] * 2, (2 * channels, maps)]
        self.convs = nn.ModuleList(
            SeparableConv(i, o) if separable else nn.Conv2d(i, o, 3, padding=1) for i, o in pairs
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, image: Tensor) -> Tensor:
        c1, c2, c3, c4, c5, c6, c7 = self.convs
        x1 = F.relu(c1(image))
        x2 = F.relu(c2(x1))
        x3 = F.relu(c3(x2))
        x4 = F.relu(c4(x3))
        x5 = F.relu(c5(torch.cat([x3, x4], dim=1)))
        x6 = F.relu(c6(torch.cat([x2, x5], dim=1)))
        return torch.tanh(c7(torch.cat([x1, x6], dim=1)))


class ZeroDCE(nn.Module):
    """Zero-DCE: 3x3 convolutions, a separate curve map for each of the eight iterations. 79 416 parameters."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.estimator = CurveEstimator(channels, 3 * ITERATIONS, separable=False)

    def forward(self, image: Tensor) -> ZeroDCEOutput:
        curves = self.estimator(image)
        return ZeroDCEOutput(apply_curves(image, curves), curves)


class ZeroDCEPlusPlus(nn.Module):
    """Zero-DCE++: separable convolutions, one map for all iterations, estimated on a reduced picture.

    ``reduction`` is the factor by which height and width shrink before the estimator (12 in the paper's fast setting,
    1 for none). 10 561 parameters.
    """

    def __init__(self, channels: int = 32, reduction: int = 12) -> None:
        super().__init__()
        if reduction < 1:
            raise ValueError(f"reduction is the factor of the smaller picture and is at least 1, not {reduction}")
        self.reduction = reduction
        self.estimator = CurveEstimator(channels, 3, separable=True)

    def forward(self, image: Tensor) -> ZeroDCEOutput:
        if self.reduction == 1:
            curves = self.estimator(image)
            return ZeroDCEOutput(apply_curves(image, curves), curves)
        height, width = image.shape[-2:]
        small = at_scale(height, self.reduction), at_scale(width, self.reduction)
        reduced = F.interpolate(image, size=small, mode="bilinear", align_corners=False)
        curves = F.interpolate(self.estimator(reduced), size=(height, width), mode="bilinear", align_corners=False)
        return ZeroDCEOutput(apply_curves(image, curves), curves)
