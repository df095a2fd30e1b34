"""Distances between features of VGG16 (Simonyan and Zisserman 2015), as DRBN, SLLEN and EnlightenGAN use them.

The 13 convolutions are stated here and read torchvision's ImageNet weights (`IMAGENET1K_V1`) from a file of the user;
nothing is downloaded. Pictures are R'G'B' in 0..1 and are brought to ImageNet's mean and deviation here, which is what
these weights were trained with (the released trainings differ in this from each other).
The network is a fixed measure: no gradient to its weights, and it belongs into no optimiser and no checkpoint.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)
LAYERS = tuple(f"relu{block + 1}_{i + 1}" for block, depth in enumerate(DEPTHS) for i in range(depth))
FILE = "vgg16-397923af.pth"
ADDRESS = f"https://download.pytorch.org/models/{FILE}"


class VGG16(nn.Module):
    """VGG16 up to and with `last`, random until `load_torchvision`; frozen."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, last: str = "relu5_1") -> None:
        super().__init__()
        if last not in LAYERS:
            raise ValueError(f"VGG16 has no layer {last!r}; it has {', '.join(LAYERS)}")
        self.names = LAYERS[: LAYERS.index(last) + 1]
        convolutions, inputs = [], 3
        for name in self.names:
            outputs = WIDTHS[int(name[4]) - 1]
            convolutions.append(nn.Conv2d(inputs, outputs, 3, padding=1))
            inputs = outputs
        self.convolutions = nn.ModuleList(convolutions)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))
        self.requires_grad_(False)

    def load_torchvision(self, state: Mapping[str, Tensor]) -> None:
        """Take the weights from torchvision's spelling: `features.N.weight` and `.bias`, N counts all layers.

        Raises ``ValueError`` when one is missing or has another shape.
        """
        for convolution, number in zip(self.convolutions, _torchvision_numbers(), strict=False):
            for part, parameter in convolution.named_parameters():
                found = state.get(f"features.{number}.{part}")
                if found is None or found.shape != parameter.shape:
                    raise ValueError(f"not the weights of torchvision's VGG16: features.{number}.{part} does not fit")
                parameter.copy_(found)

    def forward(self, picture: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Pictures (N, 3, H, W) in 0..1, at least 16 x 16 for relu5_x -> the named features, each after its ReLU.

        `reluB_i` has 1 / 2**(B - 1) of the picture's size.
        """
        x = (picture - self.mean) / self.deviation
        found: dict[str, Tensor] = {}
        for name, convolution in zip(self.names, self.convolutions, strict=True):
            if name.endswith("_1") and name != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(convolution(x))
            if name in layers:
                found[name] = x
            if len(found) == len(layers):
                return found
        raise ValueError(f"this VGG16 ends at {self.names[-1]} and has not all of {', '.join(layers)}")


def _torchvision_numbers() -> list[int]:
    """Where torchvision counts the convolutions: each is followed by its ReLU, each block by a pooling."""
    numbers, number = [], 0
    for depth in DEPTHS:
        numbers += [number + 2 * i for i in range(depth)]
        number += 2 * depth + 1
    return numbers


def open_vgg16(path: Path | None, layers: Sequence[str], where: str, weight: str) -> VGG16:
    """VGG16 up to the deepest of `layers`, with the weights of a torchvision state dict at `path`.

    `where` and `weight` are the recipe's keys for the path and for the weight of the term, for the message of the
    ``ValueError`` that is raised when the file is missing or is none of VGG16.
    """
    told = (
        f"This loss compares features of VGG16 with torchvision's ImageNet weights. Get {FILE} (528 MB) from {ADDRESS} "
        f"and name it in the recipe as `{where}: PATH`, or set `{weight}: 0` to train without this term."
    )
    if path is None or not path.is_file():
        raise ValueError(f"no VGG16 weights: {'no file is named' if path is None else f'no file {path}'}. {told}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path} cannot be read as weights ({type(error).__name__}). {told}") from error
    network = VGG16(max(layers, key=LAYERS.index))
    try:
        network.load_torchvision(state if isinstance(state, Mapping) else {})
    except ValueError as error:
        raise ValueError(f"{path}: {error}. {told}") from error
    return network.eval()


def feature_distances(
    network: VGG16, got: Tensor, want: Tensor, layers: Sequence[str], normalised: bool = False
) -> dict[str, Tensor]:
    """Mean squared difference of each named feature of two pictures (N, 3, H, W) in 0..1; no gradient to `want`.

    `normalised`: instance normalisation of both features before the difference (EnlightenGAN), which compares
    structure and leaves out how strong each channel is.
    """
    of_got = network(got, layers)
    with torch.no_grad():
        of_want = network(want, layers)
    if normalised:
        of_got, of_want = ({n: F.instance_norm(x) for n, x in found.items()} for found in (of_got, of_want))
    return {name: F.mse_loss(of_got[name], of_want[name]) for name in layers}
