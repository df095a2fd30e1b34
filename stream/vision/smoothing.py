"""Smooths tone-curve grids in time, so that enhanced video does not flicker.

Each node keeps an exponential moving average of its curve. Getting brighter is slow (0.4 s: the noise of one estimate
must not show), getting clearly darker is fast (0.1 s: headlights and flashes must not stay blown out). Whether a node
gets darker is judged where its curve is used: at the mean luma of the scene around that node. A mid-tone would not do,
since a dark cell holds no mid-tones and the network leaves that part of its curve to chance.

A plainly asymmetric average is pulled towards the darker half of a noisy sequence. Therefore the fast constant sets in
gradually, over the first 10 codes of darkening.

The step is a convex combination of two curves, so averages of monotone curves are monotone.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import CurveGrid

Luma = NDArray[np.float32]

_CLEARLY_DARKER = np.float32(0.04)


class GridSmoother:
    """The average so far, and the step that moves it."""

    def __init__(self, brightening_s: float = 0.4, darkening_s: float = 0.1) -> None:
        """Time constants in seconds; a step change is 63 % done after one of them."""
        if min(brightening_s, darkening_s) <= 0:
            raise ValueError(f"time constants are positive seconds, not {brightening_s} and {darkening_s}")
        self.brightening_s = brightening_s
        self.darkening_s = darkening_s
        self.grid: CurveGrid | None = None
        """The smoothed grid; assign to restore an earlier state, None to start afresh."""

    def step(self, target: CurveGrid, luma: Luma, seconds: float) -> CurveGrid:
        """Move towards ``target`` as far as ``seconds`` since the last step allow, and return the new average.

        ``luma`` [rows, cols] in 0..1 is the mean luma of the scene at each node. The first step, and the first after a
        change of the grid's size, takes the target as it is.
        """
        if self.grid is None or self.grid.coefficients.shape != target.coefficients.shape:
            self.grid = target
            return target
        before, wanted = self.grid.coefficients, target.coefficients
        slow = 1.0 - math.exp(-max(seconds, 0.0) / self.brightening_s)
        fast = 1.0 - math.exp(-max(seconds, 0.0) / self.darkening_s)
        darkening = np.clip((_curve_at(before, luma) - _curve_at(wanted, luma)) / _CLEARLY_DARKER, 0.0, 1.0)
        alpha = (slow + (fast - slow) * darkening).astype(np.float32)[..., None]
        self.grid = CurveGrid(before + alpha * (wanted - before))
        return self.grid


def _curve_at(coefficients: NDArray[np.float32], luma: Luma) -> NDArray[np.float32]:
    """Each node's luma curve at its own luma: [rows, cols]."""
    a, s, b = np.moveaxis(coefficients[..., :3], -1, 0)
    curve: NDArray[np.float32] = a * luma + s * np.sqrt(luma) + b
    return curve
