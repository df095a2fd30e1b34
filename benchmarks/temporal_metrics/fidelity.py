"""PSNR and SSIM of single pictures, as everywhere else here (``training.metrics``), without torch.

Nothing is levelled to the mean of the truth first.
"""

from __future__ import annotations

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Doubles

_TAPS = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
_TAPS /= _TAPS.sum()
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(got: Array, want: Array) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit codes, over all pixels and channels; infinite for equal pictures."""
    error = float(((got.astype(np.float32) - want.astype(np.float32)) ** 2).mean(dtype=np.float64))
    return float(10 * np.log10(255**2 / error)) if error > 0 else float("inf")


def ssim(got: Array, want: Array) -> float:
    """SSIM (Wang et al. 2004) of 8-bit codes [H, W] or [H, W, c]: Gaussian window 11x11 of sigma 1.5, valid region."""
    if min(got.shape[:2]) < len(_TAPS):
        raise ValueError(f"SSIM needs {len(_TAPS)} pixels a side, the picture has {got.shape[1]}x{got.shape[0]}")
    x, y = got.astype(np.float64), want.astype(np.float64)
    mean_x, mean_y = _local(x), _local(y)
    variance_x, variance_y = _local(x * x) - mean_x**2, _local(y * y) - mean_y**2
    covariance = _local(x * y) - mean_x * mean_y
    similar = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    return float((similar / ((mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2))).mean())


def _local(picture: Doubles) -> Doubles:
    """Weighted means around every pixel that has a whole window."""
    for axis in (0, 1):
        valid = picture.shape[axis] - len(_TAPS) + 1
        parts = (picture[i : i + valid] if axis == 0 else picture[:, i : i + valid] for i in range(len(_TAPS)))
        total = np.zeros((valid, *picture.shape[1:]) if axis == 0 else (picture.shape[0], valid, *picture.shape[2:]))
        for tap, part in zip(_TAPS, parts, strict=True):
            total += tap * part
        picture = total
    return picture
