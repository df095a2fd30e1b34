"""SNR-LLIE-Net: short-range convolutions where the picture is clean, a transformer where it is drowned in noise.

Paper: Xu, Wang, Fu and Jia, "SNR-Aware Low-Light Image Enhancement" (CVPR 2022). With `semantic` modules this is
SNR-LLIE-Net-SKF (Wu et al., CVPR 2023), whose SE blocks act on the decoder feature before each skip is joined.

A map m of the signal-to-noise ratio, made from the picture without learning, decides per place: `F = T (1 - m) + S m`,
S from six residual blocks and T from six transformer layers, both at 1/4 scale. A token is a 4x4 patch at that scale,
16x16 pixels of the picture; tokens whose mean SNR is at most 0.5 are not attended to.

Faithful: layers, widths, masked attention, SNR map, no positional encoding (hence any size of picture). Chosen here:
the borders of the 5x5 blur mirror the picture, gray is BT.601 luma, and query, key and value all come from normalised
tokens (the sources say pre-norm, no more). The published test resizes to 400x608; here the picture is padded to a
multiple of 16 instead (B5). `snr_map` takes a map from outside, for instance one whose maximum was smoothed over time
(B6); `signal_to_noise` makes one. SE attachment: the released blocks with `RELEASED`, the repaired ones (K2, K4) with
`PROJECT`; which picture feeds the bank (K6) is the caller's business.

Sizes: any of at least 3x3, RGB in [0, 1]. Attention costs grow with the square of the tokens: 950 at 400x608, 8 160 at
1080p; larger pictures are better cut into tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import crop_like, pad_to_multiple
from networks.skf import PROJECT, SNRSE, Knowledge, SEOptions, attach

LUMA = (0.299, 0.587, 0.114)
PATCH = 4


class SNROutput(NamedTuple):
    """`enhanced` is `raw` clamped to [0, 1], both (N, 3, H, W); `snr` (N, 1, H, W) in [0, 1], 1 = clean."""

    enhanced: Tensor
    raw: Tensor
    snr: Tensor


def signal_to_noise(image: Tensor, maximum: Tensor | None = None) -> Tensor:
    """SNR map (N, 1, H, W) in [0, 1]: blur / |gray - blur|, divided by its maximum.

    `maximum` (N, 1, 1, 1) replaces the maximum of this picture, for a steady map in video.
    """
    gray = (image * image.new_tensor(LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    blurred = F.avg_pool2d(F.pad(gray, (2, 2, 2, 2), mode="reflect"), 5, stride=1)
    ratio = blurred / ((gray - blurred).abs() + 1e-4)
    peak = ratio.amax(dim=(2, 3), keepdim=True) if maximum is None else maximum
    return (ratio / (peak + 1e-4)).clamp(0.0, 1.0)


class ResidualBlock(nn.Module):
    """3x3 convolution, ReLU, 3x3 convolution, plus the input; no norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
        )

    def forward(self, feature: Tensor) -> Tensor:
        out: Tensor = feature + self.body(feature)
        return out


class TransformerLayer(nn.Module):
    """Pre-norm self-attention and feed-forward on tokens (N, tokens, width); masked keys get no weight."""

    def __init__(self, width: int, heads: int, per_head: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.per_head = heads, per_head
        self.norm_attention = nn.LayerNorm(width, eps=1e-6)
        self.query = nn.Linear(width, heads * per_head, bias=False)
        self.key = nn.Linear(width, heads * per_head, bias=False)
        self.value = nn.Linear(width, heads * per_head, bias=False)
        self.project = nn.Linear(heads * per_head, width, bias=False)
        self.norm_feed_forward = nn.LayerNorm(width, eps=1e-6)
        self.feed_forward = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))

    def split(self, tokens: Tensor) -> Tensor:
        """(N, tokens, heads * per_head) -> (N, heads, tokens, per_head)."""
        return torch.unflatten(tokens, -1, (self.heads, self.per_head)).transpose(1, 2)

    def forward(self, tokens: Tensor, ignored: Tensor) -> Tensor:
        """`ignored` (N, tokens), bool: keys that nobody attends to. Where all are ignored, all count the same."""
        normalised = self.norm_attention(tokens)
        scores = self.split(self.query(normalised)) @ self.split(self.key(normalised)).transpose(-2, -1)
        scores = scores * self.per_head**-0.5
        # The lowest finite number in place of minus infinity: a row of nothing but ignored keys stays finite.
        scores = scores.masked_fill(ignored[:, None, None], torch.finfo(scores.dtype).min)
        mixed = (scores.softmax(dim=-1) @ self.split(self.value(normalised))).transpose(1, 2).flatten(2)
        tokens = tokens + self.project(mixed)
        out: Tensor = tokens + self.feed_forward(self.norm_feed_forward(tokens))
        return out


def to_tokens(feature: Tensor) -> Tensor:
    """(N, C, 4h, 4w) -> (N, h * w, 16 C)."""
    return F.pixel_unshuffle(feature, PATCH).flatten(2).transpose(1, 2)


def from_tokens(tokens: Tensor, like: Tensor) -> Tensor:
    """The inverse of `to_tokens` for a feature of the size of `like`."""
    return F.pixel_shuffle(torch.unflatten(tokens.transpose(1, 2), 2, (like.shape[2] // PATCH, -1)), PATCH)


class SNRLLIENet(nn.Module):
    """SNR-LLIE-Net. 39 124 099 parameters by default.

    `semantic`: three SE modules for the decoder features at 1/4, 1/2 and full scale (`semantic_modules` makes them);
    `forward` then needs the `Knowledge` of the picture. `channels`, `layers` and `hidden` make smaller networks.
    """

    def __init__(
        self,
        channels: int = 64,
        layers: int = 6,
        heads: int = 8,
        hidden: int = 2048,
        semantic: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.head = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, channels, 3, stride=stride, padding=1), nn.LeakyReLU(0.1))
            for inputs, stride in ((3, 1), (channels, 2), (channels, 2))
        )
        self.encoder = ResidualBlock(channels)
        self.short_range = nn.Sequential(*(ResidualBlock(channels) for _ in range(6)))
        width = channels * PATCH * PATCH
        self.long_range = nn.ModuleList(TransformerLayer(width, heads, channels, hidden) for _ in range(layers))
        self.decoder = ResidualBlock(channels)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(2 * channels, 4 * channels, 3, padding=1), nn.PixelShuffle(2), nn.LeakyReLU(0.1))
            for _ in range(2)
        )
        self.refine = nn.Sequential(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.LeakyReLU(0.1))
        self.last = nn.Conv2d(channels, 3, 3, padding=1)
        if semantic is not None and len(semantic) != 3:
            raise ValueError(f"SNR-LLIE-Net has three decoder scales, but {len(semantic)} semantic modules were given")
        self.semantic = None if semantic is None else nn.ModuleList(semantic)

    def forward(self, image: Tensor, knowledge: Knowledge | None = None, snr_map: Tensor | None = None) -> SNROutput:
        snr = signal_to_noise(image) if snr_map is None else snr_map
        padded = pad_to_multiple(image, 4 * PATCH)
        skips = [self.head[0](padded)]
        for shrink in self.head[1:]:
            skips.append(shrink(skips[-1]))
        deep = self.encoder(skips[-1])

        weight = F.interpolate(pad_to_multiple(snr, 4 * PATCH), size=deep.shape[-2:], mode="nearest")
        ignored = to_tokens(weight).mean(dim=-1) <= 0.5
        tokens = to_tokens(deep)
        for layer in self.long_range:
            tokens = layer(tokens, ignored)
        feature = from_tokens(tokens, deep) * (1 - weight) + self.short_range(deep) * weight

        feature = self.decoder(feature)
        for level, up in enumerate(self.up):
            feature = up(torch.cat([attach(self.semantic, level, feature, knowledge), skips.pop()], dim=1))
        feature = self.refine(torch.cat([attach(self.semantic, 2, feature, knowledge), skips.pop()], dim=1))
        raw = crop_like(self.last(feature) + padded, image)
        return SNROutput(raw.clamp(0.0, 1.0), raw, snr)


def semantic_modules(
    bank_channels: Sequence[int], channels: int = 64, ratio: float = 2.66, options: SEOptions = PROJECT
) -> list[nn.Module]:
    """SE modules for `SNRLLIENet(semantic=...)`; `bank_channels` are those of the bank's three finest features."""
    return [SNRSE(bank_channels[2 - level], channels, ratio=ratio, options=options) for level in range(3)]
