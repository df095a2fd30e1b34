"""HWMNet: a half wavelet attention U-Net.

Paper: Fan, Liu and Liu, "Half Wavelet Attention on M-Net+ for Low-Light Image Enhancement" (ICIP 2022). With `semantic`
modules this is HWMNet-SKF (Wu et al., CVPR 2023); its code was never published, so where the SE blocks sit and how wide
they are is this project's design: plain blocks with expansion 1 on the decoder outputs of 384, 192 and 96 channels.
They add 3.22 M parameters where the SKF paper prints 3.42 M.

An image pyramid enters at every level of the encoder, all decoder levels meet in the output (SKFF). Each block keeps
one half of its channels and sends the other half through a Haar transform, where a spatial and a channel gate act.

Faithful: layers, widths, the shared PReLU of a block, the head of the bottom acting before and those of the decoder
after their upsampling; parameter count and arithmetic cost exact. The wavelet is the orthonormal Haar,
so that the transform and its inverse keep the scale of the feature.

Sizes: any (padded to 16 inside), RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import crop_like, pad_to_multiple
from networks.skf import PROJECT, SE, Knowledge, SEOptions, attach
from networks.skff import SKFF

LEVELS = 4


class HWMNetOutput(NamedTuple):
    """`enhanced` is `raw` clamped to [0, 1]; both (N, 3, H, W). Losses are taken on `raw`."""

    enhanced: Tensor
    raw: Tensor


def haar(feature: Tensor) -> Tensor:
    """Orthonormal Haar transform (N, C, H, W) -> (N, 4 C, H / 2, W / 2): all LL, then all HL, LH, HH."""
    a, b = feature[..., 0::2, 0::2] / 2, feature[..., 1::2, 0::2] / 2
    c, d = feature[..., 0::2, 1::2] / 2, feature[..., 1::2, 1::2] / 2
    return torch.cat([a + b + c + d, c + d - a - b, b + d - a - c, a + d - b - c], dim=1)


def inverse_haar(bands: Tensor) -> Tensor:
    """(N, 4 C, H, W) -> (N, C, 2 H, 2 W), the inverse of `haar`."""
    ll, hl, lh, hh = (bands / 2).chunk(4, dim=1)
    # In the order in which pixel_shuffle fills a 2x2 cell: top left, top right, bottom left, bottom right.
    cell = torch.stack([ll - hl - lh + hh, ll + hl - lh - hh, ll - hl + lh - hh, ll + hl + lh + hh], dim=2)
    return F.pixel_shuffle(cell.flatten(1, 2), 2)


def enlarged(feature: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(feature, size=size, mode="bilinear", align_corners=False)


class SpatialGate(nn.Module):
    """A gate per pixel from the largest and the mean channel, through a 5x5 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 5, padding=2, bias=False)

    def forward(self, feature: Tensor) -> Tensor:
        pooled = torch.cat([feature.amax(dim=1, keepdim=True), feature.mean(dim=1, keepdim=True)], dim=1)
        return feature * torch.sigmoid(self.conv(pooled))


class ChannelGate(nn.Module):
    """A gate per channel from the mean over the picture, squeezed sixteen-fold."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(channels, channels // 16, 1, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels // 16, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, feature: Tensor) -> Tensor:
        out: Tensor = feature * self.gate(feature.mean(dim=(2, 3), keepdim=True))
        return out


class HalfWaveletBlock(nn.Module):
    """Half wavelet attention on `channels` (a multiple of 8), then a 1x1 convolution to `outputs`."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        n = channels
        self.activation = nn.PReLU()  # one scalar for both places
        self.reduce = nn.Conv2d(2 * n, n, 3, padding=1, bias=False)
        self.restore = nn.Conv2d(n, 2 * n, 3, padding=1, bias=False)
        self.spatial, self.channel = SpatialGate(), ChannelGate(2 * n)
        self.merge = nn.Conv2d(4 * n, 2 * n, 1, bias=False)
        self.conv = nn.Conv2d(n, n, 3, padding=1, bias=False)
        self.identity = nn.Conv2d(n, n, 1, bias=False)
        self.project = nn.Conv2d(n, outputs, 1)

    def forward(self, feature: Tensor) -> Tensor:
        transformed, kept = feature.chunk(2, dim=1)
        bands = haar(transformed)
        inner = self.restore(self.activation(self.reduce(bands)))
        bands = bands + self.merge(torch.cat([self.spatial(inner), self.channel(inner)], dim=1))
        joined = torch.cat([inverse_haar(bands), kept], dim=1)
        out: Tensor = self.project(self.activation(self.conv(joined)) + self.identity(feature))
        return out


class HWMNet(nn.Module):
    """HWMNet. 66 564 649 parameters by default; `width` (a multiple of 8) scales all of it.

    `semantic`: three SE modules for the decoder outputs of 4, 2 and 1 times `width` channels at 1/4, 1/2 and full scale
    (`semantic_modules` makes them); `forward` then needs the `Knowledge` of the picture.
    """

    def __init__(self, width: int = 96, semantic: Sequence[nn.Module] | None = None) -> None:
        super().__init__()
        outputs = [width * 2**level for level in range(LEVELS)]
        joined = [width, *(channels + width for channels in outputs[:-1])]
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.encoder = nn.ModuleList(HalfWaveletBlock(i, o) for i, o in zip(joined, outputs, strict=True))
        self.down = nn.ModuleList(
            nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(4 * channels, channels, 1)) for channels in outputs[:-1]
        )
        rising = outputs[-2::-1]
        self.up = nn.ModuleList(
            nn.Sequential(nn.PixelShuffle(2), nn.Conv2d(channels // 2, channels, 1)) for channels in rising
        )
        self.skip = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for channels in rising)
        self.decoder = nn.ModuleList(HalfWaveletBlock(2 * channels, channels) for channels in rising)
        self.heads = nn.ModuleList(nn.Conv2d(channels, width, 3, padding=1) for channels in outputs[::-1])
        self.fuse = SKFF(width, LEVELS, nn.PReLU())
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        if semantic is not None and len(semantic) != LEVELS - 1:
            raise ValueError(f"HWMNet has three decoder levels, but {len(semantic)} semantic modules were given")
        self.semantic = None if semantic is None else nn.ModuleList(semantic)

    def forward(self, image: Tensor, knowledge: Knowledge | None = None) -> HWMNetOutput:
        padded = pad_to_multiple(image, 2**LEVELS)
        size = padded.shape[-2:]
        pyramid = padded
        feature = self.encoder[0](self.first(padded))
        skips = []
        for down, block in zip(self.down, self.encoder[1:], strict=True):
            skips.append(feature)
            pyramid = F.avg_pool2d(pyramid, 2)  # what bilinear halving of an even size is
            feature = block(torch.cat([down(feature), self.first(pyramid)], dim=1))

        streams = [enlarged(self.heads[0](feature), size)]
        for level, (up, skip, block) in enumerate(zip(self.up, self.skip, self.decoder, strict=True)):
            feature = block(torch.cat([up(feature), skip(skips.pop())], dim=1))
            feature = attach(self.semantic, level, feature, knowledge)
            streams.append(self.heads[level + 1](enlarged(feature, size)))
        raw = crop_like(padded + self.last(self.fuse(streams)), image)
        return HWMNetOutput(raw.clamp(0.0, 1.0), raw)


def semantic_modules(
    bank_channels: Sequence[int], width: int = 96, ratio: float = 1.0, options: SEOptions = PROJECT
) -> list[nn.Module]:
    """SE modules for `HWMNet(semantic=...)`; `bank_channels` are those of the bank's three finest features."""
    return [SE(bank_channels[2 - level], width * 2 ** (2 - level), ratio=ratio, options=options) for level in range(3)]
