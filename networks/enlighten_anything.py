"""Enlighten Anything: SAM regions guide self-calibrated illumination (Zhao et al., arXiv 2306.10286, 2023).

SCI's small illumination network (`networks.sci`) with one fusion block after its first convolution: picture features
attend to a coloured map of SAM's regions. The same weights act in every stage of SCI's cascade, so "three fusion
stages" means one block unrolled three times (E2); after training one stage is enough and the calibrator is dropped.

`layout="published"`: three channels, three heads, the residual from the normalised feature, 645 parameters (6 264 with
the calibrator). With one channel per head the soft-max has one entry and is always 1, so the regions have exactly no
influence on the picture and get no gradient (E1). It is kept to compare against and to read published weights.
`layout="repaired"` (default): picture and map are lifted to 16 channels, two heads can attend, the residual is the
feature itself (E8), and the map has a fourth channel that says where a region is (E4).

Unknown: the paper's own loss weights and full tables (E10); losses are SCI's. The published recipe trains one stage
without calibrator. The calibrator is an argument (`networks.sci.Calibrator()`), names of layers are those of
`networks.sci.SCI`, so its state dict initialises this network with `strict=False`.
Any picture size; the map is resized (nearest) to it. Region maps come from the dark frame only, never from the target.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from networks.skf import RELEASED, SE, SEOptions

DARKEST_ILLUMINATION = 1e-4
FEWEST_CHANNELS = 16
FEWEST_PER_HEAD = 8

Layout = Literal["repaired", "published"]


class Stage(NamedTuple):
    """One unrolled stage, as in SCI: what it saw, the illumination it found, the picture that gives."""

    seen: Tensor
    illumination: Tensor
    result: Tensor


class EnlightenOutput(NamedTuple):
    """`enhanced` in 0..1 and the `illumination` in 1e-4..1 that the picture was divided by, both (N, 3, H, W)."""

    enhanced: Tensor
    illumination: Tensor


class LiftedFusion(nn.Module):
    """Feature (N, 3, H, W) and map (N, 4, h, w) -> what the regions add to the feature (N, 3, H, W)."""

    def __init__(self, channels: int = 16, heads: int = 2, map_channels: int = 4) -> None:
        super().__init__()
        if channels < FEWEST_CHANNELS or channels // heads < FEWEST_PER_HEAD:
            raise ValueError(
                f"{channels} channels in {heads} heads cannot attend to regions: take at least {FEWEST_CHANNELS} "
                f"channels and {FEWEST_PER_HEAD} per head"
            )
        self.lift = nn.Conv2d(3, channels, 3, padding=1)
        self.lift_map = nn.Conv2d(map_channels, channels, 3, padding=1)
        self.attend = SE(channels, channels, options=SEOptions(heads=heads))
        self.project = nn.Conv2d(channels, 3, 1)

    def forward(self, feature: Tensor, regions: Tensor) -> Tensor:
        out: Tensor = self.project(self.attend(self.lift(feature), self.lift_map(regions)))
        return out


class GuidedIllumination(nn.Module):
    """SCI's enhancer with fusion: picture (N, 3, H, W) and region map -> illumination (N, 3, H, W) in 1e-4..1."""

    def __init__(self, layout: Layout = "repaired", channels: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.in_conv = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())
        self.fuse: nn.Module = (
            SE(3, 3, options=RELEASED._replace(heads=3)) if layout == "published" else LiftedFusion(channels, heads)
        )
        self.conv = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU())
        self.out_conv = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Sigmoid())

    def forward(self, picture: Tensor, regions: Tensor) -> Tensor:
        features: Tensor = self.in_conv(picture)
        features = features + self.fuse(features, regions)
        features = features + self.conv(features)
        illumination: Tensor = self.out_conv(features) + picture
        return illumination.clamp(DARKEST_ILLUMINATION, 1.0)


class EnlightenAnything(nn.Module):
    """``forward`` is inference, one stage; ``unroll`` is what training looks at.

    `regions`: `region_map(ids)` for the repaired layout, `published_region_map(ids)` for the published one.
    """

    def __init__(
        self,
        layout: Layout = "repaired",
        channels: int = 16,
        heads: int = 2,
        stages: int = 3,
        calibrator: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.layout: Layout = layout
        self.map_channels = 3 if layout == "published" else 4
        self.stages = stages if calibrator is not None else 1
        self.enhance = GuidedIllumination(layout, channels, heads)
        self.calibrate = calibrator

    def _check(self, regions: Tensor) -> None:
        if regions.shape[1] != self.map_channels:
            raise ValueError(
                f"the {self.layout} layout takes region maps of {self.map_channels} channels, got {regions.shape[1]}"
            )

    def forward(self, picture: Tensor, regions: Tensor) -> EnlightenOutput:
        """Picture (N, 3, H, W) in 0..1 and its region map (N, 4 or 3, h, w)."""
        self._check(regions)
        illumination = self.enhance(picture, regions)
        return EnlightenOutput((picture / illumination).clamp(0.0, 1.0), illumination)

    def unroll(self, picture: Tensor, regions: Tensor) -> list[Stage]:
        """All stages; every one divides the original picture. Without a calibrator there is one."""
        self._check(regions)
        found: list[Stage] = []
        seen = picture
        for index in range(self.stages):
            illumination = self.enhance(seen, regions)
            result = (picture / illumination).clamp(0.0, 1.0)
            found.append(Stage(seen, illumination, result))
            if self.calibrate is not None and index + 1 < self.stages:
                seen = picture + self.calibrate(result)
        return found


def hashed_colours(ids: Tensor) -> Tensor:
    """Region ids (N, H, W), integers -> a colour for each (N, 3, H, W) in 0..1, the same in every run (E3)."""
    mixed = (ids.long() * 2654435761 + 40503) % 2**32
    mixed = ((mixed ^ (mixed >> 15)) * 2246822519) % 2**32
    mixed = mixed ^ (mixed >> 13)
    return torch.stack([(mixed >> shift) & 255 for shift in (0, 8, 16)], dim=1).float() / 255.0


def region_means(ids: Tensor, picture: Tensor) -> Tensor:
    """The mean colour of every region in a (brightened) picture (N, 3, H, W), painted back on the region (E5)."""
    per_picture = ids.long() - ids.min()
    per_picture = per_picture + torch.arange(len(ids), device=ids.device).view(-1, 1, 1) * (per_picture.max() + 1)
    found, member = torch.unique(per_picture.flatten(), return_inverse=True)
    colours = picture.movedim(1, -1).flatten(0, 2)
    sums = colours.new_zeros(len(found), 3).index_add_(0, member, colours)
    means = sums / torch.bincount(member).unsqueeze(1)
    return means[member].view(*ids.shape, 3).movedim(-1, 1)


def region_map(ids: Tensor, colours: Tensor | None = None) -> Tensor:
    """Region ids (N, H, W), 0 where there is none -> the map (N, 4, H, W) of the repaired layout.

    Colours (default `hashed_colours`, or `region_means`), neutral gray outside, and a channel that is 1 inside (E4).
    """
    inside = (ids > 0).unsqueeze(1)
    painted = hashed_colours(ids) if colours is None else colours
    return torch.cat([torch.where(inside, painted, 0.5), inside.to(painted.dtype)], dim=1)


def published_region_map(ids: Tensor) -> Tensor:
    """Region ids (N, H, W) -> the map (N, 3, H, W) of the published layout: opaque colours on white.

    The published colours are random on every run; here they are `hashed_colours`.
    """
    return torch.where((ids > 0).unsqueeze(1), hashed_colours(ids), 1.0)
