"""The losses of the SLLEN-style network: L1 with structure for the picture, cross-entropy for the classes.

The paper's losses are not known (L1 in the cards): this is the project's design. Perceptual features are another term,
of `training.losses.perceptual`. The segmentation step needs labelled pictures; where they are bright, `darken` makes
them dark.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from training.metrics import ssim_gaussian


def enhancement_terms(got: Tensor, want: Tensor) -> dict[str, Tensor]:
    """``l1`` and ``structure`` (1 - SSIM, Gaussian window) of pictures [n, 3, h, w] in 0..1; not weighted."""
    return {"l1": F.l1_loss(got, want), "structure": 1 - ssim_gaussian(got, want, 1.0).mean()}


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of logits [n, classes, h, w] and labels [n, h, w], int64; 0 where no pixel has a label.

    Labels outside 0..classes - 1 (-1 and 255 are usual for "none") do not count.
    """
    labelled = (labels >= 0) & (labels < logits.shape[1])
    if not labelled.any():
        return 0.0 * logits.sum()
    return F.cross_entropy(logits, labels.where(labelled, -1), ignore_index=-1)


def darken(bright: Tensor, noise: float = 0.02) -> Tensor:
    """Bright pictures [n, 3, h, w] in 0..1 as if taken at night: b * (a * I) ** g and Gaussian noise, clipped.

    Per picture a in 0.9..1, b in 0.5..1, g in 1.5..5, and a noise level in 0..``noise``; all from torch's generator.
    """
    a, b, g, sigma = (
        (low + (high - low) * torch.rand(len(bright), 1, 1, 1)).to(bright)
        for low, high in ((0.9, 1.0), (0.5, 1.0), (1.5, 5.0), (0.0, noise))
    )
    dark = b * (a * bright) ** g
    return (dark + sigma * torch.randn(bright.shape).to(bright)).clamp(0.0, 1.0)
