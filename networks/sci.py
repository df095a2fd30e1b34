"""SCI, self-calibrated illumination (Ma et al., CVPR 2022, "Toward Fast, Flexible, and Robust Low-Light Enhancement").

Retinex: a dark picture is illumination times reflectance. Three small convolutions estimate the illumination; dividing
by it gives the bright picture. In training a calibrator maps every stage's result back onto the first stage's input,
so that one stage is enough at inference and the calibrator is thrown away. Both networks share their weights over the
stages, and the repeated blocks share theirs.

Any height and width from 1 pixel up, odd ones too: nothing is resized, borders are padded with zeros. In training batch
norms need more than one value per channel, so a single picture of one pixel cannot be trained on.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

DARKEST_ILLUMINATION = 1e-4


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class Illumination(nn.Module):
    """H, the enhancer: picture [n, 3, h, w] in 0..1 -> illumination of the same shape in 1e-4..1."""

    def __init__(self, layers: int = 1, channels: int = 3) -> None:
        super().__init__()
        self.layers = layers
        self.in_conv = nn.Sequential(_convolution(3, channels), nn.ReLU())
        self.conv = nn.Sequential(_convolution(channels, channels), nn.BatchNorm2d(channels), nn.ReLU())
        self.out_conv = nn.Sequential(_convolution(channels, 3), nn.Sigmoid())

    def forward(self, picture: Tensor) -> Tensor:
        features: Tensor = self.in_conv(picture)
        for _ in range(self.layers):
            features = features + self.conv(features)
        illumination: Tensor = self.out_conv(features) + picture
        return illumination.clamp(DARKEST_ILLUMINATION, 1.0)


class Calibrator(nn.Module):
    """K: what a stage's result has to lose so that the next stage sees something like the first input."""

    def __init__(self, layers: int = 3, channels: int = 16) -> None:
        super().__init__()
        self.layers = layers
        self.in_conv = nn.Sequential(_convolution(3, channels), nn.BatchNorm2d(channels), nn.ReLU())
        self.convs = nn.Sequential(
            _convolution(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            _convolution(channels, channels),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.out_conv = nn.Sequential(_convolution(channels, 3), nn.Sigmoid())

    def forward(self, result: Tensor) -> Tensor:
        features: Tensor = self.in_conv(result)
        for _ in range(self.layers):
            features = features + self.convs(features)
        calibrated: Tensor = result - self.out_conv(features)
        return calibrated


class Stage(NamedTuple):
    """One unrolled stage: what it saw, the illumination it found, the picture that gives."""

    seen: Tensor
    illumination: Tensor
    result: Tensor


class SCI(nn.Module):
    """Enhancer and calibrator. ``forward`` is inference; ``unroll`` is what training looks at."""

    def __init__(self, stages: int = 3) -> None:
        super().__init__()
        self.stages = stages
        self.enhance = Illumination()
        self.calibrate = Calibrator()
        self.apply(_initialise)

    def forward(self, picture: Tensor) -> Tensor:
        """[n, 3, h, w] R'G'B' in 0..1 -> the enhanced picture, same shape, in 0..1."""
        result: Tensor = picture / self.enhance(picture)
        return result.clamp(0.0, 1.0)

    def unroll(self, picture: Tensor) -> list[Stage]:
        """All stages; every one divides the original picture, whatever it was shown."""
        stages: list[Stage] = []
        seen = picture
        for _ in range(self.stages):
            if stages:
                seen = picture + self.calibrate(stages[-1].result)
            illumination = self.enhance(seen)
            stages.append(Stage(seen, illumination, (picture / illumination).clamp(0.0, 1.0)))
        return stages


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _canonical(name: str) -> str:
    """Published checkpoints hold the shared block under both of its names; one of them is enough."""
    for network, shared in (("enhance", "conv"), ("calibrate", "convs")):
        head = f"{network}.blocks."
        if name.startswith(head):
            return f"{network}.{shared}.{name[len(head) :].split('.', 1)[1]}"
    return name


def load_sci(path: Path) -> SCI:
    """Open a checkpoint of the enhancer, with or without the calibrator, in evaluation mode.

    Accepts the names ``enhance.conv.*`` and ``enhance.blocks.0.*``, alone or together. Raises ``ValueError`` naming
    the file when tensors are missing, left over or of another shape.
    """
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    model = SCI()
    wanted = model.state_dict()
    found = {_canonical(name.removeprefix("module.")): value for name, value in state.items()}
    missing = [name for name in wanted if name.startswith("enhance.") and name not in found]
    unknown = [name for name in found if name not in wanted]
    wrong = [name for name, value in found.items() if name in wanted and value.shape != wanted[name].shape]
    if missing or unknown or wrong:
        raise ValueError(f"{path} is not an SCI checkpoint: missing {missing}, unknown {unknown}, wrong shape {wrong}")
    model.load_state_dict(found, strict=False)
    model.eval()
    return model
