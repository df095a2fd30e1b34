"""Smooths tone-curve grids in time, so that enhanced video does not flicker.

Each node keeps an exponential moving average of its curve, whose time constant follows what the scene shows there:

* Where the scene stays as it is, a change of the wish is the network's own unrest. The average behaves like a running
  mean, whose time constant grows with the time that the node has been steady, up to 2 s.
* Where the scene changes, getting brighter takes 0.4 s and getting clearly darker 0.1 s: headlights and flashes must
  not stay blown out. An object that enters moves the nodes that it covers and does not pump the rest.

Whether a node gets darker is judged where its curve is used, at the mean luma of the scene around it; a mid-tone would
not do, since a dark cell holds no mid-tones and the network leaves that part of its curve to chance. The fast constant
sets in over the first 10 codes of darkening: a plainly asymmetric average is pulled towards the dark half of any noise.

Every step is a convex combination of two curves, so averages of monotone curves are monotone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import CurveGrid

Floats = NDArray[np.float32]

_CLEARLY_DARKER = np.float32(0.04)
_CLEARLY_CHANGED = np.float32(0.05)
"""Change of the square root of a node's luma that counts as a changed scene; noise of codec and sensor stays below."""


@dataclass(frozen=True, slots=True)
class State:
    """A moment of the average, to be kept and restored."""

    grid: CurveGrid
    luma: Floats
    """Mean luma [rows, cols] that the curves were made for."""
    steady_s: Floats
    """How long each node [rows, cols] has been steady, in seconds."""


class GridSmoother:
    """The average so far, and the step that moves it."""

    def __init__(self, brightening_s: float = 0.4, darkening_s: float = 0.1, steady_s: float = 2.0) -> None:
        """Time constants in seconds; a step change is 63 % done after one of them."""
        if min(brightening_s, darkening_s, steady_s) <= 0:
            raise ValueError(f"time constants are positive, not {brightening_s}, {darkening_s} and {steady_s} s")
        self.brightening_s = brightening_s
        self.darkening_s = darkening_s
        self.steady_s = steady_s
        self.state: State | None = None
        """Assign to restore an earlier state, None to start afresh."""

    @property
    def grid(self) -> CurveGrid | None:
        """The smoothed grid."""
        return None if self.state is None else self.state.grid

    def step(self, wish: CurveGrid, luma: Floats, seconds: float) -> CurveGrid:
        """Move towards ``wish`` as far as ``seconds`` since the last step allow, and return the new average.

        ``luma`` [rows, cols] in 0..1 is the mean luma of the scene at each node. The first step, and the first after a
        change of the grid's size, takes the wish as it is.
        """
        state = self.state
        if state is None or state.grid.coefficients.shape != wish.coefficients.shape:
            self.state = State(wish, luma, np.zeros_like(luma))
            return wish
        before, wanted = state.grid.coefficients, wish.coefficients
        seconds = max(seconds, 0.0)
        changed = np.clip(np.abs(np.sqrt(luma) - np.sqrt(state.luma)) / _CLEARLY_CHANGED, 0, 1)
        darker = np.clip((_curve_at(before, luma) - _curve_at(wanted, luma)) / _CLEARLY_DARKER, 0, 1)
        steady = (state.steady_s + np.float32(seconds)) * (1 - changed)
        slow = 1 - np.exp(-seconds / np.clip(steady, self.brightening_s, max(self.steady_s, self.brightening_s)))
        fast = 1 - np.exp(-seconds / self.darkening_s)
        alpha = (slow + np.maximum(fast - slow, 0) * darker * changed).astype(np.float32)
        grid = CurveGrid(before + alpha[..., None] * (wanted - before))
        self.state = State(grid, state.luma + alpha * (luma - state.luma), steady.astype(np.float32))
        return grid


def _curve_at(coefficients: Floats, luma: Floats) -> Floats:
    """Each node's luma curve at its own luma: [rows, cols]."""
    a, s, b = np.moveaxis(coefficients[..., :3], -1, 0)
    curve: Floats = a * luma + s * np.sqrt(luma) + b
    return curve
