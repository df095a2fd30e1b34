"""Smooths tone-curve grids in time, so that enhanced video does not flicker, pump or leave trails.

Each node keeps an exponential moving average of its curve, whose time constant follows what the scene shows there:

* Where the scene stays as it is, a change of the wish is the network's own unrest. The average behaves like a running
  mean, whose time constant grows with the time that the node has been steady, up to 2 s; and what has been steady for
  a while is held, and changes by a quarter of a code a second (stream/vision/hold.py): an object that enters moves the
  nodes that it covers and does not pump the rest; there, what is behind it stays as it was (stream/vision/backdrop.py).
* Where the scene changes, getting brighter takes 0.4 s and getting clearly darker 0.1 s: headlights and flashes must
  not stay blown out. Dusk, and a light that is switched on, change the luma of the nodes themselves and are followed
  like this; slow changes in small steps, as soon as they show.
* Where content moves, its average goes with it (stream/vision/carry.py).

What is known of regions changes the wish, and is met like any other change of it: segmenters find other regions in the
same scene from one look to the next, and what follows them at once pumps.

Whether a node gets darker is judged where its curve is used, at the mean luma of the scene around it; a mid-tone would
not do, since a dark cell holds no mid-tones and the network leaves that part of its curve to chance. The fast constant
sets in over the first 10 codes of darkening: a plainly asymmetric average is pulled towards the dark half of any noise.

Every step is a convex combination of curves, so averages of monotone curves are monotone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import CurveGrid
from stream.vision.backdrop import Backdrop, curve_at
from stream.vision.carry import Flow, carried, cell_motion, due
from stream.vision.hold import allowed, codes_between, established, pulled, settled

Floats = NDArray[np.float32]

_CLEARLY_DARKER = np.float32(0.04)
_UNCHANGED, _CLEARLY_CHANGED = np.float32(0.01), np.float32(0.05)
"""Change of the square root of a node's luma that counts as none, and as a changed scene; noise of codec and sensor
stays below the first, averaged over a node."""
_PASSING = np.float32(2.5)
"""How many times longer what covers an established node has to be steady."""


@dataclass(frozen=True, slots=True)
class State:
    """A moment of the average, to be kept and restored."""

    grid: CurveGrid
    luma: Floats
    """Mean luma [rows, cols] that the curves were made for."""
    steady_s: Floats
    """How long each node [rows, cols] has been steady, in seconds."""
    settled: Floats
    """Whether each node [rows, cols] has come to its wish since it is steady, 0..1."""
    pulled_s: Floats
    """How long a held node's wish has pulled it in one direction, in seconds; negative for darker."""
    backdrop: Backdrop
    """What nodes were when they were last held, for when they are uncovered again."""
    travelled: Floats
    """Motion of each node [rows, cols, 2] since it was last carried along, in cells; ``camera`` [2] alike of all."""
    camera: Floats

    @staticmethod
    def first(wish: CurveGrid, luma: Floats) -> State:
        """The beginning of a scene."""
        none = np.zeros_like(luma)
        backdrop = Backdrop.unknown(wish.coefficients, luma)
        still = np.zeros((*luma.shape, 2), np.float32)
        return State(wish, luma, none, none, none, backdrop, still, np.zeros(2, np.float32))


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

    def step(self, wish: CurveGrid, luma: Floats, seconds: float, motion: Flow | None = None) -> CurveGrid:
        """Move towards ``wish`` as far as ``seconds`` since the last step allow, and return the new average.

        ``luma`` [rows, cols] in 0..1 is the mean luma of the scene at each node, ``motion`` since the last step, of a
        size that the nodes divide. The first step, and the first after a change of the grid's size, takes the wish as
        it is.
        """
        state = self.state
        if state is None or state.grid.coefficients.shape != wish.coefficients.shape:
            self.state = State.first(wish, luma)
            return wish
        if motion is not None:
            state = _along(state, motion)
        seconds = max(seconds, 0.0)
        before = state.grid.coefficients
        changed = _changed(luma, state.luma)
        steady = ((state.steady_s + np.float32(seconds)) * (1 - changed)).astype(np.float32)
        unlike = _changed(luma, state.backdrop.luma)
        # What covers something that is known has to stay for longer to become the scene itself.
        held = established(steady / (1 + (_PASSING - 1) * state.backdrop.covered(unlike))) * state.settled
        free = (held < 1).astype(np.float32)
        back = state.backdrop.returning(unlike) * free
        bent = state.backdrop.behind(wish.coefficients, luma, unlike)
        wanted = wish.coefficients + free[..., None] * (bent - wish.coefficients)
        wanted += back[..., None] * (state.backdrop.coefficients - wanted)

        alpha, fast = self._share(before, wanted, luma, steady, changed, seconds), self._fast(seconds)
        codes, direction = codes_between(before, wanted, luma)
        # What is known already need not be felt for: it comes back as fast as light is dimmed.
        alpha += np.maximum(fast - alpha, 0) * back
        share = allowed(alpha * codes, held, state.pulled_s, seconds)
        alpha = alpha * share
        moved = before + alpha[..., None] * (wanted - before)
        bent = state.backdrop.behind(moved, luma, unlike, fast)
        grid = CurveGrid(moved + free[..., None] * (bent - moved))
        self.state = State(
            grid,
            state.luma + alpha * (luma - state.luma),
            steady,
            settled(state.settled, codes, steady),
            pulled(state.pulled_s, share, direction, seconds),
            state.backdrop.after(grid.coefficients, state.luma, unlike, held, seconds),
            state.travelled,
            state.camera,
        )
        return grid

    def _fast(self, seconds: float) -> float:
        return 1 - math.exp(-seconds / self.darkening_s)

    def _share(
        self, before: Floats, wanted: Floats, luma: Floats, steady: Floats, changed: Floats, seconds: float
    ) -> Floats:
        """How far each node [rows, cols] moves, 0..1, before it is held."""
        darker = np.clip((curve_at(before, luma) - curve_at(wanted, luma)) / _CLEARLY_DARKER, 0, 1)
        slow = 1 - np.exp(-seconds / np.clip(steady, self.brightening_s, max(self.steady_s, self.brightening_s)))
        fast = self._fast(seconds)
        share: Floats = (slow + np.maximum(fast - slow, 0) * darker * changed).astype(np.float32)
        return share


def _changed(luma: Floats, before: Floats) -> Floats:
    """How far the scene at each node is another one, 0..1."""
    apart = np.abs(np.sqrt(luma) - np.sqrt(before))
    changed: Floats = np.clip((apart - _UNCHANGED) / (_CLEARLY_CHANGED - _UNCHANGED), 0, 1).astype(np.float32)
    return changed


def _along(state: State, motion: Flow) -> State:
    """The state with every node's content carried to where it is now, and the backdrop moved as the camera did."""
    step, sure = cell_motion(motion, state.grid.rows, state.grid.cols)
    travelled = state.travelled + step
    camera = state.camera + (np.median(step[sure], axis=0) if sure.any() else 0)
    now, pan = due(travelled), due(camera)
    grid = state.grid
    of_nodes = np.stack((state.luma, state.steady_s, state.settled, state.pulled_s), axis=-1)
    if now.any():
        grid = CurveGrid(carried(grid.coefficients, now))
        of_nodes = carried(of_nodes, now)
    luma, steady_s, arrived, pulled_s = np.moveaxis(of_nodes, -1, 0)
    backdrop = state.backdrop.moved(pan) if pan.any() else state.backdrop
    rest = (camera - pan).astype(np.float32)
    return State(grid, luma, steady_s, arrived, pulled_s, backdrop, travelled - now, rest)
