"""Time stamps and durations of decoded pictures: strictly increasing, and each shown until the next one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import av

from stream.media.frame import Frame
from stream.media.notes import Notes


class Timing:
    """For one video stream. ``end`` is where the stream says that it ends, in ``time_base`` units; None = not said."""

    def __init__(self, time_base: Fraction, rate: Fraction | None, end: int | None, notes: Notes) -> None:
        self._time_base, self._end, self._notes = time_base, end, notes
        self._step = max(1, round(1 / ((rate or 25) * time_base)))
        self._last_pts: int | None = None
        self._held: Frame | None = None

    def stamp(self, picture: av.VideoFrame) -> None:
        """Makes sure of a time stamp after the last one; files that leave some out or repeat them do exist."""
        picture.time_base = self._time_base
        last = self._last_pts
        pts = picture.pts if picture.pts is not None else picture.dts
        if pts is None:
            pts = 0 if last is None else last + (picture.duration or self._step)
            self._notes.say("some pictures have no time stamp: theirs follow from their neighbours")
        if last is not None and pts <= last:
            pts = last + 1
            self._notes.say("some time stamps repeat or go backwards: moved on by the smallest step")
        picture.pts = self._last_pts = pts

    def follow(self, frame: Frame) -> Iterator[Frame]:
        """Takes one frame and gives the one before it, whose duration is known now."""
        if self._held is not None:
            yield replace(self._held, duration=frame.pts - self._held.pts)
        self._held = frame

    def finish(self) -> Iterator[Frame]:
        """The last frame: shown until the stream's end where that is near, else for its own duration."""
        if self._held is None:
            return
        held, self._held = self._held, None
        own = held.duration or self._step
        rest = self._end - held.pts if self._end is not None else own
        yield replace(held, duration=rest if 0 < rest <= 2 * own else own)
