"""MIRNet, second version: parallel streams at three resolutions that exchange information and never lose the finest.

Papers: Zamir et al., "Learning Enriched Features for Real Image Restoration and Enhancement" (ECCV 2020) and "Learning
Enriched Features for Fast Image Restoration and Enhancement" (TPAMI 2022). This is the second, lighter one, the version
whose size is the one printed in comparison tables (5.86 M parameters; the first has 31.8 M).

Structure: 3x3 convolution to 80 features; four recursive residual groups, each of two multi-scale residual blocks and
a 3x3 convolution; 3x3 convolution back to RGB and the input added. A multi-scale block runs residual contextual blocks
(3x3, leaky ReLU, 3x3, global-context attention) on streams of 80, 120 and 180 channels at 1, 1/2 and 1/4 scale, merges
neighbouring streams by selective kernel feature fusion (SKFF), and does this twice. The 3x3 convolutions inside the
contextual blocks are grouped, with 1, 2, 4 and 4 groups in the four recursive groups.

Faithful: widths, counts of blocks, groups, SKFF and the context attention, all without bias. As the parameter count
requires, the contextual block and the fusion of a scale are the same objects in both rounds, the upsamplings are not,
and the 1/4 stream is made from the block's input by two steps of its own. Unknown: nothing that affects the layers.

Sizes: any height and width (padded to 4 inside); RGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import crop_like, pad_to_multiple
from networks.skff import SKFF

ROUNDS = 2


class MIRNetOutput(NamedTuple):
    """``enhanced`` is ``raw`` clamped to [0, 1]; both [N, 3, H, W]. Losses are taken on ``raw``."""

    enhanced: Tensor
    raw: Tensor


class GlobalContext(nn.Module):
    """Adds to every pixel one vector: features pooled with a learned spatial soft-max, through two 1x1 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mask = nn.Conv2d(channels, 1, 1, bias=False)
        self.transform = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 1, bias=False),
        )

    def forward(self, feature: Tensor) -> Tensor:
        weights = self.mask(feature).flatten(2).softmax(dim=-1)
        context = torch.matmul(feature.flatten(2), weights.transpose(1, 2)).unsqueeze(-1)
        out: Tensor = feature + self.transform(context)
        return out


class ResidualContextBlock(nn.Module):
    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=groups),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False, groups=groups),
        )
        self.context = GlobalContext(channels)

    def forward(self, feature: Tensor) -> Tensor:
        return feature + F.leaky_relu(self.context(self.body(feature)), 0.2)


class Down(nn.Sequential):
    """Half the resolution: 2x2 average, then a 1x1 convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.AvgPool2d(2), nn.Conv2d(inputs, outputs, 1, bias=False))


class Up(nn.Sequential):
    """Twice the resolution: 1x1 convolution, then bilinear."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, 1, bias=False),
            nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False),
        )


class MultiScaleBlock(nn.Module):
    """Two rounds of (contextual block on every stream, fusion upwards), 1x1 convolution, residual."""

    def __init__(self, channels: int, factor: float, groups: int) -> None:
        super().__init__()
        top, middle, bottom = channels, int(channels * factor), int(channels * factor * factor)
        self.down_middle = Down(top, middle)
        self.down_bottom = nn.Sequential(Down(top, middle), Down(middle, bottom))
        self.top = ResidualContextBlock(top, groups)
        self.middle = ResidualContextBlock(middle, groups)
        self.bottom = ResidualContextBlock(bottom, groups)
        self.up_middle = nn.ModuleList(Up(bottom, middle) for _ in range(ROUNDS))
        self.up_top = nn.ModuleList(Up(middle, top) for _ in range(ROUNDS))
        self.fuse_top = SKFF(top, 2, nn.LeakyReLU(0.2))
        self.fuse_middle = SKFF(middle, 2, nn.LeakyReLU(0.2))
        self.last = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, feature: Tensor) -> Tensor:
        top, middle, bottom = feature, self.down_middle(feature), self.down_bottom(feature)
        for up_middle, up_top in zip(self.up_middle, self.up_top, strict=True):
            top, middle, bottom = self.top(top), self.middle(middle), self.bottom(bottom)
            middle = self.fuse_middle([middle, up_middle(bottom)])
            top = self.fuse_top([top, up_top(middle)])
        out: Tensor = feature + self.last(top)
        return out


class RecursiveGroup(nn.Module):
    """Multi-scale blocks, a 3x3 convolution and a residual around all of them."""

    def __init__(self, channels: int, blocks: int, factor: float, groups: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(MultiScaleBlock(channels, factor, groups) for _ in range(blocks)),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        )

    def forward(self, feature: Tensor) -> Tensor:
        out: Tensor = feature + self.body(feature)
        return out


class MIRNet(nn.Module):
    """MIRNet-v2. 5 858 560 parameters by default; ``channels`` 16, ``groups`` (1, 2) is a small one for tests."""

    def __init__(
        self, channels: int = 80, factor: float = 1.5, groups: Sequence[int] = (1, 2, 4, 4), blocks: int = 2
    ) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.groups = nn.Sequential(*(RecursiveGroup(channels, blocks, factor, count) for count in groups))
        self.last = nn.Conv2d(channels, 3, 3, padding=1, bias=False)

    def forward(self, image: Tensor) -> MIRNetOutput:
        padded = pad_to_multiple(image, 4)
        raw = crop_like(padded + self.last(self.groups(self.first(padded))), image)
        return MIRNetOutput(raw.clamp(0.0, 1.0), raw)
