"""DRBN's losses (Yang et al., CVPR 2020): structure at three scales, then looks.

Stage 1: minus SSIM of the last recurrence at scales 1, 1/2 and 1/4, against the target at every, every second and
every fourth pixel, without a filter before, as released. SSIM is that of the metrics, over the valid region (the
padding of the released one is unknown here).
Stage 2, the recomposition of the bands: features of VGG16, minus SSIM, and a least-squares GAN whose discriminator
sees the picture twice, once with its three channels sorted by value. Unknown: whether the released features are those
of normalised pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from training.losses.perceptual import VGG16, feature_distances
from training.metrics import ssim_gaussian

STEPS = {"full": 1, "half": 2, "quarter": 4}
SMALLEST = 41
"""The smallest side of a picture: SSIM's window of 11 pixels must fit into a quarter of it, rounded up."""

FEATURES = {"relu1_1": 1.0, "relu1_2": 0.6, "relu2_1": 0.4, "relu2_2": 0.2}


def band_similarity(scales: Sequence[Tensor], high: Tensor) -> dict[str, Tensor]:
    """Minus mean SSIM of each scale (N, 3, ceil(H / s), ceil(W / s)), s = 1, 2, 4, to the target (N, 3, H, W) in 0..1.

    -1 each for a perfect result. Raises ``ValueError`` for pictures that are too small for the window.
    """
    if min(high.shape[-2:]) < SMALLEST:
        raise ValueError(f"SSIM at 1/4 scale needs at least {SMALLEST} pixels a side, not {tuple(high.shape[-2:])}")
    return {
        name: -ssim_gaussian(scale, high[..., ::step, ::step], 1.0).mean()
        for (name, step), scale in zip(STEPS.items(), scales, strict=True)
    }


def sorted_beside(picture: Tensor) -> Tensor:
    """What stage 2's discriminator sees: (N, 3, H, W) -> (N, 6, H, W), the picture, then its channels dark to light."""
    return torch.cat([picture, picture.sort(dim=1).values], dim=1)


def looks(got: Tensor, high: Tensor, network: VGG16 | None) -> dict[str, Tensor]:
    """Stage 2 without its GAN: minus SSIM, and with a network the weighted distance of VGG16's features."""
    terms = {"similarity": -ssim_gaussian(got, high, 1.0).mean()}
    if network is not None:
        distances = feature_distances(network, got, high, tuple(FEATURES))
        terms["features"] = torch.stack([FEATURES[name] * distances[name] for name in FEATURES]).sum()
    return terms


def judged(score: Tensor, real: bool) -> Tensor:
    """Least-squares GAN: mean squared distance of scores to 1 (real) or 0 (made)."""
    return F.mse_loss(score, torch.full_like(score, float(real)))
