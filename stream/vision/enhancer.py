"""Brightens one frame after the other: look at a thumbnail, decide a tone-curve grid, smooth it in time, apply it.

The order of the steps is fixed, and each is a method: observing the scene (where regions and motion are to be found),
the network's wish, its smoothing (where motion is to carry the grid along), and the one pass over the planes (where a
temporal denoiser is to blend with the previous output).
"""

from __future__ import annotations

from collections.abc import Callable

from engines.curve.cpu import DEFAULT_THREADS, apply
from engines.curve.grid import CELL, CurveGrid
from engines.errors import EngineError, NotFiniteError
from engines.thumbnail import Thumbnail, sample
from stream.media import Frame, fresh_like
from stream.telemetry import Telemetry
from stream.vision.scene import Change, CutDetector, Luma, halved, preview
from stream.vision.smoothing import GridSmoother, State

Predict = Callable[[Thumbnail], CurveGrid]
"""A trained network: the grid that it wants for a thumbnail."""


class Enhancer:
    """Call it with the frames of one video, in order. A frame that needs no change is handed back as it came."""

    def __init__(
        self,
        predict: Predict | None,
        *,
        strength: float = 1.0,
        network_every: int = 1,
        threads: int | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        """``predict`` is the trained network; it runs on every ``network_every``-th frame and at every cut.

        ``strength`` 0..1 blends between the input and the full enhancement; 0, or no network, leaves frames untouched.
        ``threads`` for the pass over the planes; None = as many as pay off.
        """
        self._predict = predict
        self._strength = strength
        self._network_every = network_every
        self._threads = threads or DEFAULT_THREADS
        self._telemetry = telemetry or Telemetry()
        self._cuts = CutDetector()
        self._smoother = GridSmoother()
        self._before_cut: State | None = None
        self._wanted: CurveGrid | None = None
        self._age = 0
        self._last_time: float | None = None
        self.cuts = 0
        self.network_runs = 0
        self.network_failures = 0
        """Times that the network gave nothing usable and the previous grid was kept."""

    def __call__(self, frame: Frame) -> Frame:
        """The enhanced frame in a picture of its own, or ``frame`` itself where nothing changes.

        Raises ``EngineError`` if the network fails otherwise than by a value that is not finite before it ever worked.
        """
        if self._predict is None or self._strength == 0.0:
            return frame
        with self._telemetry.stage("thumbnail").measure():
            thumbnail = sample(frame.planes)
        with self._telemetry.stage("scene").measure():
            luma = halved(thumbnail.y)
            change = self._observe(luma)
        self._wish(self._predict, thumbnail, change)
        grid = self._smooth(thumbnail, luma, change, frame.time)
        return self._apply(frame, grid.blend(self._strength))

    def _observe(self, luma: Luma) -> Change:
        """Compare with the frame before; at a cut, put the state in time aside, and back after a flash."""
        change = self._cuts.update(preview(luma, self._smoother.grid))
        if change is Change.CUT:
            self.cuts += self._smoother.grid is not None
            self._before_cut = self._smoother.state
        elif change is Change.FLASH_OVER:
            self._smoother.state = self._before_cut
        return change

    def _wish(self, predict: Predict, thumbnail: Thumbnail, change: Change) -> None:
        """What the network wants done, on frames where it is its turn; its failures leave the last wish standing."""
        self._age += 1
        if self._wanted is not None and change is Change.NONE and self._age < self._network_every:
            return
        self._age = 0
        try:
            with self._telemetry.stage("network").measure():
                self._wanted = predict(thumbnail)
            self.network_runs += 1
        except NotFiniteError:
            self.network_failures += 1
        except EngineError:
            if not self.network_runs:
                raise
            self.network_failures += 1

    def _smooth(self, thumbnail: Thumbnail, luma: Luma, change: Change, time: float) -> CurveGrid:
        """The wish, smoothed over the time since the last frame; at a cut as it is."""
        seconds = 0.0 if self._last_time is None else time - self._last_time
        self._last_time = time
        rows, cols = (side // CELL for side in thumbnail.y.shape)
        if self._wanted is None or (self._wanted.rows, self._wanted.cols) != (rows, cols):
            return CurveGrid.identity(rows, cols)
        with self._telemetry.stage("smooth").measure():
            if change is Change.CUT:
                self._smoother.state = None
            node_luma = thumbnail.y.reshape(rows, CELL, cols, CELL).mean(axis=(1, 3))
            grid = self._smoother.step(self._wanted, node_luma, seconds)
            if change is Change.CUT:
                self._cuts.rebase(preview(luma, grid))
        return grid

    def _apply(self, frame: Frame, grid: CurveGrid) -> Frame:
        """One pass over the planes, into a fresh picture."""
        if grid.is_identity:
            return frame
        with self._telemetry.stage("apply").measure():
            enhanced = fresh_like(frame)
            apply(frame.planes, grid, enhanced.planes, self._threads)
        return enhanced
