"""Pumping: brightness of one thing that follows what happens to another, as when a headlight darkens the street."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Bools, Doubles


def region_pumping(output: Array, given: Array, masks: Array, ids: Iterable[int] | None = None) -> dict[int, float]:
    """For each region the standard deviation in time of log(mean output / mean input): 0 for a constant gain.

    ``output`` and ``given`` are luma [n, H, W] with black at 0, ``masks`` [n, H, W] the ids of regions, background 0
    included unless ``ids`` says which. Frames in which a region is absent, or black in either, do not count, and a
    region with fewer than two frames is left out.
    """
    wanted = sorted({int(i) for i in np.unique(masks)}) if ids is None else list(ids)
    found = {}
    for region in wanted:
        ratios = []
        for out, before, mask in zip(output, given, masks, strict=True):
            inside = mask == region
            if not inside.any():
                continue
            levels = float(out[inside].mean()), float(before[inside].mean())
            if min(levels) > 0:
                ratios.append(np.log(levels[0] / levels[1]))
        if len(ratios) > 1:
            found[region] = float(np.std(ratios))
    return found


def background_change(output: Array, unmoved: Array, background: Bools, before: slice) -> Doubles:
    """How far the mean of the background has moved from where it was ``before``, for every frame [n], in codes.

    ``output`` is luma [n, H, W], ``unmoved`` the same frames by an operator that does not react: what the scene does
    itself, as when the object hides something bright, is taken off. ``background`` [n, H, W] says where each frame
    shows it. NaN where none is seen.
    """
    errors = np.full(len(output), np.nan)
    for t, seen in enumerate(background):
        if seen.any():
            errors[t] = (output[t][seen].astype(np.float64) - unmoved[t][seen]).mean()
    seen_before = errors[before][~np.isnan(errors[before])]
    if not len(seen_before):
        return np.full(len(output), np.nan)
    change: Doubles = errors - seen_before.mean()
    return change
