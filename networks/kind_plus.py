"""KinD++ (Zhang et al., "Beyond Brightening Low-Light Images", IJCV 2021), with and without SKF.

Decomposition and adjustment are KinD's (`networks.kind`). Restoration keeps the full resolution: four multi-scale
illumination attention blocks (MSIA) gate the features by the illumination and look at them at scales 1, 1/2 and 1/4.
As in the published code, every convolution with batch norm has a ReLU before and after it, and transposed convolutions
end in one. Batch norm uses eps 1e-3 and remembers 99 % of its statistics per step.

The parameter count is that of the published code (8 274 508); the tables print 9.63 M, which nothing explains.
Ratio and stretching as in `networks.kind` (B2, B3).
Unknown: the SKF variant was never released. SE modules sit on the features of 256, 128 and 64 channels of the
restoration's last two stages (K19).
Any picture size, odd ones too: padded to a multiple of 16 inside (shared with KinD, 4 would do), cropped at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks import kind
from networks.kind import Convolution, KinD
from networks.skf import PROJECT, Knowledge, SEOptions, attach


def _normed(channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel, padding=kernel // 2),
        nn.ReLU(),
        nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01),
        nn.ReLU(),
    )


def _doubled(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(channels, channels, 2, stride=2), nn.ReLU())


class MSIA(nn.Module):
    """Multi-scale illumination attention: feature (N, channels, H, W), illumination (N, 1, H, W) -> feature."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(1, 1, 3, padding=1, bias=False)
        self.scale_1 = _normed(channels, 3)
        self.scale_2 = nn.Sequential(nn.MaxPool2d(2), _normed(channels, 3), _doubled(channels))
        self.scale_4 = nn.Sequential(nn.MaxPool2d(4), _normed(channels, 1), _doubled(channels), _doubled(channels))
        self.merge = nn.Conv2d(4 * channels, channels, 1)

    def forward(self, x: Tensor, illumination: Tensor) -> Tensor:
        x = x * torch.sigmoid(self.gate(illumination))
        return F.relu(self.merge(torch.cat([x, self.scale_1(x), self.scale_2(x), self.scale_4(x)], dim=1)))


class RestorationPlus(nn.Module):
    """Reflectance and illumination -> clean reflectance (N, 3, H, W); H and W multiples of 4."""

    def __init__(self, channels: int = 32, semantic: Sequence[nn.Module] | None = None) -> None:
        super().__init__()
        c = channels
        trunk = [(3, c, 2 * c), (2 * c, 4 * c, 8 * c), (8 * c, 16 * c, 8 * c), (8 * c, 4 * c, 2 * c)]
        self.first = nn.ModuleList(Convolution(i, m) for i, m, _ in trunk)
        self.second = nn.ModuleList(Convolution(m, o) for _, m, o in trunk)
        self.attention = nn.ModuleList(MSIA(o) for _, _, o in trunk)
        self.tail = Convolution(2 * c, c)
        self.last = nn.Conv2d(c, 3, 3, padding=1)
        if semantic is not None and len(semantic) != 3:
            raise ValueError(f"KinD++ takes three semantic modules, but {len(semantic)} were given")
        self.semantic = None if semantic is None else nn.ModuleList(semantic)

    def forward(self, reflectance: Tensor, illumination: Tensor, knowledge: Knowledge | None = None) -> Tensor:
        x = reflectance
        for stage, (first, second, attention) in enumerate(zip(self.first, self.second, self.attention, strict=True)):
            x = first(x)
            if stage == 3:
                x = attach(self.semantic, 1, x, knowledge)
            x = attention(second(x), illumination)
            if stage >= 2:
                x = attach(self.semantic, 0 if stage == 2 else 2, x, knowledge)
        return torch.sigmoid(self.last(self.tail(x)))


class KinDPlus(KinD):
    """KinD++. 8 274 508 parameters by default; arguments, call and output are those of `KinD`."""

    restoration = RestorationPlus


def semantic_modules(
    bank_channels: Sequence[int], channels: int = 32, ratio: float = 2.66, options: SEOptions = PROJECT
) -> list[nn.Module]:
    """SE modules for `KinDPlus(semantic=...)`, bottlenecks of half the width of the feature they guide."""
    return kind.semantic_modules(bank_channels, channels, ratio, options)
