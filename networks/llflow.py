"""LLFlow-S and LLFlow-L: a normalising flow that learns which bright pictures belong to a dark one.

Paper: Wang et al., "Low-Light Image Enhancement with Normalizing Flow" (AAAI 2022). With `semantic` modules these are
LLFlow-S-SKF and LLFlow-L-SKF (Wu et al., CVPR 2023), whose SE blocks act on the features that condition the flow.

Training maximises the likelihood of the bright picture (`encode` and `bits_per_pixel`); enhancing runs the flow
backwards from the predicted colour map (`forward`), which is deterministic: no sampling (B7), as video needs.

Faithful: layers, conditions, coupling and prior; counts of the layers that act match, and `unused_layers` declares the
ones that the published networks have but never call, for their full counts. Chosen here: SE blocks pair features of
similar scale, 1/2 with the bank's finest (K5; `reversed_pairing` gives the published opposite), and histogram
equalisation can be steadied over time (B8, `table`). Unknown: the scale of the initial RRDB weights.

Published LLFlow figures rescale the output to the mean of the ground truth; nothing here does.

Sizes: `forward` any (padded to 8 inside), `encode` multiples of 8; RGB in [0, 1]. Call `freeze` before export.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from networks.llflow_condition import Condition, ConditionEncoder, condition_input
from networks.llflow_flow import ConditionalFlow
from networks.padding import crop_like, pad_to_multiple
from networks.skf import PROJECT, SE, Knowledge, SEBottleneck, SEOptions

SCALE = 8


class LLFlowOutput(NamedTuple):
    """`enhanced` is `raw` clamped to [0, 1]; `colours` the predicted colour map in (0, 1); all (N, 3, H, W)."""

    enhanced: Tensor
    raw: Tensor
    colours: Tensor


class LLFlowEncoding(NamedTuple):
    """`latent` (N, 192, H / 8, W / 8), `log_determinant` (N,), `colours` (N, 3, H, W) for a bright picture."""

    latent: Tensor
    log_determinant: Tensor
    colours: Tensor


class LLFlow(nn.Module):
    """LLFlow; `llflow_s` and `llflow_l` have the published sizes.

    `channels` and `blocks` of the encoder, `stacked` RRDB outputs among its conditions, `steps` of the flow per level.
    `semantic`: three SE modules for the conditions at 1/2, 1/4 and 1/8 scale; then the `Knowledge` of the picture is
    needed wherever a picture is given.
    """

    def __init__(
        self,
        channels: int,
        blocks: int,
        stacked: Sequence[int],
        steps: int,
        semantic: Sequence[nn.Module] | None = None,
        reversed_pairing: bool = False,
        unused_layers: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = ConditionEncoder(channels, blocks, stacked)
        self.flow = ConditionalFlow(steps, channels * (1 + len(stacked)))
        self.reversed_pairing = reversed_pairing
        if semantic is not None and len(semantic) != 3:
            raise ValueError(f"LLFlow has conditions at three scales, but {len(semantic)} semantic modules were given")
        self.semantic = None if semantic is None else nn.ModuleList(semantic)
        if unused_layers:
            self.unused = nn.ModuleList(
                [
                    nn.Conv2d(64 * (1 + len(stacked)), 384, 3),
                    nn.Conv2d(channels, channels, 3),
                    nn.Conv2d(channels, channels, 3),
                    nn.Conv2d(channels, 3, 3),
                    nn.Linear(channels, 3),
                ]
            )
        self.register_load_state_dict_post_hook(_thaw)  # type: ignore[no-untyped-call]

    def freeze(self) -> None:
        """Compute the inverse convolutions once; undone by `train()` and by loading weights."""
        for conv in self.flow.inverses():
            conv.freeze()

    def thaw(self) -> None:
        """Compute the inverse convolutions at every call again, which training needs."""
        for conv in self.flow.inverses():
            conv.inverse = None

    def train(self, mode: bool = True) -> LLFlow:
        if mode:
            self.thaw()
        return super().train(mode)

    def condition(self, image: Tensor, knowledge: Knowledge | None = None, table: Tensor | None = None) -> Condition:
        """Conditions of the flow for a picture padded to a multiple of 8."""
        condition: Condition = self.encoder(pad_to_multiple(condition_input(image, table), SCALE))
        if self.semantic is None:
            return condition
        if knowledge is None:
            raise ValueError("a network with semantic modules needs the knowledge of the picture; pass `knowledge`")
        known = knowledge.features[:3][::-1] if self.reversed_pairing else knowledge.features[:3]
        half, quarter, eighth = (
            module(feature, semantic)
            for module, feature, semantic in zip(self.semantic, condition.features, known, strict=True)
        )
        return Condition((half, quarter, eighth), condition.colours)

    def forward(self, image: Tensor, knowledge: Knowledge | None = None, table: Tensor | None = None) -> LLFlowOutput:
        """Enhance: the flow run backwards from the predicted colour map. `table`: see `equalisation_table`."""
        condition = self.condition(image, knowledge, table)
        picture = self.flow.reverse(F.pixel_unshuffle(condition.colours, SCALE), condition.features)
        raw = crop_like(picture, image)
        return LLFlowOutput(raw.clamp(0.0, 1.0), raw, crop_like(condition.colours, image))

    def encode(
        self,
        bright: Tensor,
        image: Tensor,
        knowledge: Knowledge | None = None,
        noise: Tensor | None = None,
    ) -> LLFlowEncoding:
        """Latent and log determinant of a bright picture, given the dark one.

        `noise`: uniform numbers in [0, 1] of the picture's shape for the dequantisation (`torch.rand_like(bright)` in
        training); they are scaled to one 32nd. None encodes the picture as it is.
        """
        height, width = bright.shape[-2:]
        if height % SCALE or width % SCALE:
            raise ValueError(f"likelihoods are defined for sizes that are multiples of {SCALE}, not {height}x{width}")
        if noise is not None:
            bright = bright + (noise - 0.5) / 32
        condition = self.condition(image, knowledge)
        latent, determinant = self.flow(bright, condition.features)
        return LLFlowEncoding(latent, determinant, condition.colours)


def _thaw(module: nn.Module, keys: Any) -> None:
    if isinstance(module, LLFlow):
        module.thaw()


def bits_per_pixel(encoding: LLFlowEncoding, colours: Tensor | None = None) -> Tensor:
    """Negative log likelihood (N,) under N(colour map, 1), in bits per pixel of three channels.

    `colours`: the colour map that is the prior's mean; the predicted one when None. The paper's training takes the
    bright picture's own (`colour_map(bright)`) in a fifth of the steps.
    """
    mean = F.pixel_unshuffle(encoding.colours if colours is None else colours, SCALE)
    prior = -0.5 * ((encoding.latent - mean).square() + math.log(2 * math.pi)).flatten(1).sum(dim=1)
    pixels = encoding.latent.shape[2] * encoding.latent.shape[3] * SCALE * SCALE
    # Noise of one 32nd per value: the density of the noisy picture is 32 times the probability of a cell.
    return -(encoding.log_determinant + prior) / (math.log(2) * pixels) + 3 * math.log2(32)


def llflow_s(
    semantic: Sequence[nn.Module] | None = None, reversed_pairing: bool = False, unused_layers: bool = False
) -> LLFlow:
    """LLFlow-S: 4 967 635 parameters, 5 429 849 with the unused layers."""
    return LLFlow(32, 4, (1,), 4, semantic, reversed_pairing, unused_layers)


def llflow_l(
    semantic: Sequence[nn.Module] | None = None, reversed_pairing: bool = False, unused_layers: bool = False
) -> LLFlow:
    """LLFlow-L: 37 677 395 parameters, 38 859 481 with the unused layers."""
    return LLFlow(64, 24, (1, 3, 5, 7), 12, semantic, reversed_pairing, unused_layers)


def semantic_modules_s(
    bank_channels: Sequence[int], options: SEOptions = PROJECT, reversed_pairing: bool = False, channels: int = 64
) -> list[nn.Module]:
    """SE modules of LLFlow-S-SKF for the bank's three finest features; `reversed_pairing` as in the network."""
    known = bank_channels[:3][::-1] if reversed_pairing else bank_channels[:3]
    return [SE(semantic, channels, options=options) for semantic in known]


def semantic_modules_l(
    bank_channels: Sequence[int],
    options: SEOptions = PROJECT,
    reversed_pairing: bool = False,
    channels: int = 320,
    width: int = 192,
) -> list[nn.Module]:
    """SE modules of LLFlow-L-SKF, bottlenecks of `width` channels; see `semantic_modules_s`."""
    known = bank_channels[:3][::-1] if reversed_pairing else bank_channels[:3]
    return [SEBottleneck(semantic, channels, width, options=options) for semantic in known]
