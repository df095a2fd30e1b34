"""KinD's light ratio from the ground truth: how the published test on LOL brightens, and what no camera can (B2).

The ratio is the mean of the target's illumination over the picture's own, pixel by pixel. The switch ``--gt-ratio`` of
`python -m training evaluate` uses it, for checkpoints of KinD and KinD++ alone, and every table says so.
"""

from __future__ import annotations

import torch
from torch import Tensor

from networks.kind import MULTIPLE, KinD
from networks.padding import crop_like, pad_to_multiple
from networks.systems import Inference

SYSTEMS = ("kind", "kind-plus")
MEANING = "KinD's light ratio from the ground truth"


@torch.no_grad()
def ratio_of(network: KinD, picture: Tensor, target: Tensor) -> Tensor:
    """How many times brighter the target's illumination is, [n]; both pictures (n, 3, h, w) in 0..1.

    Raises ``ValueError`` for pictures of two sizes.
    """
    if picture.shape != target.shape:
        raise ValueError(f"its target has another size: {_size(target)}, not {_size(picture)}")
    dark, bright = (
        crop_like(network.decompose(pad_to_multiple(image, MULTIPLE))[1], image) for image in (picture, target)
    )
    return (bright / (dark + 1e-4)).mean((1, 2, 3))


@torch.no_grad()
def enhanced_with_target(inference: Inference, picture: Tensor, target: Tensor, *extra: Tensor) -> Tensor:
    """What KinD makes of the picture when it is told how bright the target is; (n, 3, h, w) in 0..1."""
    network = inference.network
    assert isinstance(network, KinD)
    found = network(picture, inference.knowledge(picture, *extra), ratio_of(network, picture, target))
    enhanced: Tensor = found.enhanced
    return enhanced


def _size(picture: Tensor) -> str:
    return "x".join(map(str, picture.shape[-2:]))
