"""EnlightenGAN: an attention-guided U-Net trained with unpaired pictures against two discriminators.

Paper: Jiang et al., "EnlightenGAN: Deep Light Enhancement without Paired Supervision" (TIP 2021).

Generator: five levels of 32, 64, 128, 256 and 512 channels, two (3x3 convolution, leaky ReLU 0.2, batch norm) per
level, 2x2 max pooling down, bilinear x2 and a 3x3 convolution up. The attention map ``a = 1 - gray`` says how dark a
place is; it is the fourth input channel and it multiplies the bottleneck, every skip and the residual:
``output = latent * a + input``, all of it on pictures in [-1, 1].

Faithful: the layers, their counts and the attention. The last convolution of the decoder has no batch norm, as the
parameter count requires. Chosen here: the attention map is brought to each level by the same 2x2 max pooling that the
features pass through (the sources say "resized"), and gray is BT.601 luma.

Discriminators: PatchGANs of 4x4 convolutions without normalisation, five stride-2 layers for whole pictures (global),
four for patches (local). They return a map of unbounded scores, for relativistic and plain least-squares losses.

Sizes: generator any height and width (padded to 16 inside), RGB in [0, 1]. Global discriminator at least 64x64, local
at least 16x16; pictures in [-1, 1] (``2 * x - 1``).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import crop_like, pad_to_multiple

LUMA = (0.299, 0.587, 0.114)


class EnlightenGANOutput(NamedTuple):
    """``enhanced`` is ``raw`` clamped to [0, 1], both [N, 3, H, W]; ``attention`` [N, 1, H, W] in [0, 1], 1 = dark."""

    enhanced: Tensor
    raw: Tensor
    attention: Tensor


class ConvNorm(nn.Sequential):
    """3x3 convolution, leaky ReLU 0.2, then batch norm (in this order)."""

    def __init__(self, inputs: int, outputs: int, norm: bool = True) -> None:
        layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(0.2)]
        if norm:
            layers.append(nn.BatchNorm2d(outputs))
        super().__init__(*layers)


class EnlightenGAN(nn.Module):
    """The generator. ``channels`` are the widths of the levels, finest first. 8 636 675 parameters by default."""

    def __init__(self, channels: Sequence[int] = (32, 64, 128, 256, 512)) -> None:
        super().__init__()
        self.multiple = 2 ** (len(channels) - 1)
        widths = [4, *channels]
        self.down = nn.ModuleList(nn.Sequential(ConvNorm(i, o), ConvNorm(o, o)) for i, o in pairwise(widths))
        wide, narrow = list(channels[:0:-1]), list(channels[-2::-1])
        self.shrink = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in zip(wide, narrow, strict=True))
        self.up = nn.ModuleList(
            nn.Sequential(ConvNorm(2 * c, c), ConvNorm(c, c, norm=level < len(narrow) - 1))
            for level, c in enumerate(narrow)
        )
        self.last = nn.Conv2d(channels[0], 3, 1)

    def forward(self, image: Tensor) -> EnlightenGANOutput:
        padded = 2 * pad_to_multiple(image, self.multiple) - 1
        luma = padded.new_tensor(LUMA).view(1, 3, 1, 1)
        attention = 1 - ((padded + 1) / 2 * luma).sum(dim=1, keepdim=True)

        feature, gate = torch.cat([padded, attention], dim=1), attention
        skips: list[Tensor] = []
        for level, block in enumerate(self.down):
            if level:
                feature, gate = F.max_pool2d(feature, 2), F.max_pool2d(gate, 2)
            feature = block(feature)
            skips.append(feature * gate)
        feature = skips.pop()
        for shrink, block in zip(self.shrink, self.up, strict=True):
            feature = shrink(F.interpolate(feature, scale_factor=2.0, mode="bilinear", align_corners=False))
            feature = block(torch.cat([feature, skips.pop()], dim=1))
        raw = crop_like((self.last(feature) * attention + padded + 1) / 2, image)
        return EnlightenGANOutput(raw.clamp(0.0, 1.0), raw, crop_like(attention, image))


class PatchDiscriminator(nn.Sequential):
    """``layers`` stride-2 convolutions (64, 128, 256, 512, 512, ... channels), one of stride 1, and a score map.

    In: [N, 3, H, W] in [-1, 1]. Out: [N, 1, h, w], unbounded.
    """

    def __init__(self, layers: int, channels: int = 64) -> None:
        widths = [3, *(channels * min(2**level, 8) for level in range(layers))]
        modules: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            modules += [nn.Conv2d(inputs, outputs, 4, stride=2, padding=2), nn.LeakyReLU(0.2)]
        wide = widths[-1]
        modules += [nn.Conv2d(wide, channels * 8, 4, padding=2), nn.LeakyReLU(0.2)]
        super().__init__(*modules, nn.Conv2d(channels * 8, 1, 4, padding=2))


def global_discriminator(channels: int = 64) -> PatchDiscriminator:
    """Judges whole pictures. 11 154 369 parameters by default."""
    return PatchDiscriminator(5, channels)


def local_discriminator(channels: int = 64) -> PatchDiscriminator:
    """Judges 32x32 patches. 6 959 553 parameters by default."""
    return PatchDiscriminator(4, channels)
