"""KinD (Zhang et al., "Kindling the Darkness", ACM MM 2019), with and without SKF.

Decomposition splits a picture into reflectance and illumination; restoration, a U-Net, cleans the reflectance;
adjustment brightens the illumination by a wanted ratio; the result is their product. All parts end in a sigmoid.

The illumination head's last convolution is 1x1 as in the published code (the paper's figure says 3x3).
Repaired: the published test code takes the ratio from the ground truth (B2). Here it is the network's own `ratio`: a
number, 5.0 in the published mode without ground truth, or None (default), which takes it from the picture:
`TARGET_LEVEL` over its mean illumination, at least 1, so that no picture is darkened. A ratio in the call goes before
it. The published loader stretches every picture to 0..1, which makes video flicker; here nothing is stretched (B3).
Unknown: the SKF variant was never released. SE modules sit on the restoration's decoder outputs of 256, 128 and 64
channels (K19); SKF trains only that last sub-network with its own losses, the adjustment keeps its own.
Any picture size, odd ones too: padded to a multiple of 16 inside, cropped at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import crop_like, pad_to_multiple
from networks.skf import PROJECT, Knowledge, SEBottleneck, SEOptions, attach

MULTIPLE = 16
TARGET_LEVEL = 0.45
LUMA = (0.299, 0.587, 0.114)


class KinDOutput(NamedTuple):
    """All in 0..1: the result, the input's reflectance and illumination, and both after restoration and adjustment."""

    enhanced: Tensor
    reflectance: Tensor
    illumination: Tensor
    restored: Tensor
    adjusted: Tensor


class Convolution(nn.Module):
    """3x3 (or 1x1) convolution and leaky ReLU of slope 0.2."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.conv(x), 0.2)


class Decomposition(nn.Module):
    """Picture (N, 3, H, W) -> reflectance (N, 3, H, W), illumination (N, 1, H, W); H and W multiples of 4."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        c = channels
        self.encoder = nn.ModuleList([Convolution(3, c), Convolution(c, 2 * c), Convolution(2 * c, 4 * c)])
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * i, i, 2, stride=2, bias=False) for i in (2 * c, c))
        self.decoder = nn.ModuleList(Convolution(2 * i, i) for i in (2 * c, c))
        self.reflectance = nn.Conv2d(c, 3, 1)
        self.side = Convolution(c, c)
        self.illumination = nn.Conv2d(2 * c, 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        first = self.encoder[0](image)
        second = self.encoder[1](F.max_pool2d(first, 2))
        x = self.encoder[2](F.max_pool2d(second, 2))
        for up, layer, skip in zip(self.up, self.decoder, (second, first), strict=True):
            x = layer(torch.cat([up(x), skip], dim=1))
        illumination = self.illumination(torch.cat([x, self.side(first)], dim=1))
        return torch.sigmoid(self.reflectance(x)), torch.sigmoid(illumination)


class Restoration(nn.Module):
    """Reflectance and illumination -> clean reflectance (N, 3, H, W); H and W multiples of 16."""

    def __init__(self, channels: int = 32, semantic: Sequence[nn.Module] | None = None) -> None:
        super().__init__()
        widths = [channels * 2**level for level in range(5)]
        self.encoder = nn.ModuleList(
            nn.Sequential(Convolution(i, o), Convolution(o, o)) for i, o in zip([4, *widths], widths, strict=False)
        )
        rising = widths[-2::-1]
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2, bias=False) for w in rising)
        self.decoder = nn.ModuleList(nn.Sequential(Convolution(2 * w, w), Convolution(w, w)) for w in rising)
        self.last = nn.Conv2d(channels, 3, 3, padding=1)
        if semantic is not None and len(semantic) != 3:
            raise ValueError(f"KinD takes three semantic modules, but {len(semantic)} were given")
        self.semantic = None if semantic is None else nn.ModuleList(semantic)

    def forward(self, reflectance: Tensor, illumination: Tensor, knowledge: Knowledge | None = None) -> Tensor:
        x = self.encoder[0](torch.cat([reflectance, illumination], dim=1))
        skips = []
        for layer in self.encoder[1:]:
            skips.append(x)
            x = layer(F.max_pool2d(x, 2))
        for level, (up, layer) in enumerate(zip(self.up, self.decoder, strict=True)):
            x = layer(torch.cat([up(x), skips.pop()], dim=1))
            if level < 3:
                x = attach(self.semantic, level, x, knowledge)
        return torch.sigmoid(self.last(x))


class Adjustment(nn.Module):
    """Illumination (N, 1, H, W) and wanted ratio (N, 1, 1, 1) -> brighter illumination (N, 1, H, W)."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        widths = [2, channels, channels, channels, 1]
        self.layers = nn.Sequential(*(Convolution(widths[i], widths[i + 1]) for i in range(4)))

    def forward(self, illumination: Tensor, ratio: Tensor) -> Tensor:
        return torch.sigmoid(self.layers(torch.cat([illumination, ratio.expand_as(illumination)], dim=1)))


def light_ratio(illumination: Tensor, ratio: float | Tensor | None) -> Tensor:
    """The ratio as (N, 1, 1, 1): a number, one per picture, or, from None, what lifts the mean to `TARGET_LEVEL`."""
    if ratio is None:
        return (TARGET_LEVEL / illumination.mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-4)).clamp_min(1.0)
    return torch.as_tensor(ratio, dtype=illumination.dtype, device=illumination.device).reshape(-1, 1, 1, 1)


def blur(image: Tensor, sigma: float = 3.0) -> Tensor:
    """Gaussian over four deviations to either side, the border repeated; per channel."""
    radius = int(4.0 * sigma + 0.5)
    offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(image.shape[1], 1, 1, -1)
    padded = F.pad(image, (radius,) * 4, mode="replicate")
    across = F.conv2d(padded, kernel, groups=image.shape[1])
    return F.conv2d(across, kernel.transpose(2, 3), groups=image.shape[1])


class KinD(nn.Module):
    """KinD. 8 016 008 parameters by default; `channels` scales all of it.

    `semantic`: three SE modules (`semantic_modules` makes them); `forward` then needs the `Knowledge` of the picture.
    `soften`: the published test without ground truth darkens the reflectance where it is dark itself (noise stays
    hidden) and keeps the input where it is already bright. `ratio`: how much brighter, see `light_ratio`.
    """

    restoration: type[nn.Module] = Restoration

    def __init__(
        self,
        channels: int = 32,
        semantic: Sequence[nn.Module] | None = None,
        soften: bool = False,
        ratio: float | None = None,
    ) -> None:
        super().__init__()
        if ratio is not None and ratio <= 0:
            raise ValueError(f"the light ratio is a positive number or None, not {ratio}")
        self.soften = soften
        self.ratio = ratio
        self.decompose = Decomposition(channels)
        self.restore = self.restoration(channels, semantic)
        self.adjust = Adjustment(channels)

    def forward(
        self, image: Tensor, knowledge: Knowledge | None = None, ratio: float | Tensor | None = None
    ) -> KinDOutput:
        """Picture (N, 3, H, W) in 0..1; `ratio`: a number, one for each picture, or the network's own (None)."""
        padded = pad_to_multiple(image, MULTIPLE)
        reflectance, illumination = self.decompose(padded)
        restored = self.restore(reflectance, illumination, knowledge)
        reflectance, illumination, restored = (crop_like(x, image) for x in (reflectance, illumination, restored))
        adjusted = self.adjust(illumination, light_ratio(illumination, self.ratio if ratio is None else ratio))
        enhanced = restored * adjusted
        if self.soften:
            luma = (reflectance * reflectance.new_tensor(LUMA).view(3, 1, 1)).sum(dim=1, keepdim=True)
            visible = (2.0 * blur(luma)).clamp(1e-4, 1.0).sqrt()
            enhanced = illumination * image + (1.0 - illumination) * visible * enhanced
        return KinDOutput(enhanced, reflectance, illumination, restored, adjusted)


def semantic_modules(
    bank_channels: Sequence[int], channels: int = 32, ratio: float = 1.0, options: SEOptions = PROJECT
) -> list[nn.Module]:
    """SE modules for `KinD(semantic=...)`, bottlenecks of half the width of the feature they guide."""
    widths = [8 * channels, 4 * channels, 2 * channels]
    return [
        SEBottleneck(c, w, w // 2, ratio=ratio, options=options)
        for c, w in zip(bank_channels[2::-1], widths, strict=True)
    ]
