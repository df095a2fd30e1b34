"""Frames at the pace of their time stamps, for sources that hand out seconds at once: playlists, files."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from stream.media.frame import Frame
from stream.media.sources.connection import NO_PTS

_JUMP_S = 3.0
"""Time stamps further apart than this are not waited for."""


class Pace:
    """Waits until a frame is due. A frame that comes late moves all later ones: what is buffered stays buffered."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._start: float | None = None
        self._last = 0.0
        self._spacing = 0.0

    def wait(self, frame: Frame) -> Frame:
        """The frame, as captured now: when it is due, or at once after ``stop`` or if it is late already."""
        now = time.monotonic()
        if frame.pts != NO_PTS:
            at = frame.time
            if self._start is None:
                self._start = now - at
            elif not 0 <= at - self._last <= _JUMP_S:
                self._start += self._last + self._spacing - at  # a file that begins again, a playlist that jumps
            else:
                self._spacing = at - self._last
            self._start = max(self._start, now - at)
            self._last = at
            if self._stop.wait(self._start + at - now):
                return frame
        return replace(frame, captured_at=time.monotonic())

    def stop(self) -> None:
        """Nothing is waited for any more; callable from any thread."""
        self._stop.set()
