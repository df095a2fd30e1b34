"""SLLEN-style enhancement: a main network and a segmentation network that share an encoder (after arXiv 2211.11571).

Not a reproduction. Known from the abstracts of Ju et al. are: an enhancement network and an auxiliary segmentation
network with a shared encoder; two kinds of semantics, HSF from the segmentation's output and a *random* IEF from one of
its intermediate layers; one branch mixes HSF into the features by attention, another adjusts the features by IEF, both
are fused and decoded; alternating training with an extra segmentation data set. Layer tables, channel counts, what is
random in IEF, losses, schedule, data set and results could not be found (L1 to L3); all of that is this project's
design and sits in `SLLENOptions`, so that it can be replaced.

Training alternates `set_phase("segmentation")` with `segment` and `set_phase("enhancement")` with `forward`; in the
second the segmentation head is frozen and its outputs are detached, while their projections belong to the main network.
IEF: in training one of three intermediate features, drawn evenly per call; otherwise always the same one, so that video
is deterministic. Any picture size, odd ones too: padded to a multiple of 8 inside, outputs cropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import crop_like, pad_to_multiple
from networks.skf import ChannelNorm, CrossAttention

Phase = Literal["segmentation", "enhancement"]
CANDIDATES = 3
FEWEST_PER_HEAD = 8


@dataclass(frozen=True)
class SLLENOptions:
    """`widths`: encoder at scales 1, 1/2, 1/4, 1/8. `steady_candidate`: which IEF after training (2: the finest)."""

    classes: int = 59
    widths: tuple[int, int, int, int] = (32, 64, 128, 256)
    blocks: int = 2
    semantic_channels: int = 64
    heads: int = 4
    steady_candidate: int = 2

    def __post_init__(self) -> None:
        if min(self.widths) // self.heads < FEWEST_PER_HEAD:
            raise ValueError(
                f"{self.heads} heads leave fewer than {FEWEST_PER_HEAD} of {min(self.widths)} channels each"
            )


class SLLENOutput(NamedTuple):
    """`enhanced` in 0..1, `raw` before clamping (for the losses), `logits` (N, classes, H, W) without gradient."""

    enhanced: Tensor
    raw: Tensor
    logits: Tensor


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a ReLU between, and the input added; no norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(F.relu(self.first(x)))
        return out


class SharedEncoder(nn.Module):
    """Picture (N, 3, H, W), H and W multiples of 8 -> features at 1, 1/2, 1/4 and 1/8."""

    def __init__(self, widths: tuple[int, ...], blocks: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(inputs, width, 3, stride=1 if level == 0 else 2, padding=1),
                *(ResidualBlock(width) for _ in range(blocks)),
            )
            for level, (inputs, width) in enumerate(zip((3, *widths), widths, strict=False))
        )

    def forward(self, image: Tensor) -> list[Tensor]:
        features = [image]
        for level in self.levels:
            features.append(level(features[-1]))
        return features[1:]


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def _resize(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


class SegmentationHead(nn.Module):
    """The auxiliary network after the encoder: logits at 1/2 and the three candidates for IEF at 1/8, 1/4, 1/2."""

    def __init__(self, widths: tuple[int, ...], classes: int) -> None:
        super().__init__()
        _, w2, w4, w8 = widths
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU())
            for inputs, outputs in ((w8, w8), (w8 + w4, w4), (w4 + w2, w2))
        )
        self.classify = nn.Conv2d(w2, classes, 1)

    def forward(self, features: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        candidates = [self.steps[0](features[3])]
        for step, skip in ((1, features[2]), (2, features[1])):
            candidates.append(self.steps[step](torch.cat([_double(candidates[-1]), skip], dim=1)))
        return self.classify(candidates[-1]), candidates


class FeatureEnhancementBlock(nn.Module):
    """Attention to HSF and modulation by IEF, fused: feature (N, C, h, w) -> the same size."""

    def __init__(self, channels: int, semantic_channels: int, candidate_channels: tuple[int, ...], heads: int) -> None:
        super().__init__()
        self.align = nn.Conv2d(semantic_channels, channels, 1)
        self.norm = ChannelNorm(channels)
        self.norm_semantic = ChannelNorm(channels)
        self.attention = CrossAttention(channels, heads, dense_query=False)
        self.embed = nn.ModuleList(nn.Conv2d(inputs, channels, 1) for inputs in candidate_channels)
        self.modulate = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
        )
        self.fuse = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, feature: Tensor, hsf: Tensor, ief: Tensor, candidate: int) -> Tensor:
        semantic = self.norm_semantic(self.align(_resize(hsf, feature)))
        attended = self.attention(self.norm(feature), semantic)
        gain, shift = self.modulate(_resize(self.embed[candidate](ief), feature)).chunk(2, dim=1)
        modulated = feature * (1.0 + gain) + shift
        out: Tensor = feature + self.fuse(torch.cat([attended, modulated], dim=1))
        return out


class EnhancementDecoder(nn.Module):
    """The main network after the encoder: features, class probabilities and one IEF -> residual (N, 3, H, W)."""

    def __init__(self, options: SLLENOptions) -> None:
        super().__init__()
        w1, w2, w4, w8 = options.widths
        self.semantic = nn.Conv2d(options.classes, options.semantic_channels, 1)
        self.blocks = nn.ModuleList(
            FeatureEnhancementBlock(width, options.semantic_channels, (w8, w4, w2), options.heads)
            for width in (w8, w4, w2, w1)
        )
        self.steps = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(coarse + fine, fine, 3, padding=1), nn.ReLU(), nn.Conv2d(fine, fine, 3, padding=1), nn.ReLU()
            )
            for coarse, fine in ((w8, w4), (w4, w2), (w2, w1))
        )
        self.last = nn.Conv2d(w1, 3, 3, padding=1)

    def forward(self, features: list[Tensor], probabilities: Tensor, ief: Tensor, candidate: int) -> Tensor:
        hsf = self.semantic(probabilities)
        x = self.blocks[0](features[3], hsf, ief, candidate)
        for level, step in enumerate(self.steps):
            x = step(torch.cat([_double(x), features[2 - level]], dim=1))
            x = self.blocks[level + 1](x, hsf, ief, candidate)
        residual: Tensor = self.last(x)
        return residual


class SLLEN(nn.Module):
    """Picture (N, 3, H, W) in 0..1 -> `SLLENOutput`; `segment` is the auxiliary network alone."""

    def __init__(self, options: SLLENOptions | None = None) -> None:
        super().__init__()
        self.options = options = SLLENOptions() if options is None else options
        self.encoder = SharedEncoder(options.widths, options.blocks)
        self.segmentation = SegmentationHead(options.widths, options.classes)
        self.enhancement = EnhancementDecoder(options)
        self.phase: Phase | None = None

    def set_phase(self, phase: Phase) -> None:
        """Which half the next step trains with the encoder; the other takes no gradient and keeps its statistics."""
        self.phase = phase
        self.segmentation.requires_grad_(phase == "segmentation")
        self.enhancement.requires_grad_(phase == "enhancement")
        self.train(self.training)

    def phase_parameters(self, phase: Phase) -> Iterator[nn.Parameter]:
        """The weights that a phase's optimiser holds: the shared encoder's and those of its own half."""
        yield from self.encoder.parameters()
        yield from (self.segmentation if phase == "segmentation" else self.enhancement).parameters()

    def train(self, mode: bool = True) -> SLLEN:
        super().train(mode)
        if self.phase == "enhancement":
            self.segmentation.eval()
        return self

    def segment(self, image: Tensor) -> Tensor:
        """Class logits (N, classes, H, W), with gradient: what the segmentation step trains."""
        logits, _ = self.segmentation(self.encoder(pad_to_multiple(image, 8)))
        return crop_like(_double(logits), image)

    def forward(self, image: Tensor, candidate: int | None = None) -> SLLENOutput:
        """`candidate`: which IEF (0 at 1/8 to 2 at 1/2); None draws one in training and is steady otherwise."""
        if candidate is None:
            candidate = int(torch.randint(CANDIDATES, ())) if self.training else self.options.steady_candidate
        features = self.encoder(pad_to_multiple(image, 8))
        logits, candidates = self.segmentation([feature.detach() for feature in features])
        logits = logits.detach()
        residual = self.enhancement(features, torch.softmax(logits, dim=1), candidates[candidate].detach(), candidate)
        raw = image + crop_like(residual, image)
        return SLLENOutput(raw.clamp(0.0, 1.0), raw, crop_like(_double(logits), image))
