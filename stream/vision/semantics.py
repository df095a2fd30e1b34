"""What is where in one video: a segmenter that works beside the frames, and its regions, carried along by motion.

The frame path offers a snapshot where the key-frame policy asks for one, and goes on. A result that arrives later is
carried forward by the motion since its snapshot. Frames never wait for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stream.vision.key_frames import KeyFrames, Mode
from stream.vision.regions import Floats, Regions
from stream.vision.segmenter import Picture, Segmenter
from stream.vision.tracker import RegionTracker

if TYPE_CHECKING:
    from stream.vision.motion import Motion


class Semantics:
    """Call ``carry`` and then ``look`` with every frame of a video, in order; ``close`` at its end."""

    def __init__(self, segmenter: Segmenter, mode: Mode = "auto") -> None:
        self.segmenter = segmenter
        self._tracker = RegionTracker()
        self._keys = KeyFrames(mode)
        self._motion: Motion | None = None
        self._offered: tuple[int, ...] = ()

    @property
    def regions(self) -> Regions | None:
        """Of the latest frame; None while nothing is known."""
        return self._tracker.regions

    @property
    def embedding(self) -> Floats | None:
        """SAM's embedding of the scene [256, eh, ew], carried along."""
        return self._tracker.embedding

    @property
    def refused(self) -> int:
        """Results that came after a cut, or too late."""
        return self._tracker.refused

    def carry(self, motion: Motion | None, seconds: float, *, cut: bool) -> Regions | None:
        """The regions of the next frame, ``seconds`` after the one before; at a ``cut`` nothing is known any more."""
        if cut:
            self._tracker.reset()
        self._motion = motion
        self._tracker.step(motion, seconds)
        found = self.segmenter.take()
        if found is not None and self._tracker.accept(found[1], found[0]):
            self._keys.accepted(self.regions)
        return self.regions

    def look(self, seq: int, time_s: float, *, cut: bool, snapshot: Callable[[], Picture]) -> None:
        """Offers the frame's picture to the segmenter if it is its turn; ``snapshot`` makes that picture only then.

        ``seq`` and ``time_s`` are the frame's own: numbers that roll back mean that the source started anew.
        """
        decision = self._keys.step(seq, time_s, cut, self.regions, self._motion)
        if decision.reset and not cut:
            self._tracker.reset()
        if decision.segment:
            number = self._tracker.expect(self._held())
            self.segmenter.offer(number, snapshot())
            self._offered = (*self._offered[-1:], number)

    def _held(self) -> set[int]:
        """Snapshots that may still have a result: the one in work, and the last two, one of which may wait."""
        working = self.segmenter.working_on
        return {*self._offered, *(() if working is None else (working,))}

    def close(self) -> None:
        """Ends the segmenter's thread."""
        self.segmenter.close()
