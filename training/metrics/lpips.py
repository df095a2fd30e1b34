"""LPIPS (Zhang et al., CVPR 2018): distance between pictures in features of AlexNet or VGG16, weighted by linear heads.

The heads (version 0.1) come with torchmetrics. The backbones' ImageNet weights are torchvision's files, which this
project does not ship: they are read from where torchvision keeps them, or from a folder of one's own, and checked by
the hash in their names. Without them there is no figure; random weights are never used. torchmetrics' own class would
need torchvision itself, which cannot be imported beside every build of torch, and would download without asking.

Compared with torchmetrics 1.9.0 over torchvision 0.28.0's definitions (torch 2.13.0) on 4 pairs of pictures, the same
backbone weights in both, random as ImageNet's were not to be had: no difference at all, for either backbone.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Backbone = Literal["alex", "vgg"]
FILES: dict[Backbone, str] = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
_MEAN, _DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of pictures in -1..1, as the heads were trained."""


class WeightsMissingError(RuntimeError):
    """The weights of a backbone are not here; the message says which file is to be put where."""


class LPIPS(nn.Module):
    """``forward(got, want)`` of RGB codes 0..255, [n, 3, h, w] from about 32x32 on -> [n]; AlexNet is the papers'."""

    def __init__(self, backbone: Backbone, folder: Path | None = None) -> None:
        """Raises ``WeightsMissingError`` without the backbone's file in ``folder`` (None: torchvision's own cache)."""
        super().__init__()
        self.layers, self.taps = _alexnet() if backbone == "alex" else _vgg16()
        load_backbone(self.layers, weights_file(backbone, folder))
        state = torch.load(_heads_file(backbone), map_location="cpu", weights_only=True)
        self.heads = nn.ParameterList([state[f"lin{number}.model.1.weight"] for number in range(len(self.taps))])
        self.eval().requires_grad_(False)

    def features(self, picture: Tensor) -> list[Tensor]:
        """The tapped feature maps, each vector of them at unit length."""
        mean, deviation = (torch.tensor(value).to(picture)[:, None, None] for value in (_MEAN, _DEVIATION))
        now, found = (picture / 127.5 - 1 - mean) / deviation, []
        for number, layer in enumerate(self.layers):
            now = layer(now)
            if number in self.taps:
                found.append(now / now.square().sum(1, keepdim=True).add(1e-8).sqrt())
        return found

    def forward(self, got: Tensor, want: Tensor) -> Tensor:
        distance = got.new_zeros(len(got))
        for one, other, head in zip(self.features(got), self.features(want), self.heads, strict=True):
            distance = distance + F.conv2d((one - other).square(), head).mean((1, 2, 3))
        return distance


def weights_file(backbone: Backbone, folder: Path | None = None) -> Path:
    """The backbone's file, in ``folder`` or in torchvision's cache. Raises ``WeightsMissingError`` where it is not."""
    place = folder or Path(torch.hub.get_dir()) / "checkpoints"
    path = place / FILES[backbone]
    if not path.is_file():
        raise WeightsMissingError(
            f"LPIPS with {backbone} is left out: its backbone's weights are missing. Put torchvision's {path.name} "
            f"into {place}, or name the folder that has it"
        )
    return path


def _heads_file(backbone: Backbone) -> Path:
    """Found without importing torchmetrics, which takes seconds."""
    spec = find_spec("torchmetrics")
    if spec is None or spec.origin is None:
        raise WeightsMissingError("LPIPS is left out: its linear heads come with torchmetrics, which is not installed")
    return Path(spec.origin).parent / "functional" / "image" / "lpips_models" / f"{backbone}.pth"


def load_backbone(layers: nn.Sequential, path: Path) -> None:
    """Fills ``layers`` from torchvision's file, whose classifier is not needed. Raises ``ValueError`` for another."""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if not found.startswith(path.stem.rsplit("-", 1)[1]):
        raise ValueError(f"{path} is damaged: its SHA-256 does not begin as its name says")
    state = torch.load(path, map_location="cpu", weights_only=True)
    layers.load_state_dict({key.removeprefix("features."): state[key] for key in state if key.startswith("features.")})


def _alexnet() -> tuple[nn.Sequential, tuple[int, ...]]:
    """Krizhevsky's "one weird trick" AlexNet up to its last activation, and the layers that are tapped."""
    layers: list[nn.Module] = []
    inner = 3
    for width, kernel, stride, padding, pool in ((64, 11, 4, 2, 1), (192, 5, 1, 2, 1), (384, 3, 1, 1, 0)):
        layers += [nn.Conv2d(inner, width, kernel, stride, padding), nn.ReLU(), *[nn.MaxPool2d(3, 2)] * pool]
        inner = width
    for width in (256, 256):
        layers += [nn.Conv2d(inner, width, 3, padding=1), nn.ReLU()]
        inner = width
    return nn.Sequential(*layers), (1, 4, 7, 9, 11)


def _vgg16() -> tuple[nn.Sequential, tuple[int, ...]]:
    """VGG16 up to relu5_3, and the last activation of each of its five stages."""
    layers: list[nn.Module] = []
    inner, taps = 3, []
    for stage, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        layers += [nn.MaxPool2d(2)] if stage else []
        for _ in range(depth):
            layers += [nn.Conv2d(inner, width, 3, padding=1), nn.ReLU()]
            inner = width
        taps.append(len(layers) - 1)
    return nn.Sequential(*layers), tuple(taps)
