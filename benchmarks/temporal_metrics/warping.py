"""Warping error with the true motion: what changes along the paths of things, beyond what the scene itself does.

E_warp favours dark and blurred pictures, and interpolation alone makes it positive. Less the same for the true picture
what remains is noise, flicker and ghosts; a negative remainder is a picture smoother than the true one.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Bools, Doubles


def warp(picture: Array, flow: Array) -> Doubles:
    """The picture [H, W] or [H, W, c] at x + flow(x), bilinear, edges repeated; ``flow`` [H, W, 2] is (dx, dy)."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x = np.clip(columns + flow[..., 0].astype(np.float64), 0, width - 1)
    y = np.clip(rows + flow[..., 1].astype(np.float64), 0, height - 1)
    left, top = np.minimum(x.astype(np.intp), max(width - 2, 0)), np.minimum(y.astype(np.intp), max(height - 2, 0))
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    share_x, share_y = x - left, y - top
    if picture.ndim == 3:
        share_x, share_y = share_x[..., None], share_y[..., None]
    given = picture.astype(np.float64)
    upper = given[top, left] + share_x * (given[top, right] - given[top, left])
    lower = given[bottom, left] + share_x * (given[bottom, right] - given[bottom, left])
    moved: Doubles = upper + share_y * (lower - upper)
    return moved


def warping_error(pictures: Array, flow: Array, visible: Bools, cuts: Collection[int] = ()) -> Doubles:
    """Mean |out_t - W(out_{t-1})| over visible pixels, of every frame [n] in the units of the pictures.

    NaN for the first frame of every scene and where nothing is visible.
    """
    found = np.full(len(pictures), np.nan)
    for t in range(1, len(pictures)):
        seen = visible[t]
        if t not in cuts and seen.any():
            found[t] = np.abs(pictures[t].astype(np.float64) - warp(pictures[t - 1], flow[t]))[seen].mean()
    return found


def excess_warping_error(
    output: Array, target: Array, flow: Array, visible: Bools, cuts: Collection[int] = ()
) -> Doubles:
    """The warping error of every frame less that of the true picture, [n]."""
    excess: Doubles = warping_error(output, flow, visible, cuts) - warping_error(target, flow, visible, cuts)
    return excess
