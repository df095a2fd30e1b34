"""Padding to the multiple that a network's strides need, and cropping back.

Every network here takes any height and width: it pads on the right and at the bottom by repeating the border,
works on the padded picture and crops its outputs. Repeating, unlike mirroring, has no lower limit on the size of
the picture, and it has one path for every size, so a graph exported with dynamic height and width stays valid.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """[N, C, H, W] -> [N, C, H', W'] with H' and W' the next multiples of ``multiple``; equal input where they fit."""
    height, width = image.shape[-2:]
    return F.pad(image, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def crop_like(image: Tensor, reference: Tensor) -> Tensor:
    """The top-left part of ``image`` that has the height and width of ``reference``."""
    height, width = reference.shape[-2:]
    return image[..., :height, :width]
