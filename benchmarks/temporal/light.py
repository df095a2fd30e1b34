"""Whether lamps stay lamps, and whether who stands against the light can be made out."""

from __future__ import annotations

import numpy as np

from benchmarks.night import NightClip
from benchmarks.temporal.frames import Floats, luma_codes

LAMP = 200.0
"""Luma of 0..255 of the dark picture without noise from which a pixel counts as a source of light."""

_FAINT = 1.0
"""Codes: what has less than this of brightness or detail has none."""


def lamp_change(clip: NightClip, shown: Floats, given: Floats) -> float | None:
    """Mean luma of sources of light as shown, less that of the input, in codes; None without any.

    ``shown`` and ``given`` are luma [n, H, W], 0..255.
    """
    changes = []
    for quiet, after, before in zip(clip.quiet, shown, given, strict=True):
        lit = luma_codes(quiet) >= LAMP
        if lit.any():
            changes.append(float((after[lit] - before[lit]).mean()))
    return float(np.mean(changes)) if changes else None


def objects_seen(clip: NightClip, shown: Floats, truth: Floats) -> tuple[float, float] | None:
    """Mean luma of the moving objects, and its spread inside of each, both over those of the truth; None without any.

    1 and 1 are as the truth: below, objects are darker, or their detail flatter, than they would be in even light.
    """
    levels, spreads = [], []
    for masks, after, want in zip(clip.masks, shown, truth, strict=True):
        for number in np.unique(masks[masks > 0]):
            inside = masks == number
            if inside.sum() >= 64:
                levels.append((after[inside].mean(), want[inside].mean()))
                spreads.append((after[inside].std(), want[inside].std()))
    if not levels:
        return None
    (level, true_level), (spread, true_spread) = np.mean(levels, axis=0), np.mean(spreads, axis=0)
    return float(level / max(true_level, _FAINT)), float(spread / max(true_spread, _FAINT))
