"""DRBN, deep recursive band network (Yang et al., "From Fidelity to Perceptual Quality", CVPR 2020), also with SKF.

Stage 1 (`DRBN`): four recurrences, each with weights of its own, look at the picture and the previous result; inside,
features at scales 1, 1/2 and 1/4 go down and up through residual dense blocks, and the three results add up coarse
to fine. Stage 2 (`Recomposition`): weighs the bands of the result against each other for looks.
The paper's objective scores come from stage 1, which is what `DRBN` returns.

SKF (CVPR 2023, released for this baseline): in the last recurrence an SE block follows each decoder sum; scale 1/4
takes the bank's second feature, 1/2 the first, full scale the class map before the soft-max. Released, the bank looks
at the result of recurrence 3: pass the bank itself as `knowledge`. Default here: knowledge of the brightened dark
picture, computed once (K6); pass it as `Knowledge`.
The tables print 2.21 "M" for stage 1 with its 557 668 parameters; that fits the size of its file in MB.
Any picture size, odd ones too: padded to a multiple of 4 inside, outputs cropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import at_scale, pad_to_multiple
from networks.skf import PROJECT, SE, Knowledge, KnowledgeBank, SEOptions

MULTIPLE = 4
RECURRENCES = 4


class DRBNOutput(NamedTuple):
    """`enhanced` in 0..1. `scales`: the last recurrence at 1, 1/2 and 1/4, (N, 3, ceil(H / s), ceil(W / s)), unbounded.

    The loss compares them with the target taken at every second and fourth pixel.
    """

    enhanced: Tensor
    scales: tuple[Tensor, Tensor, Tensor]


class ResidualDenseBlock(nn.Module):
    """Four 3x3 convolutions that see all before them, a 1x1 convolution, and the input added."""

    def __init__(self, channels: int, growth: int, layers: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(channels + index * growth, growth, 3, padding=1) for index in range(layers)
        )
        self.merge = nn.Conv2d(channels + layers * growth, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        dense = x
        for layer in self.layers:
            dense = torch.cat([dense, F.relu(layer(dense))], dim=1)
        merged: Tensor = self.merge(dense)
        return x + merged


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


class Bands(NamedTuple):
    """What one recurrence hands to the next: features and results at scales 1, 1/2 and 1/4."""

    features: tuple[Tensor, Tensor, Tensor]
    results: tuple[Tensor, Tensor, Tensor]


class Recurrence(nn.Module):
    """Picture and previous result (N, 6, H, W), H and W multiples of 4 -> `Bands`. 139 417 parameters at width 16."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width
        self.first = nn.Sequential(_convolution(6, w), nn.ReLU())
        self.second = nn.Sequential(_convolution(w, w), nn.ReLU())
        self.down_half = nn.Sequential(ResidualDenseBlock(w, w // 2), _convolution(w, w, stride=2))
        self.down_quarter = nn.Sequential(ResidualDenseBlock(w, w // 2), _convolution(w, 2 * w, stride=2))
        self.deepest = nn.Sequential(ResidualDenseBlock(2 * w, w), ResidualDenseBlock(2 * w, w))
        self.to_half = nn.Sequential(
            nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1), ResidualDenseBlock(w, w // 2)
        )
        self.to_full = nn.Sequential(nn.ConvTranspose2d(w, w, 4, stride=2, padding=1), ResidualDenseBlock(w, w // 2))
        self.heads = nn.ModuleList(nn.Sequential(_convolution(i, w), _convolution(w, 3)) for i in (w, w, 2 * w))

    def forward(
        self,
        joined: Tensor,
        previous: Bands | None,
        semantic: nn.ModuleList | None = None,
        knowledge: Knowledge | None = None,
    ) -> Bands:
        first = self.first(joined)
        full = self.second(first)
        half = self.down_half(full)
        quarter = self.down_quarter(half)

        quarter = quarter + self.deepest(quarter) + (0.0 if previous is None else previous.features[2])
        if semantic is not None and knowledge is not None:
            quarter = semantic[0](quarter, knowledge.features[1])
        half = half + self.to_half(quarter) + (0.0 if previous is None else previous.features[1])
        if semantic is not None and knowledge is not None:
            half = semantic[1](half, knowledge.features[0])
        full = full + self.to_full(half) + first + (0.0 if previous is None else previous.features[0])
        if semantic is not None and knowledge is not None:
            full = semantic[2](full, knowledge.logits)

        result_quarter = self.heads[2](quarter)
        result_half = self.heads[1](half) + _double(result_quarter)
        result_full = self.heads[0](full) + _double(result_half)
        return Bands((full, half, quarter), (result_full, result_half, result_quarter))


class DRBN(nn.Module):
    """Stage 1. 557 668 parameters by default; `width` (even) scales all of it.

    `semantic`: three SE modules for scales 1/4, 1/2 and 1 (`semantic_modules` makes them); `forward` then needs the
    `Knowledge` of the picture, or a bank, which is then asked about the result of the last recurrence but one.
    """

    def __init__(self, width: int = 16, semantic: Sequence[nn.Module] | None = None) -> None:
        super().__init__()
        self.recurrences = nn.ModuleList(Recurrence(width) for _ in range(RECURRENCES))
        if semantic is not None and len(semantic) != 3:
            raise ValueError(f"DRBN has three scales, but {len(semantic)} semantic modules were given")
        self.semantic = None if semantic is None else nn.ModuleList(semantic)

    def forward(self, image: Tensor, knowledge: Knowledge | KnowledgeBank | None = None) -> DRBNOutput:
        """Picture (N, 3, H, W) in 0..1."""
        padded = pad_to_multiple(image, MULTIPLE)
        size = image.shape[-2:]
        bands: Bands | None = None
        result = padded
        *early, last = self.recurrences
        for recurrence in early:
            bands = recurrence(torch.cat([padded, result], dim=1), bands)
            result = bands.results[0]
        if self.semantic is not None:
            if knowledge is None:
                raise ValueError("a network with semantic modules needs the knowledge of the picture; pass `knowledge`")
            if not isinstance(knowledge, Knowledge):
                knowledge = knowledge(result)
        bands = last(torch.cat([padded, result], dim=1), bands, self.semantic, knowledge)
        full, half, quarter = (
            r[..., : at_scale(size[0], step), : at_scale(size[1], step)]
            for r, step in zip(bands.results, (1, 2, 4), strict=True)
        )
        return DRBNOutput(full.clamp(0.0, 1.0), (full, half, quarter))


class Recomposition(nn.Module):
    """Stage 2: picture and the three results of stage 1 -> picture (N, 3, H, W) in 0..1. 19 161 parameters."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.first = _convolution(12, width)
        self.second = _convolution(width, width)
        self.body = nn.Sequential(
            ResidualDenseBlock(width, width // 2), nn.Conv2d(width, width, 1), _convolution(width, width)
        )
        self.last = nn.Sequential(_convolution(width, width), _convolution(width, 9))

    def forward(self, image: Tensor, scales: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        size = image.shape[-2:]
        fine, middle, coarse = (
            scales[0],
            *(F.interpolate(s, size=size, mode="bilinear", align_corners=False) for s in scales[1:]),
        )
        bands = (coarse, middle - coarse, fine - middle)
        first = self.first(torch.cat([image, *bands], dim=1))
        corrections: Tensor = self.last(first + self.body(self.second(first)))
        weights = 0.8 * corrections - 0.4 + 1.0
        weighted = [band * weight for band, weight in zip(bands, torch.split(weights, 3, dim=1), strict=True)]
        return torch.stack(weighted).sum(dim=0).clamp(0.0, 1.0)


class Recomposed(nn.Module):
    """Both stages as one: what the paper shows. Called like `DRBN`; `enhanced` is stage 2's."""

    def __init__(self, bands: DRBN, recomposition: Recomposition) -> None:
        super().__init__()
        self.bands = bands
        self.recomposition = recomposition

    def forward(self, image: Tensor, knowledge: Knowledge | KnowledgeBank | None = None) -> DRBNOutput:
        """Picture (N, 3, H, W) in 0..1."""
        scales = self.bands(image, knowledge).scales
        return DRBNOutput(self.recomposition(image, scales), scales)


def semantic_modules(
    bank_channels: Sequence[int], classes: int, width: int = 16, options: SEOptions = PROJECT
) -> list[nn.Module]:
    """SE modules for `DRBN(semantic=...)`; `bank_channels` finest first and `classes` are the bank's."""
    pairs = ((bank_channels[1], 2 * width), (bank_channels[0], width), (classes, width))
    return [SE(semantic, channels, gelu="tanh", options=options) for semantic, channels in pairs]
