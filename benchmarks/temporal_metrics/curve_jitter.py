"""Curve jitter: how much a tone operator changes from frame to frame, apart from what the scene does.

CJ_t = mean over x of |E_t(x_t) - E_{t-1}(x_t)|: the operators of two frames, both applied to the same frame. A constant
operator has 0 whatever it does and however the scene moves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Doubles

Frame = TypeVar("Frame")


def curve_jitter(
    frames: Sequence[Frame], operators: Sequence[Callable[[Frame], Array]], cuts: Collection[int] = ()
) -> Doubles:
    """CJ of every frame [n] in the units that the operators give; NaN for the first frame of every scene.

    ``operators[t]`` maps any frame to luma codes as frame t was mapped, best unrounded: rounding hides small jitter.
    """
    if len(frames) != len(operators):
        raise ValueError(f"{len(frames)} frames and {len(operators)} operators")
    found = np.full(len(frames), np.nan)
    for t in range(1, len(frames)):
        if t not in cuts:
            change = operators[t](frames[t]).astype(np.float64) - operators[t - 1](frames[t])
            found[t] = np.abs(change).mean()
    return found
