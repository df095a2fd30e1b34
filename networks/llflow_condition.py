"""What LLFlow's flow is conditioned on: four views of the dark picture and the encoder that reads them.

Paper: Wang et al., "Low-Light Image Enhancement with Normalizing Flow" (AAAI 2022), sections on the conditional encoder
and the illumination-invariant colour map.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LEVELS = 256


def equalisation_table(image: Tensor) -> Tensor:
    """Histogram equalisation of each channel of each picture as a table (N, 3, 256) of values in [0, 1].

    The darkest level present maps to 0, the brightest to 1; a channel of a single level keeps it. For video, smooth
    the tables over time and pass them on: a table per frame flickers (B8).
    """
    codes = (image * (LEVELS - 1)).round().clamp(0.0, LEVELS - 1.0).long().flatten(2)
    counts = image.new_zeros(codes.shape[0], codes.shape[1], LEVELS)
    counts = counts.scatter_add(2, codes, torch.ones_like(codes, dtype=image.dtype))
    cumulative = counts.cumsum(dim=2)
    total = cumulative[..., -1:]
    darkest = torch.where(cumulative > 0, cumulative, total).amin(dim=2, keepdim=True)
    spread = (cumulative - darkest).clamp(min=0.0) / (total - darkest).clamp(min=1.0)
    identity = torch.arange(LEVELS, device=image.device, dtype=image.dtype) / (LEVELS - 1)
    return torch.where(darkest < total, spread, identity)


def equalise(image: Tensor, table: Tensor) -> Tensor:
    """The picture through its table; no gradient."""
    codes = (image * (LEVELS - 1)).round().clamp(0.0, LEVELS - 1.0).long()
    return table.gather(2, codes.flatten(2)).view_as(image)


def colour_map(image: Tensor) -> Tensor:
    """Each channel's share in the sum of the channels (N, 3, H, W): colour without illumination."""
    return image / (image.sum(dim=1, keepdim=True) + 1e-4)


def noise_map(colours: Tensor) -> Tensor:
    """The larger of the two absolute central differences (times 1/2) of the colour map, zero beyond its border."""
    padded = F.pad(colours, (1, 1, 1, 1))
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    along = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    return torch.maximum(across.abs(), along.abs())


def condition_input(image: Tensor, table: Tensor | None = None) -> Tensor:
    """Logarithm, equalised picture, colour map and noise map: (N, 3, H, W) in [0, 1] -> (N, 12, H, W)."""
    lifted = (image + 1e-3).clamp(min=1e-3)
    colours = colour_map(lifted)
    equalised = equalise(image, equalisation_table(image) if table is None else table)
    return torch.cat([lifted.log(), equalised.detach(), colours, noise_map(colours)], dim=1)


class DenseBlock(nn.Module):
    """Five 3x3 convolutions, each fed by all before it; a fifth of the result is added to the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        convs = [nn.Conv2d(channels + i * growth, growth if i < 4 else channels, 3, padding=1) for i in range(5)]
        for conv in convs:
            # Small weights, as is usual in blocks without norm; the sources do not give the scale.
            nn.init.kaiming_normal_(conv.weight, a=0.2)
            with torch.no_grad():
                conv.weight.mul_(0.1)
        self.convs = nn.ModuleList(convs)

    def forward(self, feature: Tensor) -> Tensor:
        known = [feature]
        for conv in self.convs[:-1]:
            known.append(F.leaky_relu(conv(torch.cat(known, dim=1)), 0.2))
        out: Tensor = feature + 0.2 * self.convs[-1](torch.cat(known, dim=1))
        return out


class ResidualDenseBlock(nn.Module):
    """RRDB: three dense blocks, a fifth of whose result is added to the input."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(DenseBlock(channels, growth) for _ in range(3)))

    def forward(self, feature: Tensor) -> Tensor:
        out: Tensor = feature + 0.2 * self.blocks(feature)
        return out


class Condition(NamedTuple):
    """`features` at 1/2, 1/4 and 1/8 scale; `colours` (N, 3, H, W) in (0, 1), the predicted colour map."""

    features: tuple[Tensor, Tensor, Tensor]
    colours: Tensor


class ConditionEncoder(nn.Module):
    """12 channels -> conditions of `channels * (1 + len(stacked))` channels.

    The outputs of the RRDB blocks named in `stacked` (counted from 0) join the features of every scale.
    """

    def __init__(self, channels: int, blocks: int, stacked: Sequence[int], growth: int = 32) -> None:
        super().__init__()
        if stacked and not 0 <= min(stacked) <= max(stacked) < blocks:
            raise ValueError(f"stacked blocks {tuple(stacked)} are not all among the {blocks} blocks")
        self.stacked = tuple(stacked)
        self.first = nn.Sequential(
            nn.Conv2d(12, channels, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(channels, channels, 3, padding=1)
        )
        self.blocks = nn.ModuleList(ResidualDenseBlock(channels, growth) for _ in range(blocks))
        self.trunk = nn.Conv2d(channels, channels, 3, padding=1)
        self.to_quarter = nn.Conv2d(channels, channels, 3, padding=1)
        self.to_eighth = nn.Conv2d(channels, channels, 3, padding=1)
        self.colours = nn.Conv2d(channels, 3, 1)

    def forward(self, views: Tensor) -> Condition:
        start = feature = F.max_pool2d(self.first(views), 2)
        kept: list[Tensor] = []
        for index, block in enumerate(self.blocks):
            feature = block(feature)
            if index in self.stacked:
                kept.append(feature)
        half = start + self.trunk(feature)
        # The quarter-scale condition is the activated feature, the eighth-scale one is not activated.
        quarter = F.leaky_relu(self.to_quarter(halved(half)), 0.2)
        eighth = self.to_eighth(halved(quarter))
        colours = torch.sigmoid(self.colours(F.interpolate(half, scale_factor=2.0, mode="nearest")))
        return Condition((stack(half, kept), stack(quarter, kept), stack(eighth, kept)), colours)


def halved(feature: Tensor) -> Tensor:
    """Bilinear halving of an even size, which is the mean of each 2x2 cell."""
    return F.avg_pool2d(feature, 2)


def stack(feature: Tensor, kept: Sequence[Tensor]) -> Tensor:
    resized = [F.interpolate(block, size=feature.shape[-2:], mode="nearest") for block in kept]
    return torch.cat([feature, *resized], dim=1)
