"""What is seen of a frame before anything is done to it: its thumbnail, whether the scene changed, and what moved.

Cuts and motion are judged on the luma as the grid of the frame before shows it: in raw dark luma all histograms look
alike, and flow follows the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engines.curve.grid import CurveGrid
from engines.thumbnail import Thumbnail, sample
from stream.media import Frame
from stream.telemetry import Telemetry
from stream.vision.scene import Change, CutDetector, Luma, halved, preview

if TYPE_CHECKING:
    from stream.vision.motion import Motion, MotionSource


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One frame. ``motion`` since the frame before: None at the start, after every change, and where nobody asked."""

    thumbnail: Thumbnail
    change: Change
    seconds: float
    """Since the frame before; 0 for the first."""
    motion: Motion | None


class Observer:
    """Call ``observe`` with the frames of one video, in order."""

    def __init__(self, telemetry: Telemetry, *, motion: bool = True) -> None:
        self._telemetry = telemetry
        self._cuts = CutDetector()
        self._estimates = motion
        self._motion: MotionSource | None = None
        self._fresh = True
        self._last_time: float | None = None

    def observe(self, frame: Frame, grid: CurveGrid | None, *, moving: bool) -> Observation:
        """``grid`` is the last one that was applied; ``moving`` says that motion will be used."""
        with self._telemetry.stage("thumbnail").measure():
            thumbnail = sample(frame.planes)
        with self._telemetry.stage("scene").measure():
            shown = preview(thumbnail.y, grid)
            change = self._cuts.update(halved(shown))
        motion = None
        if moving and self._estimates:
            with self._telemetry.stage("motion").measure():
                motion = self._moved(shown, change)
        else:
            self._fresh = True
        seconds = 0.0 if self._last_time is None else frame.time - self._last_time
        self._last_time = frame.time
        return Observation(thumbnail, change, seconds, motion)

    def rebase(self, seen: Observation, grid: CurveGrid) -> None:
        """After a cut has brought another grid: the next frame is to be compared with this one as that shows it."""
        shown = preview(seen.thumbnail.y, grid)
        self._cuts.rebase(halved(shown))
        if self._motion is not None:
            self._motion.reset()
            self._motion.step(shown)

    def _moved(self, shown: Luma, change: Change) -> Motion | None:
        if self._motion is None:
            from stream.vision.motion import MotionEstimator

            self._motion = MotionEstimator()
        if self._fresh or change is not Change.NONE:
            self._motion.reset()
        self._fresh = False
        return self._motion.step(shown)
