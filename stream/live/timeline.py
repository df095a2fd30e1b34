"""Output times of a live source: one clock of 1/90000 s that only rises and follows capture time.

The source's own time stamps give the spacing of frames; when each packet arrived says where the clock has to be. Wraps,
restarts at zero, jumps of hours, drifting crystals and missing stamps all show as a difference between the two.
"""

from __future__ import annotations

import math
from fractions import Fraction

TIME_BASE = Fraction(1, 90000)
_RATE = 90000
LEAST_STEP = 90
"""Ticks between two output times, one millisecond: Matroska and FLV count no finer."""
_JUMP_S = 1.0
"""A time stamp further than this from capture time is not believed: the clock is set anew."""
_TOLERANCE_S = 0.02
_SLEW = 0.02
"""Part of elapsed time by which a difference is corrected: far more than crystals drift, and not visible."""
_WINDOW_S = 2.0
"""Delays on the way only ever add: the smallest of a window is the best look at the source's clock."""


class Timeline:
    """Maps raw time stamps of video to output times; ``shift`` does the same to other streams of the source."""

    def __init__(self) -> None:
        self._origin: float | None = None
        self._last: int | None = None
        self._offset: float | None = None
        """Output seconds minus source seconds; None after a new connection."""
        self._window_start = self._slewed_at = 0.0
        self._least = math.inf
        self._correction = 0.0

    @property
    def known(self) -> bool:
        """True once a frame of this connection had a time stamp: other streams can be placed."""
        return self._offset is not None

    @property
    def now(self) -> float:
        """Output time of the last frame in seconds."""
        return (self._last or 0) / _RATE

    def restart(self) -> None:
        """A new connection: its time stamps have nothing to do with those before. Output goes on from capture time."""
        self._offset = None

    def place(self, pts: int | None, time_base: Fraction, captured_at: float) -> int:
        """The output time of a frame, in 1/90000 s, a millisecond or more after the one before; the first is 0.

        ``captured_at``: a monotonic clock in seconds, when the frame's packet arrived.
        """
        if self._origin is None:
            self._origin = captured_at
        captured = captured_at - self._origin
        if pts is None:
            seconds = captured
        else:
            source = float(pts * time_base)
            if self._offset is None or abs(source + self._offset - captured) > _JUMP_S:
                self._anchor(captured - source, captured)
            self._follow(captured - source, captured)
            assert self._offset is not None
            seconds = source + self._offset
        out = round(seconds * _RATE)
        if self._last is not None:
            out = max(out, self._last + LEAST_STEP)
        self._last = out
        return out

    def shift(self, pts: int, time_base: Fraction) -> int:
        """The output time of another stream's packet, in that stream's own ``time_base``; needs ``known``."""
        assert self._offset is not None
        return pts + round(self._offset / time_base)

    def _anchor(self, offset: float, captured: float) -> None:
        self._offset = offset
        self._correction, self._least = 0.0, math.inf
        self._window_start = self._slewed_at = captured

    def _follow(self, delay: float, captured: float) -> None:
        """Moves the offset slowly towards the smallest delay that was seen lately."""
        assert self._offset is not None
        self._least = min(self._least, delay - self._offset)
        if captured - self._window_start >= _WINDOW_S:
            self._correction = self._least if abs(self._least) > _TOLERANCE_S else 0.0
            self._window_start, self._least = captured, math.inf
        most = _SLEW * max(0.0, captured - self._slewed_at)
        self._slewed_at = captured
        step = max(-most, min(most, self._correction))
        self._offset += step
        self._correction -= step
