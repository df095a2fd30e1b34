"""Warping error with the true motion: what changes along the paths of things, beyond what the scene itself does.

E_warp favours dark and blurred pictures, and interpolation alone makes it positive. Less the same for the true picture
what remains is noise, flicker and ghosts; a negative remainder is a picture smoother than the true one.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Bools, Doubles, Floats


def warp(picture: Array, flow: Array) -> Floats:
    """The picture [H, W] or [H, W, c] at x + flow(x), bilinear, edges repeated; ``flow`` [H, W, 2] is (dx, dy).

    In single precision: exact for whole pixels, to 0.01 codes between them.
    """
    height, width = picture.shape[:2]
    x = np.clip(np.arange(width, dtype=np.float32) + flow[..., 0], 0, width - 1)
    y = np.clip(np.arange(height, dtype=np.float32)[:, None] + flow[..., 1], 0, height - 1)
    left = np.minimum(x.astype(np.int32), max(width - 2, 0))
    top = np.minimum(y.astype(np.int32), max(height - 2, 0))
    share_x, share_y = (x - left).ravel(), (y - top).ravel()
    first = (top * width + left).ravel()
    right, down = min(1, width - 1), width * min(1, height - 1)
    planes = picture.reshape(height * width, -1)
    moved = np.empty((planes.shape[1], height * width), np.float32)
    for channel, plane in enumerate(planes.T):
        flat = plane.astype(np.float32)
        upper, lower = flat[first], flat[first + down]
        upper += share_x * (flat[first + right] - upper)
        lower += share_x * (flat[first + down + right] - lower)
        moved[channel] = upper + share_y * (lower - upper)
    return moved.T.reshape(picture.shape)


def warping_error(pictures: Array, flow: Array, visible: Bools, cuts: Collection[int] = ()) -> Doubles:
    """Mean |out_t - W(out_{t-1})| over visible pixels, of every frame [n] in the units of the pictures.

    NaN for the first frame of every scene and where nothing is visible.
    """
    found = np.full(len(pictures), np.nan)
    for t in range(1, len(pictures)):
        seen = visible[t]
        if t not in cuts and seen.any():
            found[t] = np.abs(pictures[t].astype(np.float32) - warp(pictures[t - 1], flow[t]))[seen].mean(
                dtype=np.float64
            )
    return found


def excess_warping_error(
    output: Array, target: Array, flow: Array, visible: Bools, cuts: Collection[int] = ()
) -> Doubles:
    """The warping error of every frame less that of the true picture, [n]."""
    excess: Doubles = warping_error(output, flow, visible, cuts) - warping_error(target, flow, visible, cuts)
    return excess
