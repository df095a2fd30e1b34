"""Cuts: how many frames a new scene needs until it looks as it will, and what of the old one is still in it."""

from __future__ import annotations

import numpy as np

from benchmarks.temporal_metrics.arrays import Array


def cut_response(quality: Array, cut: int, end: int, tolerance: float = 0.5) -> int | None:
    """Frames from ``cut`` until the PSNR is within ``tolerance`` dB of where it settles; 0 if the first one is.

    ``quality`` is the PSNR of every frame; it settles at the median of the last half before ``end``, the next cut or
    the clip's end. The first frame that is near enough counts, as scenes go on to change. None for a scene of fewer
    than four frames.
    """
    scene = np.asarray(quality[cut:end], np.float64)
    if len(scene) < 4:
        return None
    settled = float(np.median(scene[len(scene) // 2 :]))
    return int(np.argmax(scene >= settled - tolerance))


def ghost_share(output: Array, target: Array, before: Array) -> float:
    """Which share of the scene ``before`` is in ``output``, by least squares: out = target + share (before - target).

    All [H, W] or [H, W, 3] in the same codes: ``target`` is the picture as it looks without a ghost, ``before`` the
    last output of the old scene. 0 where the two scenes are the same.
    """
    difference = before.astype(np.float64) - target
    error = output.astype(np.float64) - target
    size = float((difference**2).sum())
    return float((error * difference).sum()) / size if size > 0 else 0.0
