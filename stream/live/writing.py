"""Hands frames to the sink in time, and keeps the outputs alive with a notice while the source is away."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from typing import Protocol

from stream.live.notice import RATE, Notice
from stream.live.outputs.output import Output
from stream.live.timeline import LEAST_STEP, TIME_BASE
from stream.media import Frame, Packet
from stream.settings import Away

AWAY_S = 1.0
"""Seconds without a picture after which the source counts as away."""
_GAPS = 3.0
"""A source that is slower than that is away after so many of its usual gaps."""
_LEARN = 0.1
_JUMP_S = 1.0


class LiveOutputs(Protocol):
    """What is needed of a ``LiveSink``."""

    uri: str
    frames: int
    outputs: list[Output]

    @property
    def notes(self) -> list[str]: ...

    def write(self, frame: Frame) -> None: ...

    def write_packet(self, packet: Packet) -> None: ...

    def request_key_frame(self) -> None: ...

    def close(self, timeout_s: float = ...) -> None: ...

    def abort(self) -> None: ...


class Presence:
    """Whether the source is there: told of every picture that comes in, asked from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, away_s: float = AWAY_S) -> None:
        """``away_s``: seconds without a picture that are normal for the source."""
        self._clock, self._away_s = clock, away_s
        self._last: float | None = None
        self._gap = 0.0

    def arrived(self) -> None:
        """A picture came in."""
        now = self._clock()
        if self._last is not None and now - self._last < 10 * self._away_s:
            self._gap += _LEARN * (now - self._last - self._gap)
        self._last = now

    @property
    def away_since(self) -> float | None:
        """When the last picture came, if that is too long ago; None while the source is there, or has never been."""
        if self._last is None or self._clock() - self._last <= max(self._away_s, _GAPS * self._gap):
            return None
        return self._last


class LiveWriter:
    """Writes frames and packets of one run, from one thread. Output times rise by a millisecond at least."""

    def __init__(
        self,
        sink: LiveOutputs,
        presence: Presence,
        away: Away = "hold",
        *,
        showing: Callable[[bool], None] = lambda shown: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``showing`` is told when the notice appears and when it goes."""
        self.sink = sink
        self.notices = 0
        """Pictures of the notice so far; they are no frames of the source."""
        self._presence, self._holds, self._showing, self._clock = presence, away == "hold", showing, clock
        self._last: Frame | None = None
        self._end = 0
        """Output time of the last picture, notice or not, in its time base."""
        self._shift_s = 0.0
        self._notice: Notice | None = None
        self._next_notice = 0.0

    @property
    def patience_s(self) -> float:
        """How long to wait for a frame before ``idle`` is called."""
        return 1 / RATE if self._notice is None else max(0.0, self._next_notice - self._clock())

    @property
    def notice_shown(self) -> bool:
        """Whether outputs show the notice now."""
        return self._notice is not None

    def write(self, frame: Frame) -> None:
        """A frame of the source. Raises what the sink raises."""
        if self._notice is not None:
            self._notice = None
            self._showing(False)
        placed = self._placed(frame)
        self.sink.write(placed)
        self._last, self._end = placed, placed.pts

    def write_packet(self, packet: Packet) -> None:
        """A packet that is copied."""
        if self._shift_s:
            ticks = round(self._shift_s / packet.data.time_base)
            if packet.data.pts is not None:
                packet.data.pts += ticks
            if packet.data.dts is not None:
                packet.data.dts += ticks
        self.sink.write_packet(packet)

    def idle(self) -> None:
        """Nothing came for ``patience_s``: a picture of the notice is due if the source is away."""
        since = self._presence.away_since
        if not self._holds or since is None or self._last is None:
            return
        if self._notice is None:
            self._notice = Notice(self._last, since)
            self._next_notice = self._clock()
            self._showing(True)
        now = self._clock()
        if now < self._next_notice:
            return
        shown = self._notice.at(now)
        shown = replace(shown, pts=max(shown.pts, self._next_time(shown)))
        self.sink.write(shown)
        self.notices += 1
        self._end = shown.pts
        self._next_notice = max(self._next_notice + 1 / RATE, now)

    def close(self, timeout_s: float) -> None:
        """Finalise the outputs."""
        self.sink.close(timeout_s=timeout_s)

    def _placed(self, frame: Frame) -> Frame:
        """At its own time; later where that is taken already, and where a source began its clock anew."""
        last = self._last
        if last is None:
            return frame
        pts = frame.pts + round(self._shift_s / frame.time_base)
        if (self._end - pts) * frame.time_base > _JUMP_S:
            captured = self._last_time(last) + frame.captured_at - last.captured_at
            self._shift_s = captured - float(frame.pts * frame.time_base)
            pts = frame.pts + round(self._shift_s / frame.time_base)
        pts = max(pts, self._next_time(frame))
        return replace(frame, pts=pts) if pts != frame.pts else frame

    def _next_time(self, frame: Frame) -> int:
        """The first output time that is free, in the frame's time base."""
        return self._end + ceil(LEAST_STEP * TIME_BASE / frame.time_base)

    @staticmethod
    def _last_time(last: Frame) -> float:
        return float(last.pts * last.time_base)


def states(outputs: Sequence[Output]) -> str:
    """``2 writing, 1 waiting``"""
    counts: dict[str, int] = {}
    for output in outputs:
        counts[output.state.value] = counts.get(output.state.value, 0) + 1
    return ", ".join(f"{count} {state}" for state, count in counts.items())
