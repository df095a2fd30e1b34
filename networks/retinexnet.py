"""RetinexNet (Wei et al., "Deep Retinex Decomposition for Low-Light Enhancement", BMVC 2018), with and without SKF.

DecomNet splits a picture into reflectance R (N, 3, H, W) and illumination L (N, 1, H, W), both in 0..1; RelightNet
finds a brighter illumination from both; the result is R times that.

Two published definitions differ in the decoder: the authors' adds the skip (`decoder="add"`), the PyTorch port joins
it (`decoder="concat"`, the default here, B1; it also repeats the border where the other pads with zeros). The port
pads a 1x1 convolution and leaves the next 3x3 unpadded; padding the 3x3 by the repeated border gives the same values.
Unknown: the paper's BM3D denoising is in no published code and is not here; the SKF variant was never released, so
its place (the outputs of the three decoder steps, bottleneck of 24 channels) is this project's choice (K19).
Any picture size, odd ones too: the decoder resizes to the size of the skip.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.skf import PROJECT, Knowledge, SEBottleneck, SEOptions, attach

Decoder = Literal["concat", "add"]


class RetinexNetOutput(NamedTuple):
    """`enhanced` in 0..1; `reflectance` and `illumination` of the input in 0..1; `relit`, unbounded, one channel."""

    enhanced: Tensor
    reflectance: Tensor
    illumination: Tensor
    relit: Tensor


def _convolution(inputs: int, outputs: int, decoder: Decoder, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    border: Literal["replicate", "zeros"] = "replicate" if decoder == "concat" else "zeros"
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode=border)


class DecomNet(nn.Module):
    """Picture (N, 3, H, W) -> reflectance (N, 3, H, W) and illumination (N, 1, H, W)."""

    def __init__(self, channels: int = 64, decoder: Decoder = "concat") -> None:
        super().__init__()
        self.head = _convolution(4, channels, decoder, kernel=9)
        self.body = nn.ModuleList(_convolution(channels, channels, decoder) for _ in range(5))
        self.tail = _convolution(channels, 4, decoder)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.head(torch.cat([image.amax(dim=1, keepdim=True), image], dim=1))
        for layer in self.body:
            x = F.relu(layer(x))
        x = torch.sigmoid(self.tail(x))
        return x[:, :3], x[:, 3:]


class RelightNet(nn.Module):
    """Reflectance and illumination -> brighter illumination (N, 1, H, W), not bounded."""

    def __init__(
        self,
        channels: int = 64,
        decoder: Decoder = "concat",
        semantic: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        joined = 2 * channels if decoder == "concat" else channels
        self.head = _convolution(4, channels, decoder)
        self.down = nn.ModuleList(_convolution(channels, channels, decoder, stride=2) for _ in range(3))
        self.up = nn.ModuleList(_convolution(joined, channels, decoder) for _ in range(3))
        self.gather = nn.Conv2d(3 * channels, channels, 1)
        self.tail = _convolution(channels, 1, decoder)
        if semantic is not None and len(semantic) != 3:
            raise ValueError(f"RetinexNet has three decoder steps, but {len(semantic)} semantic modules were given")
        self.semantic = None if semantic is None else nn.ModuleList(semantic)

    def forward(self, reflectance: Tensor, illumination: Tensor, knowledge: Knowledge | None = None) -> Tensor:
        x = self.head(torch.cat([reflectance, illumination], dim=1))
        skips = [x]
        for layer in self.down:
            skips.append(F.relu(layer(skips[-1])))
        x = skips.pop()
        decoded = []
        for step, layer in enumerate(self.up):
            skip = skips.pop()
            x = F.interpolate(x, size=skip.shape[-2:], mode="nearest")
            joins = self.decoder == "concat"
            x = F.relu(layer(torch.cat([x, skip], dim=1))) if joins else F.relu(layer(x)) + skip
            x = attach(self.semantic, step, x, knowledge)
            decoded.append(x)
        size = reflectance.shape[-2:]
        same = [F.interpolate(x, size=size, mode="nearest") for x in decoded[:-1]]
        relit: Tensor = self.tail(self.gather(torch.cat([*same, decoded[-1]], dim=1)))
        return relit


class RetinexNet(nn.Module):
    """RetinexNet. 555 205 parameters by default (444 613 with `decoder="add"`); `channels` scales all of it.

    `semantic`: three SE modules for the outputs of the decoder steps at 1/4, 1/2 and full scale (`semantic_modules`
    makes them); `forward` then needs the `Knowledge` of the picture.
    """

    def __init__(
        self,
        channels: int = 64,
        decoder: Decoder = "concat",
        semantic: Sequence[nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.decompose = DecomNet(channels, decoder)
        self.relight = RelightNet(channels, decoder, semantic)

    def forward(self, image: Tensor, knowledge: Knowledge | None = None) -> RetinexNetOutput:
        """Picture (N, 3, H, W) in 0..1."""
        reflectance, illumination = self.decompose(image)
        relit = self.relight(reflectance, illumination, knowledge)
        return RetinexNetOutput((reflectance * relit).clamp(0.0, 1.0), reflectance, illumination, relit)


def semantic_modules(
    bank_channels: Sequence[int], channels: int = 64, width: int = 24, ratio: float = 1.0, options: SEOptions = PROJECT
) -> list[nn.Module]:
    """SE modules for `RetinexNet(semantic=...)`; `bank_channels` are those of the bank's three finest features."""
    return [SEBottleneck(c, channels, width, ratio=ratio, options=options) for c in bank_channels[2::-1]]
