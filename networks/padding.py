"""Padding to the multiple that a network's strides need, and cropping back.

Every network here takes any height and width: it pads on the right and at the bottom by repeating the border,
works on the padded picture and crops its outputs. Repeating, unlike mirroring, has no lower limit on the size of
the picture, and it has one path for every size, so a graph exported with dynamic height and width stays valid.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def at_scale(side: int, step: int) -> int:
    """The side divided by ``step``, rounded up."""
    # Not -(-side // step): ONNX rounds the quotient of a negative number towards zero, which gives one less.
    return (side + step - 1) // step


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """[N, C, H, W] -> [N, C, H', W'] with H' and W' the next multiples of ``multiple``; equal input where they fit."""
    height, width = image.shape[-2:]
    # Written so that with symbolic sizes the padded ones are plainly products of the multiple.
    rows = at_scale(height, multiple) * multiple
    columns = at_scale(width, multiple) * multiple
    return F.pad(image, (0, columns - width, 0, rows - height), mode="replicate")


def crop_like(image: Tensor, reference: Tensor) -> Tensor:
    """The top-left part of ``image`` that has the height and width of ``reference``."""
    height, width = reference.shape[-2:]
    # By index, not by slice: a slice makes an exporter with symbolic sizes prove that the picture was padded.
    rows, columns = (torch.arange(size, device=image.device) for size in (height, width))
    return image.index_select(-2, rows).index_select(-1, columns)
