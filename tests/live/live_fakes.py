"""A live source, outputs and a network made of nothing, for tests of the threads; they fail as they are told."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from types import SimpleNamespace

import av

from engines.colour import Colour
from stream.live.configuration import StreamConfig
from stream.live.outputs.output import OutputState
from stream.live.run import LiveRun
from stream.live.state import SourceState
from stream.media import Frame, Packet, planes_of
from stream.settings import Settings

TIME_BASE = Fraction(1, 90_000)


class Injected(Exception):
    """The failure that a test puts in."""


def frame(number: int, *, size=(32, 16), luma=40, generation=1, pts=None, age=0.0, format="yuv420p") -> Frame:
    picture = av.VideoFrame(*size, format)
    for index, plane in enumerate(picture.planes):
        plane.update(bytes([luma if index == 0 else 128]) * plane.buffer_size)
    return Frame(
        picture,
        planes_of(picture, Colour()),
        number * 3600 if pts is None else pts,
        TIME_BASE,
        number,
        time.monotonic() - age,
        duration=3600,
        generation=generation,
    )


def packet(number: int) -> Packet:
    data = av.Packet(bytes([number % 256]))
    data.pts = data.dts = number
    data.time_base = TIME_BASE
    return Packet(data, None)


class FakeSource:
    """Gives what ``feed`` was given, until ``stop``; exceptions are raised, functions called, None is the end."""

    uri = "rtsp://camera/1"

    def __init__(self, items: queue.Queue[object] | None = None) -> None:
        """``items`` of a source before, which go on in this one."""
        self.items = items or queue.Queue()
        self.stopped = threading.Event()
        self.state, self.video, self.notes = SourceState.STREAMING, None, []
        self.generation = self.reconnects = self.stalls = 0
        self.damaged = self.lost_before_key_frame = self.skipped = self.stuck_readers = 0
        self.last_error = ""
        self.closed = 0

    def feed(self, *items: object) -> None:
        for item in items:
            self.items.put(item)

    def __iter__(self):
        while not self.stopped.is_set():
            try:
                item = self.items.get(timeout=0.01)
            except queue.Empty:
                continue
            if isinstance(item, BaseException):
                raise item
            if item is None:
                return
            if callable(item):
                item()
                continue
            yield item

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.stopped.set()
        self.closed += 1


class FakeOutput:
    uri, last_error, reconnects = "fake:", "", 0
    offered = written = in_flight = 0
    state = OutputState.WRITING

    def __init__(self) -> None:
        self.dropped = Counter()
        self.given_up = 0

    def finish(self) -> None:
        pass

    def join(self, timeout_s: float) -> bool:
        return False

    def give_up(self) -> None:
        self.given_up += 1


class FakeSink:
    """Keeps what it is given; ``before(frame)`` runs before each frame, ``at_close()`` before it is finalised."""

    uri = "fake:"

    def __init__(self, before: Callable[[Frame], None] = lambda frame: None, at_close=lambda: None) -> None:
        self.before, self.at_close = before, at_close
        self.items: list[Frame | Packet] = []
        self.notes: list[str] = []
        self.outputs = [FakeOutput()]
        self.end: list[str] = []
        self.frames = 0
        self.key_frames = 0

    @property
    def written(self) -> list[Frame]:
        return [item for item in self.items if isinstance(item, Frame)]

    def write(self, written: Frame) -> None:
        self.before(written)
        self.items.append(written)
        self.frames += 1

    def write_packet(self, written: Packet) -> None:
        self.items.append(written)

    def request_key_frame(self) -> None:
        self.key_frames += 1

    def close(self, timeout_s: float = 1.5) -> None:
        self.at_close()
        self.end.append("closed")

    def abort(self) -> None:
        self.end.append("aborted")


class FakeNetwork:
    """Its enhancers call ``enhance(frame)``; ``made`` keeps them all."""

    extra_inputs = ()
    card = SimpleNamespace(name="fake", kind="grid", sha256="0")

    def __init__(self, enhance: Callable[[Frame], Frame] = lambda frame: frame) -> None:
        self.enhance = enhance
        self.made: list[FakeEnhancer] = []

    def enhancer(self, settings, telemetry, semantics):
        self.made.append(FakeEnhancer(self.enhance, settings))
        return self.made[-1]


class FakeEnhancer:
    cuts, network_failures, semantics = 0, 0, None

    def __init__(self, enhance, settings) -> None:
        self.enhance, self.settings, self.strength = enhance, settings, settings.strength
        self.seen: list[int] = []
        self.strengths: list[float] = []

    @property
    def network_runs(self) -> int:
        return len(self.seen)

    def __call__(self, given: Frame) -> Frame:
        self.seen.append(given.seq)
        self.strengths.append(self.strength)
        return self.enhance(given)

    def close(self) -> None:
        pass


class Rig:
    """A live run between fakes. Leaving the block stops it and holds the books against each other."""

    def __init__(self, *, enhance=lambda frame: frame, sink=None, network=None, limits=None, **settings) -> None:
        self.source, self.sources = FakeSource(), []
        self.sink = sink or FakeSink()
        self.network = network or FakeNetwork(enhance)
        self.events: list[tuple[str, dict]] = []
        self.release = threading.Event()
        """Set at the end, for hooks that a test lets wait."""
        given = {"staleness": 60, "away": "pause"} | settings  # a busy machine may hold a frame up for a while
        config = StreamConfig("cam", "rtsp://user:secret@camera/1", ("fake:",), Settings(**given))
        self.run = LiveRun(
            config,
            self.network,
            events=lambda event, **fields: self.events.append((event, fields)),
            open_source=self._open_source,
            open_sink=lambda config, events: self.sink,
            limits=limits,
        )

    def _open_source(self, config, events):
        if self.sources:
            self.source = FakeSource(self.source.items)
        self.sources.append(self.source)
        return self.source

    def __enter__(self) -> Rig:
        self.run.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.run.stop()
        self.release.set()
        assert self.run.join(30), "a thread hangs"
        stats = self.run.stats()
        assert stats.in_flight == 0
        assert stats.frames_in == stats.frames_out + sum(stats.dropped.values())
        assert self.sink.end in (["closed"], ["aborted"], [])

    def until(self, condition: Callable[[], object], timeout: float = 60) -> None:
        """Waits for the condition; the books are checked all the while."""
        deadline = time.monotonic() + timeout
        while not condition():
            stats = self.run.stats()
            assert 0 <= stats.in_flight <= 24
            assert time.monotonic() < deadline, f"in vain: {stats}"
            time.sleep(0.005)

    def told(self, event: str) -> list[dict]:
        return [fields for name, fields in list(self.events) if name == event]
