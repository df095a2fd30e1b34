"""HRNetV2-W48, the knowledge bank of SKF: PASCAL-Context, 59 classes (Wang et al., TPAMI 2020; SKF, CVPR 2023).

Four resolutions run side by side and exchange features; SKF takes the branches of the last stage, before the head, as
multi-scale features, and the head's class map at full size. Layers carry the names of the published checkpoint
`hrnet_w48_pascal_context_cls59_480x480`, so `load_pascal_context` reads it directly.

Input RGB (N, 3, H, W) in 0..1, any size, odd ones too: the branches have ceil(H / 4), ceil(H / 8), ... rows.
Faithful: all layers, bilinear resizing with aligned corners.
Repaired: the ImageNet mean and deviation that the weights were trained with are applied unless `normalise=False`, which
is what the released SKF code does (K7); they are buffers, so a saved bank remembers its choice. The bank is always in
evaluation mode and its weights take no gradient (K8); gradient still flows through it to the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.skf import Knowledge

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
PREFIX = "model."


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(x, size=list(size), mode="bilinear", align_corners=True)


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([nn.ReLU()] if relu else []))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 with four times as many channels at the end."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        outputs = 4 * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _convolution(inputs, outputs, 1, relu=False) if inputs != outputs else None

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(shortcut + self.bn3(self.conv3(x)))


class ExchangeModule(nn.Module):
    """Four basic blocks in every branch, then every branch receives the sum of all, resized to it."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(c) for _ in range(4))) for c in channels)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleDict({str(j): self._path(channels[j], channels[i], i - j) for j in range(len(channels)) if j != i})
            for i in range(len(channels))
        )

    @staticmethod
    def _path(source: int, target: int, steps: int) -> nn.Sequential:
        """From a coarser branch (steps < 0) a 1x1 convolution, from a finer one `steps` halvings."""
        if steps < 0:
            return _convolution(source, target, 1, relu=False)
        halvings = [_convolution(source, source, 3, stride=2) for _ in range(steps - 1)]
        return nn.Sequential(*halvings, _convolution(source, target, 3, stride=2, relu=False))

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        xs = [branch(x) for branch, x in zip(self.branches, xs, strict=True)]
        fused = []
        for i, (x, paths) in enumerate(zip(xs, self.fuse_layers, strict=True)):
            assert isinstance(paths, nn.ModuleDict)
            total = x
            for j, path in paths.items():
                contribution = path(xs[int(j)])
                total = total + (_resize(contribution, x.shape[-2:]) if int(j) > i else contribution)
            fused.append(F.relu(total))
        return fused


def _stage(modules: int, channels: Sequence[int]) -> nn.Sequential:
    return nn.Sequential(*(ExchangeModule(channels) for _ in range(modules)))


class HRNetV2(nn.Module):
    """The bank: `bank(image)` is `Knowledge` with four features (width, 2, 4, 8 times width channels).

    `width=48` is the published network; smaller ones serve tests and own training.
    """

    def __init__(self, width: int = 48, classes: int = 59, *, normalise: bool = True) -> None:
        super().__init__()
        self.channels: tuple[int, ...] = (width, 2 * width, 4 * width, 8 * width)
        self.classes = classes
        w1, w2, w3, w4 = self.channels
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(*(Bottleneck(inputs, 64) for inputs in (64, 256, 256, 256)))
        # A branch that appears is one more halving of the coarsest one so far; the keys are the branch numbers.
        self.transition1 = nn.ModuleDict(
            {"0": _convolution(256, w1, 3), "1": nn.Sequential(_convolution(256, w2, 3, stride=2))}
        )
        self.stage2 = _stage(1, (w1, w2))
        self.transition2 = nn.ModuleDict({"2": nn.Sequential(_convolution(w2, w3, 3, stride=2))})
        self.stage3 = _stage(4, (w1, w2, w3))
        self.transition3 = nn.ModuleDict({"3": nn.Sequential(_convolution(w3, w4, 3, stride=2))})
        self.stage4 = _stage(3, self.channels)
        total = sum(self.channels)
        self.last_layer = nn.Sequential(
            nn.Conv2d(total, total, 1), nn.BatchNorm2d(total), nn.ReLU(), nn.Conv2d(total, classes, 1)
        )
        mean, deviation = (IMAGENET_MEAN, IMAGENET_DEVIATION) if normalise else ((0.0,) * 3, (1.0,) * 3)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, 3, 1, 1))
        self.mean: Tensor
        self.deviation: Tensor
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> HRNetV2:
        """The bank never leaves evaluation mode, whatever the enhancer around it does."""
        super().train(False)
        return self

    def forward(self, image: Tensor) -> Knowledge:
        x = (image - self.mean) / self.deviation
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = self.layer1(x)
        xs: list[Tensor] = self.stage2([self.transition1["0"](x), self.transition1["1"](x)])
        xs = self.stage3([*xs, self.transition2["2"](xs[-1])])
        xs = self.stage4([*xs, self.transition3["3"](xs[-1])])
        joined = torch.cat([xs[0], *(_resize(x, xs[0].shape[-2:]) for x in xs[1:])], dim=1)
        return Knowledge(tuple(xs), _resize(self.last_layer(joined), image.shape[-2:]))


def load_pascal_context(path: str | PathLike[str], bank: HRNetV2 | None = None) -> HRNetV2:
    """Fill a bank (a new HRNetV2-W48 when none is given) from the published checkpoint; no pickled code is run.

    The checkpoint is a state dict whose names start with `model.`; tensors that are not the network's (the training
    loss kept some) are ignored. ValueError names the file and the first tensors that are missing or of another shape.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(stored, dict):
        raise ValueError(f"{path}: expected a state dict, found {type(stored).__name__}")
    weights = {name.removeprefix(PREFIX): value for name, value in stored.get("state_dict", stored).items()}
    bank = HRNetV2() if bank is None else bank
    wanted = {name: value for name, value in bank.state_dict().items() if name not in ("mean", "deviation")}
    missing = [name for name in wanted if name not in weights]
    wrong = [name for name in wanted if name not in missing and weights[name].shape != wanted[name].shape]
    if missing or wrong:
        raise ValueError(
            f"{path}: not this network ({bank.classes} classes, width {bank.channels[0]}): "
            f"{len(missing)} tensors missing {missing[:3]}, {len(wrong)} of another shape {wrong[:3]}"
        )
    bank.load_state_dict({name: weights[name] for name in wanted}, strict=False)
    return bank
