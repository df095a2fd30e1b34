"""Static residual: how much of the amplified input noise is left where the scene stands still.

SRS = the standard deviation in time of the output, where the true picture is constant, over that of the input seen
through one fixed tone operator. White noise through a recursive filter p + k (e - p) ends at sqrt(k / (2 - k)).
"""

from __future__ import annotations

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Bools


def static_pixels(target: Array, tolerance: float = 1.0) -> Bools:
    """Where the true picture [n, H, W] or [n, H, W, 3] stays within ``tolerance`` codes all the time: [H, W]."""
    extent = target.max(axis=0).astype(np.float64) - target.min(axis=0)
    if extent.ndim == 3:
        extent = extent.max(axis=-1)
    steady: Bools = extent <= tolerance
    return steady


def static_residual(output: Array, amplified: Array, static: Bools, least: int = 100) -> float | None:
    """SRS of one scene: ``output`` and ``amplified`` are luma [n, H, W], ``amplified`` the input through one operator.

    Ratio of root mean squares over the ``static`` pixels [H, W] that carry noise at all: where the input is clipped to
    black nothing can be said. None if fewer than ``least`` pixels do, or there are fewer than two frames.
    """
    if output.shape != amplified.shape or output.shape[1:] != static.shape:
        raise ValueError(f"shapes {output.shape}, {amplified.shape} and {static.shape} do not belong together")
    if len(output) < 2:
        return None
    noise = amplified[:, static].astype(np.float64).var(axis=0)
    noisy = noise > 0
    if np.count_nonzero(noisy) < least:
        return None
    left = output[:, static].astype(np.float64).var(axis=0)[noisy]
    return float(np.sqrt(left.mean() / noise[noisy].mean()))
