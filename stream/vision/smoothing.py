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

Every step is a convex combination of curves, so averages of monotone curves are monotone. ``smoothing_kernels`` holds
the loop, ``smoothing_reference`` says the same in NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import CurveGrid
from stream.vision.backdrop import Backdrop
from stream.vision.carry import Flow, carried, cell_motion, due
from stream.vision.smoothing_kernels import smooth_nodes

Floats = NDArray[np.float32]


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
        it is. Raises ``ValueError`` where there is not one luma a node.
        """
        if luma.shape != (wish.rows, wish.cols):
            raise ValueError(f"a grid of {wish.cols}x{wish.rows} nodes needs as many lumas, not {luma.shape}")
        state = self.state
        if state is None or state.grid.coefficients.shape != wish.coefficients.shape:
            self.state = State.first(wish, luma)
            return wish
        if motion is not None:
            state = _along(state, motion)
        seconds = max(seconds, 0.0)
        backdrop = state.backdrop
        wanted, smoothed, remembered = np.empty((3, *wish.coefficients.shape), np.float32)
        nodes = np.empty((9, *luma.shape), np.float32)
        smooth_nodes(
            *(wish.coefficients, state.grid.coefficients, _plain(backdrop.coefficients), _plain(luma)),
            *(_plain(field) for field in (state.luma, state.steady_s, state.settled, state.pulled_s)),
            *(_plain(field) for field in (backdrop.luma, backdrop.age, backdrop.left)),
            *(seconds, 1 - math.exp(-seconds / self.darkening_s)),
            *(self.brightening_s, max(self.steady_s, self.brightening_s)),
            *(wanted, smoothed, remembered, nodes),
        )
        grid = CurveGrid(smoothed)
        backdrop = Backdrop(remembered, nodes[4], nodes[5], nodes[6])
        self.state = State(grid, nodes[0], nodes[1], nodes[2], nodes[3], backdrop, state.travelled, state.camera)
        return grid


def _along(state: State, motion: Flow) -> State:
    """The state with every node's content carried to where it is now, and the backdrop moved as the camera did."""
    step, sure = cell_motion(motion, state.grid.rows, state.grid.cols)
    travelled = state.travelled + step
    camera = state.camera + _middle(step[sure])
    now, pan = due(travelled), due(camera)
    grid, of_nodes = state.grid, (state.luma, state.steady_s, state.settled, state.pulled_s)
    if now.any():
        grid = CurveGrid(carried(grid.coefficients, now))
        of_nodes = tuple(np.moveaxis(carried(np.dstack(of_nodes), now), -1, 0))
    backdrop = state.backdrop.moved(pan) if pan.any() else state.backdrop
    rest = (camera - pan).astype(np.float32)
    return State(grid, *of_nodes, backdrop, travelled - now, rest)


def _middle(steps: Floats) -> Floats:
    """Median of ``steps`` [n, 2] along each axis, 0 of none; ``np.median`` takes longer than all else here."""
    count = len(steps)
    if not count:
        return np.zeros(2, np.float32)
    first, last = (count - 1) // 2, count // 2
    ordered = np.partition(steps, (first, last), axis=0)
    middle: Floats = (ordered[first] + ordered[last]) * np.float32(0.5)
    return middle


def _plain(field: Floats) -> Floats:
    """As the loop takes it."""
    return np.ascontiguousarray(field, np.float32)
