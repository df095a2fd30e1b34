"""Sources and sinks made of nothing, for tests of the threads: they count, wait and fail as they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from fractions import Fraction

import av

from engines.colour import Colour
from stream.media import Frame, Packet, planes_of

TIME_BASE = Fraction(1, 25)


class Injected(Exception):
    """The failure that a test puts in."""


def frame(number: int) -> Frame:
    picture = av.VideoFrame(32, 16, "yuv420p")
    return Frame(picture, planes_of(picture, Colour()), number, TIME_BASE, number, time.monotonic())


def packet(number: int) -> Packet:
    data = av.Packet(bytes([number % 256]))
    data.pts = number
    return Packet(data, None)


def never(*_: object) -> None:
    """A hook that does nothing."""


class FakeSource:
    """``count`` frames, with a packet after every second one; ``before(number)`` runs before each frame."""

    uri, live = "fake:", False

    def __init__(self, count: int, before: Callable[[int], None] = never) -> None:
        self.count, self.before = count, before
        self.streams, self.notes, self.damaged = [], [], 0
        self.stopped = threading.Event()
        self.closed = 0

    def __iter__(self):
        for number in range(self.count):
            if self.stopped.is_set():
                return
            self.before(number)
            yield frame(number)
            if number % 2:
                yield packet(number)

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.closed += 1


class FakeSink:
    """Keeps what it is given; ``before(number)`` runs before each frame, ``at_close()`` before it is finalised."""

    uri = "fake:"

    def __init__(self, before: Callable[[int], None] = never, at_close: Callable[[], None] = never) -> None:
        self.before, self.at_close = before, at_close
        self.items: list[tuple[str, int]] = []
        self.notes: list[str] = []
        self.end: list[str] = []

    @property
    def frames(self) -> int:
        return sum(kind == "frame" for kind, _ in self.items)

    def write(self, written: Frame) -> None:
        self.before(written.seq)
        self.items.append(("frame", written.seq))

    def write_packet(self, written: Packet) -> None:
        self.items.append(("packet", written.data.pts))

    def close(self) -> None:
        self.at_close()
        self.end.append("closed")

    def abort(self) -> None:
        self.end.append("aborted")


def fail_at(number: int) -> Callable[[int], None]:
    """A hook that raises at that frame."""

    def hook(current: int) -> None:
        if current == number:
            raise Injected(f"at {number}")

    return hook
