"""LLFlow's loss (Wang et al., AAAI 2022): how unlikely the bright picture is, given the dark one.

The prior's mean is the colour map that the network predicts from the dark picture or, in a fifth of the steps, that of
the bright picture itself, so that the flow also learns what a right colour map is.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from networks.llflow import SCALE, LLFlowEncoding, bits_per_pixel
from networks.llflow_condition import colour_map


def likelihood(encoding: LLFlowEncoding, high: Tensor, of_target: bool) -> Tensor:
    """Mean negative log likelihood in bits per pixel; `of_target`: under the colour map of `high` (N, 3, H, W)."""
    return bits_per_pixel(encoding, colour_map(high) if of_target else None).mean()


def latent_picture(encoding: LLFlowEncoding) -> Tensor:
    """The latent as a picture (N, 3, H, W), which a perfect flow makes equal to the colour map; unbounded.

    SKF compares its histograms per class with those of the predicted colour map.
    """
    return F.pixel_shuffle(encoding.latent, SCALE)
