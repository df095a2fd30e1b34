"""Brightens one frame after the other: look at a thumbnail, decide a tone-curve grid, smooth it in time, apply it.

The order of the steps is fixed, each is a method: the network's wish for the scene as it was observed (what changed,
what moved, which regions are where; ``stream/vision/observer``), its smoothing in time, and the one pass over the
planes, blended with the output before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from engines.curve.grid import CELL, CurveGrid
from engines.errors import EngineError, NotFiniteError
from engines.network_inputs import Extra
from engines.thumbnail import Thumbnail
from stream.media import Frame
from stream.telemetry import Telemetry
from stream.vision.carry import cell_means
from stream.vision.denoiser import Amount, Denoiser
from stream.vision.knowledge import extra_inputs
from stream.vision.observer import Observation, Observer
from stream.vision.regions import Regions
from stream.vision.scene import Change, snapshot
from stream.vision.smoothing import GridSmoother, State

if TYPE_CHECKING:
    from stream.vision.semantics import Semantics


class Predict(Protocol):
    """A trained network: the grid that it wants for a thumbnail, and what else it may be told (zeros = not known)."""

    @property
    def extra_inputs(self) -> tuple[str, ...]: ...

    def __call__(self, thumbnail: Thumbnail, extra: Extra | None = None) -> CurveGrid: ...


class Enhancer:
    """Call it with the frames of one video, in order. A frame that needs no change is handed back as it came."""

    def __init__(
        self,
        predict: Predict | None,
        *,
        strength: float = 1.0,
        network_every: int = 1,
        denoise: Amount = "off",
        smoothing: bool = True,
        motion: bool = True,
        semantics: Semantics | None = None,
        colours: str = "hashed",
        threads: int | None = None,
        telemetry: Telemetry | None = None,
    ) -> None:
        """``predict`` is the trained network; it runs on every ``network_every``-th frame and at every cut.

        ``strength`` 0..1 blends between the input and the full enhancement; 0, or no network, leaves frames untouched.
        ``denoise`` 0..1, ``auto`` or ``off``. ``smoothing`` of grids in time and ``motion``, which carries grids,
        regions and the denoiser's history, are switched off for comparison only. ``semantics`` finds regions beside the
        frames; ``colours`` says how the network had them painted. ``threads`` for the pass over the planes; None = as
        many as pay off.
        """
        self._predict = predict
        self.strength = strength
        """0..1; may be changed between frames."""
        self._network_every = network_every
        self._telemetry = telemetry or Telemetry()
        self._denoiser = Denoiser(denoise, threads)
        self.semantics = semantics
        self._colours = colours
        self._observer = Observer(self._telemetry, motion=motion)
        self._smoother = GridSmoother() if smoothing else None
        self._before_cut: State | None = None
        self._wanted: CurveGrid | None = None
        self._age = 0
        self._shown: CurveGrid | None = None
        self.grid: CurveGrid | None = None
        """The one that was applied to the latest frame."""
        self.cuts = 0
        self.network_runs = 0
        self.network_failures = 0
        """Times that the network gave nothing usable and the previous grid was kept."""

    @property
    def regions(self) -> Regions | None:
        """Of the latest frame, as far as they are known."""
        return None if self.semantics is None else self.semantics.regions

    def __call__(self, frame: Frame) -> Frame:
        """The enhanced frame in a picture of its own, or ``frame`` itself where nothing changes.

        Raises ``EngineError`` if the network fails otherwise than by a value that is not finite before it ever worked.
        """
        if self._predict is None or self.strength == 0.0:
            return frame
        seen = self._observer.observe(frame, self._shown, moving=self._needs_motion)
        self._turn(seen)
        regions = self._carry(seen)
        self._wish(self._predict, seen, regions)
        grid = self._smooth(seen)
        self._look(frame, seen, grid)
        self._shown = grid
        self.grid = grid.blend(self.strength)
        return self._apply(frame, self.grid, seen)

    def close(self) -> None:
        """Ends what works beside the frames."""
        if self.semantics is not None:
            self.semantics.close()

    @property
    def _needs_motion(self) -> bool:
        return self.semantics is not None or self._denoiser.wants_motion

    def _turn(self, seen: Observation) -> None:
        """At a cut, put the state in time aside, and back after a flash."""
        if seen.change is Change.NONE:
            return
        self._denoiser.forget()
        if self._smoother is None:
            return
        if seen.change is Change.CUT:
            self.cuts += self.grid is not None
            self._before_cut, self._smoother.state = self._smoother.state, None
        else:
            self._smoother.state = self._before_cut

    def _carry(self, seen: Observation) -> Regions | None:
        if self.semantics is None:
            return None
        with self._telemetry.stage("regions").measure():
            return self.semantics.carry(seen.motion, seen.seconds, cut=seen.change is not Change.NONE)

    def _wish(self, predict: Predict, seen: Observation, regions: Regions | None) -> None:
        """What the network wants done, on frames where it is its turn; its failures leave the last wish standing."""
        self._age += 1
        if self._wanted is not None and seen.change is Change.NONE and self._age < self._network_every:
            return
        self._age = 0
        try:
            with self._telemetry.stage("network").measure():
                self._wanted = predict(seen.thumbnail, self._extra(predict, seen, regions))
            self.network_runs += 1
        except NotFiniteError:
            self.network_failures += 1
        except EngineError:
            if not self.network_runs:
                raise
            self.network_failures += 1

    def _extra(self, predict: Predict, seen: Observation, regions: Regions | None) -> Extra | None:
        if self.semantics is None:
            return None
        embedding = self.semantics.embedding if "embedding" in predict.extra_inputs else None
        return extra_inputs(predict.extra_inputs, regions, embedding, seen.thumbnail, self._colours)

    def _smooth(self, seen: Observation) -> CurveGrid:
        """The wish, smoothed over the time since the last frame; at a cut as it is."""
        luma = seen.thumbnail.y
        rows, cols = (side // CELL for side in luma.shape)
        if self._wanted is None or (self._wanted.rows, self._wanted.cols) != (rows, cols):
            return CurveGrid.identity(rows, cols)
        grid = self._wanted
        if self._smoother is not None:
            with self._telemetry.stage("smooth").measure():
                node_luma = cell_means(luma, rows, cols)
                grid = self._smoother.step(self._wanted, node_luma, seen.seconds, seen.motion)
        if seen.change is Change.CUT:
            self._observer.rebase(seen, grid)
        return grid

    def _look(self, frame: Frame, seen: Observation, grid: CurveGrid) -> None:
        if self.semantics is not None:
            cut = seen.change is not Change.NONE
            self.semantics.look(frame.seq, frame.time, cut=cut, snapshot=lambda: snapshot(seen.thumbnail, grid))

    def _apply(self, frame: Frame, grid: CurveGrid, seen: Observation) -> Frame:
        """One pass over the planes, into a fresh picture."""
        if grid.is_identity:
            self._denoiser.forget()
            return frame
        with self._telemetry.stage("apply").measure():
            return self._denoiser(frame, grid, seen.motion)
