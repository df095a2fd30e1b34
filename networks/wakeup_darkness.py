"""Wakeup-Darkness, the successor of Enlighten Anything (ACM TOMM 2025): SAM regions and depth guide the illumination.

Against `networks.enlighten_anything`, published layout: Mish in place of ReLU, the convolution block applied twice and
each time followed by a gated residual block (one set of weights each), and a fusion block that also takes a depth map.
Queries and keys of regions and depth stand side by side, two channels per head, so here the regions do count.

As published: one stage, region and depth map share a 1x1 convolution, all channels are 3, 924 parameters. The colour
correction of the published code is the identity by default and is not here. Its loss has a second term whose input
nothing trains; training uses SCI's losses on the picture. Depth maps come from an estimator of the user's choice.
Any picture size; both maps are resized (nearest) to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.enlighten_anything import DARKEST_ILLUMINATION, EnlightenOutput
from networks.skf import ChannelNorm, GatedFeedForward

CHANNELS = 3
HEADS = 3
ROUNDS = 2


def _point_then_space(inputs: int, outputs: int, groups: int) -> nn.Sequential:
    """1x1 and 3x3 convolution without bias; `groups` of the second."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.Conv2d(outputs, outputs, 3, padding=1, groups=groups, bias=False),
    )


class RegionDepthAttention(nn.Module):
    """Channel attention of six channels: queries from regions and depth, keys and values from picture and depth."""

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(HEADS, 1, 1))
        self.query = nn.ModuleList(_point_then_space(CHANNELS, CHANNELS, 1) for _ in range(2))
        self.key_value = nn.ModuleList(_point_then_space(CHANNELS, 2 * CHANNELS, 2 * CHANNELS) for _ in range(2))
        self.project = nn.Conv2d(2 * CHANNELS, CHANNELS, 1, bias=False)

    def forward(self, picture: Tensor, regions: Tensor, depth: Tensor) -> Tensor:
        def per_head(parts: list[Tensor]) -> Tensor:
            joined = torch.cat(parts, dim=1)
            return joined.reshape(joined.shape[0], HEADS, joined.shape[1] // HEADS, -1)

        first, second = (layer(x).chunk(2, dim=1) for layer, x in zip(self.key_value, (picture, depth), strict=True))
        query = per_head([layer(x) for layer, x in zip(self.query, (regions, depth), strict=True)])
        key, value = per_head([first[0], second[0]]), per_head([first[1], second[1]])
        scores = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        mixed = torch.softmax(scores * self.temperature, dim=-1) @ value
        out: Tensor = self.project(mixed.reshape(picture.shape[0], 2 * CHANNELS, *picture.shape[-2:]))
        return out


class RegionDepthFusion(nn.Module):
    """Feature, region map and depth map, all (N, 3, ., .) -> what is added to the feature."""

    def __init__(self) -> None:
        super().__init__()
        self.align_maps = nn.Conv2d(3, CHANNELS, 1)
        self.align = nn.Conv2d(CHANNELS, CHANNELS, 1)
        self.norm = ChannelNorm(CHANNELS)
        self.attention = RegionDepthAttention()
        self.norm_feed_forward = ChannelNorm(CHANNELS)
        self.feed_forward = GatedFeedForward(CHANNELS, 1.0, "none")
        self.last = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, feature: Tensor, regions: Tensor, depth: Tensor) -> Tensor:
        maps = (F.interpolate(m, size=feature.shape[-2:], mode="nearest") for m in (regions, depth))
        seen, near = (self.norm(self.align_maps(m)) for m in maps)
        x = self.norm(self.align(feature))
        x = x + self.attention(x, seen, near)
        out: Tensor = self.last(x + self.feed_forward(self.norm_feed_forward(x)))
        return out


class GatedResidualBlock(nn.Module):
    """A learned share of two convolutions, the rest of the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.Mish(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )
        self.gate = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        changed: Tensor = self.body(x)
        share: Tensor = self.gate(changed)
        return share * changed + (1.0 - share) * x


class WakeupDarkness(nn.Module):
    """Picture (N, 3, H, W) in 0..1, region map (N, 3, h, w), depth map (N, 3, h', w') as a gray picture in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.in_conv = nn.Sequential(nn.Conv2d(3, CHANNELS, 3, padding=1), nn.Mish())
        self.fuse = RegionDepthFusion()
        self.conv = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1), nn.BatchNorm2d(CHANNELS), nn.Mish())
        self.block = GatedResidualBlock(CHANNELS)
        self.out_conv = nn.Sequential(nn.Conv2d(CHANNELS, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, picture: Tensor, regions: Tensor, depth: Tensor) -> EnlightenOutput:
        features = self.in_conv(picture)
        features = features + self.fuse(features, regions, depth)
        for _ in range(ROUNDS):
            features = self.block(features + self.conv(features))
        illumination = (self.out_conv(features) + picture).clamp(DARKEST_ILLUMINATION, 1.0)
        return EnlightenOutput((picture / illumination).clamp(0.0, 1.0), illumination)
