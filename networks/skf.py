"""SKF: semantic-aware knowledge guidance for low-light enhancement (CVPR 2023).

Equations 1 to 3 of the paper: a frozen segmentation network, the knowledge bank, turns the picture into `Knowledge`
(features at several scales and a class map); the enhancement network takes both. This file has the interface of the
bank, the blocks that mix its features into an image feature (equations 4 and 5, "SE") and `Guided`, which joins a
bank and a network. Banks are `networks.hrnet.HRNetV2` (the paper's), `networks.embedding_bank.EmbeddingBank` (for
instance over a SAM encoder) and anything else that fits `KnowledgeBank`.

The blocks come in the variants that were released with the paper:
`SE` (DRBN, LLFlow-S), `SEBottleneck` (LLFlow-L), `SNRSE` (SNR-LLIE-Net). `SEOptions` chooses between what was released
(`RELEASED`: what published weights and parameter counts need) and what this project trains (`PROJECT`).

Faithful: the layers, the normalised query and key with a learned temperature in place of the paper's 1/sqrt(C) (K1),
two heads in place of the C x C map of equation 4 (K3).
Repaired: query convolution depthwise, as key and value (K2); residual from the image feature itself instead of from
its layer norm, which forgets the exposure of every pixel (K4); a residual around the bottleneck. All three are off in
`RELEASED`.
All blocks take any size of picture, odd ones too; the semantic feature is resized (nearest) to the image feature.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Knowledge(NamedTuple):
    """What a bank knows about a picture (N, 3, H, W).

    `features`: finest first, each (N, channels[i], about H / 4 / 2**i, about W / 4 / 2**i).
    `logits`: (N, classes, H, W), the class map before the soft-max.
    """

    features: tuple[Tensor, ...]
    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """Soft class map (N, classes, H, W), sums to 1 over the classes."""
        return torch.softmax(self.logits, dim=1)

    @property
    def classes(self) -> Tensor:
        """Hard class map (N, H, W), int64."""
        return self.logits.argmax(dim=1)

    def detached(self) -> Knowledge:
        """The same without gradient, for banks whose input is itself an output of the enhancer."""
        return Knowledge(tuple(feature.detach() for feature in self.features), self.logits.detach())


class KnowledgeBank(Protocol):
    """Anything that yields `Knowledge`: `channels` (finest first, at least three) and `classes` describe it."""

    channels: tuple[int, ...]
    classes: int

    def __call__(self, image: Tensor, /) -> Knowledge: ...


def attach(modules: nn.ModuleList | None, level: int, feature: Tensor, knowledge: Knowledge | None) -> Tensor:
    """A decoder feature after the SE module of its level; level 0 is the coarsest and takes the coarsest of three.

    Without modules the feature comes back as it is. ValueError when there are modules but nothing to guide them.
    """
    if modules is None:
        return feature
    if knowledge is None:
        raise ValueError("a network with semantic modules needs the knowledge of the picture; pass `knowledge`")
    out: Tensor = modules[level](feature, knowledge.features[2 - level])
    return out


def brighten(image: Tensor, gamma: float = 0.45, gain: float = 1.0) -> Tensor:
    """The dark picture as a bank sees it (K6): one fixed curve, in training and after it, never the target."""
    return (gain * image).clamp(1e-4, 1.0) ** gamma


class Guided(nn.Module):
    """A bank and an enhancer as one module: picture in, the enhancer's output out (equation 2).

    The enhancer is called as `enhancer(image, knowledge=...)`. The bank's weights take no gradient; where it is a
    module it is frozen here. Papers' banks see the dark picture, the result or the target; here always `brighten`.
    """

    def __init__(self, enhancer: nn.Module, bank: KnowledgeBank, *, gamma: float = 0.45, gain: float = 1.0) -> None:
        super().__init__()
        self.enhancer = enhancer
        self.bank = bank
        self.gamma = gamma
        self.gain = gain
        if isinstance(bank, nn.Module):
            bank.requires_grad_(False)

    def forward(self, image: Tensor) -> Any:
        return self.enhancer(image, knowledge=self.bank(brighten(image, self.gamma, self.gain)))


class SEOptions(NamedTuple):
    """How an SE block is built.

    `dense_query`: the query's 3x3 convolution mixes channels (K2). `normalised_residual`: the residual starts from the
    layer norm of the image feature (K4). `outer_residual`: `SEBottleneck` adds its input back.
    `unused_layers`: declare the two layers that the released SNR block has but never calls.
    """

    heads: int = 2
    dense_query: bool = False
    normalised_residual: bool = False
    outer_residual: bool = True
    unused_layers: bool = False


PROJECT = SEOptions()
RELEASED = SEOptions(dense_query=True, normalised_residual=True, outer_residual=False, unused_layers=True)


class ChannelNorm(nn.Module):
    """Layer norm of each pixel over its channels: weight, bias, biased variance, eps 1e-5."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1, keepdim=True)
        variance = (x - mean).square().mean(dim=1, keepdim=True)
        return (x - mean) * torch.rsqrt(variance + 1e-5) * self.weight[:, None, None] + self.bias[:, None, None]


class CrossAttention(nn.Module):
    """Channel attention with the query from the semantic feature and key and value from the image feature.

    Per head, A = softmax(t * Q K^T) with rows of Q and K scaled to length 1 over all pixels and a learned t (starts
    at 1): A is (C / heads, C / heads), so its cost grows with pixels, not with their square.
    """

    def __init__(self, channels: int, heads: int, dense_query: bool) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"{channels} channels do not split into {heads} heads")
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        groups = 1 if dense_query else channels
        self.query = nn.Sequential(
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=False),
        )
        self.key_value = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1, bias=False),
            nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels, bias=False),
        )
        self.project = nn.Conv2d(channels, channels, 1, bias=False)

    def attend(self, image: Tensor, semantic: Tensor) -> tuple[Tensor, Tensor]:
        """Attention (N, heads, C / heads, C / heads), rows sum to 1, and the values (N, heads, C / heads, H * W)."""
        per_head = image.shape[1] // self.heads
        key, value = (x.unflatten(1, (self.heads, per_head)).flatten(3) for x in self.key_value(image).chunk(2, dim=1))
        query = self.query(semantic).unflatten(1, (self.heads, per_head)).flatten(3)
        scores = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).transpose(-2, -1)
        return torch.softmax(scores * self.temperature, dim=-1), value

    def forward(self, image: Tensor, semantic: Tensor) -> Tensor:
        attention, value = self.attend(image, semantic)
        mixed: Tensor = self.project((attention @ value).reshape(image.shape))
        return mixed


class GatedFeedForward(nn.Module):
    """Two paths through a 3x3 depthwise convolution, one gates the other (GDFN); no bias."""

    def __init__(self, channels: int, ratio: float, gelu: Literal["none", "tanh"]) -> None:
        super().__init__()
        hidden = int(ratio * channels)
        self.gelu = gelu
        self.expand = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, content = self.depthwise(self.expand(x)).chunk(2, dim=1)
        out: Tensor = self.project(F.gelu(gate, approximate=self.gelu) * content)
        return out


class _Prepared(NamedTuple):
    image: Tensor
    normalised: Tensor
    semantic: Tensor


class _SEBase(nn.Module):
    """What the plain and the SNR block share: resize, project, normalise, attend."""

    def __init__(self, semantic_channels: int, channels: int, options: SEOptions) -> None:
        super().__init__()
        self.normalised_residual = options.normalised_residual
        self.align = nn.Conv2d(semantic_channels, channels, 1)
        self.norm = ChannelNorm(channels)  # one layer norm for both inputs, as released
        self.attention = CrossAttention(channels, options.heads, options.dense_query)
        self.norm_feed_forward = ChannelNorm(channels)

    def prepare(self, image: Tensor, semantic: Tensor) -> _Prepared:
        resized = F.interpolate(semantic, size=image.shape[-2:], mode="nearest")
        return _Prepared(image, self.norm(image), self.norm(self.align(resized)))

    def attended(self, inputs: _Prepared) -> Tensor:
        residual = inputs.normalised if self.normalised_residual else inputs.image
        mixed: Tensor = self.attention(inputs.normalised, inputs.semantic)
        return residual + mixed

    def attention_map(self, image: Tensor, semantic: Tensor) -> Tensor:
        """Attention (N, heads, C / heads, C / heads), for inspection; every row sums to 1."""
        inputs = self.prepare(image, semantic)
        return self.attention.attend(inputs.normalised, inputs.semantic)[0]


class SE(_SEBase):
    """Semantic-aware embedding, plain: image (N, channels, H, W), semantic (N, semantic_channels, h, w) -> image size.

    DRBN uses it with `gelu="tanh"`, LLFlow-S with the exact GELU.
    """

    def __init__(
        self,
        semantic_channels: int,
        channels: int,
        *,
        ratio: float = 2.66,
        gelu: Literal["none", "tanh"] = "none",
        options: SEOptions = PROJECT,
    ) -> None:
        super().__init__(semantic_channels, channels, options)
        self.feed_forward = GatedFeedForward(channels, ratio, gelu)

    def forward(self, image: Tensor, semantic: Tensor) -> Tensor:
        mixed = self.attended(self.prepare(image, semantic))
        out: Tensor = mixed + self.feed_forward(self.norm_feed_forward(mixed))
        return out


class SNRSE(_SEBase):
    """The variant of SNR-LLIE-Net-SKF: the feed-forward multiplies an image path and a semantic path."""

    def __init__(
        self, semantic_channels: int, channels: int, *, ratio: float = 2.66, options: SEOptions = PROJECT
    ) -> None:
        super().__init__(semantic_channels, channels, options)
        hidden = int(ratio * channels)
        self.expand_image = nn.Conv2d(channels, hidden, 1, bias=False)
        self.expand_semantic = nn.Conv2d(channels, hidden, 1, bias=False)
        self.project = nn.Conv2d(hidden, channels, 1, bias=False)
        if options.unused_layers:
            self.unused_depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
            self.unused_project = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, image: Tensor, semantic: Tensor) -> Tensor:
        inputs = self.prepare(image, semantic)
        mixed = self.attended(inputs)
        of_image = F.gelu(self.expand_image(self.norm_feed_forward(mixed)))
        of_semantic = F.gelu(self.expand_semantic(self.norm_feed_forward(inputs.semantic)))
        out: Tensor = mixed + self.project(of_image * of_semantic)
        return out


class SEBottleneck(nn.Module):
    """The variant of LLFlow-L-SKF for wide features: `SE` at width `width` between two 1x1 convolutions.

    As released there is no residual around the bottleneck: all of the image feature passes through `width` channels.
    With `outer_residual` (this project's choice) the feature is added back, so a narrow bottleneck takes nothing away.
    """

    def __init__(
        self,
        semantic_channels: int,
        channels: int,
        width: int,
        *,
        ratio: float = 1.0,
        options: SEOptions = PROJECT,
    ) -> None:
        super().__init__()
        self.residual = options.outer_residual
        self.reduce = nn.Conv2d(channels, width, 1)
        self.block = SE(semantic_channels, width, ratio=ratio, options=options)
        self.restore = nn.Conv2d(width, channels, 1)

    def forward(self, image: Tensor, semantic: Tensor) -> Tensor:
        out: Tensor = self.restore(self.block(self.reduce(image), semantic))
        return image + out if self.residual else out
