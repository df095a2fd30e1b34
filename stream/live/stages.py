"""The threads of a live run: receive, enhance, write, and one that watches over them and ends the run.

Between them lie channels in which the newest frame wins. A frame is only taken for enhancement once there is room
behind it, so that what has to be dropped is dropped before anything was spent on it. A stage that fails starts anew, a
few times a minute; after that the run ends with the error, its outputs finalised.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from stream.errors import StageStuck, StreamError
from stream.live.channel import NewestChannel
from stream.live.course import Course, Item
from stream.live.enhance_stage import Enhance, EnhanceStage
from stream.live.state import SourceState
from stream.live.write_stage import WriteStage
from stream.live.writing import LiveWriter, Presence
from stream.media import Frame
from stream.queues import Cancelled
from stream.telemetry import RecentLatency, RecentRate

BURST, STANDING = 8, 2
"""Frames that may wait for enhancement: in a burst, and where frames come faster than they are worked off."""
_LOOK_S = 0.1
_LOOKS_A_TICK = 10
_SOURCE_S = 0.5
"""For a source to leave its iteration after ``stop``; it is daemonic and holds no frame if it does not."""


class Incoming(Protocol):
    """What is needed of a ``LiveSource``."""

    state: SourceState

    def __iter__(self) -> Iterator[Item]: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class LiveStages:
    """One run from a source through what ``prepare`` gives into the outputs."""

    def __init__(
        self,
        course: Course,
        source: Incoming,
        open_source: Callable[[], Incoming],
        prepare: Callable[[], Enhance],
        writer: LiveWriter,
        presence: Presence,
        *,
        staleness_s: float = 0.5,
        skipped: Callable[[], int] = int,
        tick: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """``open_source`` gives another source after a fault in the code of ``source``.

        ``prepare`` waits for the network. ``skipped`` tells how many pictures sources have passed over before they
        were decoded; they count as frames that came in and were dropped as ``behind``. ``tick`` is called about once a
        second, ``ended`` at the end.
        """
        self.course = course
        self._source, self._open_source, self._presence = source, open_source, presence
        self._tick, self._ended, self._skipped = tick, ended, skipped
        self._skipped_counted = 0
        self._captured: NewestChannel[Item] = NewestChannel(
            BURST, _captured_at, staleness_s=staleness_s, standing=STANDING, on_drop=course.drop
        )
        self._enhanced: NewestChannel[Item] = NewestChannel(BURST, _captured_at)
        self._enhancing = EnhanceStage(course, prepare, self._captured, self._enhanced)
        self._writing = WriteStage(course, writer, self._enhanced)
        self._receiving = self._receiver()
        self._received_at = time.monotonic()
        self._left: list[threading.Thread] = []
        self._done = threading.Event()
        self.rate_in = RecentRate()
        course.on_end(lambda: self._source.stop())

    @property
    def rate_out(self) -> RecentRate:
        """Of frames written."""
        return self._writing.rate

    @property
    def latency(self) -> RecentLatency:
        """From capture to written."""
        return self._writing.latency

    @property
    def stuck_threads(self) -> int:
        """Threads that were left to themselves and have not come back."""
        return self._enhancing.stuck_threads + sum(1 for thread in self._left if thread.is_alive())

    def start(self) -> None:
        """Start the threads; returns at once."""
        self._receiving.start()
        self._enhancing.start()
        self._writing.start()
        threading.Thread(target=self._watch, name="live-watch", daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; False if it did not come within ``timeout`` seconds."""
        return self._done.wait(timeout)

    def _receiver(self) -> threading.Thread:
        return threading.Thread(target=self._receive, args=(self._source,), name="live-receive", daemon=True)

    def _receive(self, source: Incoming) -> None:
        while True:
            try:
                self._take_in(source)
            except Cancelled:
                pass
            except StreamError as error:
                if source is self._source:
                    self.course.fail(error)
            except Exception as error:
                if source is self._source and not self.course.ending.is_set() and self._may_replace(error):
                    source = self._source
                    continue
            break
        if source is self._source:
            self._captured.close()

    def _take_in(self, source: Incoming) -> None:
        meter = self.course.telemetry.stage("receive")
        for item in source:
            if source is not self._source:
                break  # another one has taken its place
            self._received_at = time.monotonic()
            if isinstance(item, Frame):
                meter.latency.add(max(0.0, self._received_at - item.captured_at))
                self.course.telemetry.frame_in()
                self.rate_in.add()
                self._presence.arrived()
            self.course.put(self._captured, item)
            if self.course.ending.is_set():
                break

    def _may_replace(self, error: Exception) -> bool:
        """Another source in the place of one whose code failed, unless that happened too often."""
        if not self.course.may_restart("receive", error):
            return False
        self._source.close()
        try:
            self._source = self._open_source()
        except Exception as failure:
            self.course.fail(failure)
            return False
        return True

    def _look_at_source(self) -> None:
        """A source says itself when nothing comes. One that does not is stuck, and another takes its place."""
        silent = time.monotonic() - self._received_at
        if self._source.state is not SourceState.STREAMING:
            self._received_at = time.monotonic()
        elif silent > self.course.limits.silent_s:
            self._left = [thread for thread in (*self._left, self._receiving) if thread.is_alive()]
            if len(self._left) > self.course.limits.most_stuck or not self.course.restarts.allowed():
                self.course.fail(StageStuck("receiving is stuck again and again", do="Check the source"))
                return
            self.course.events("stuck", level="error", stage="receive", seconds=silent)
            stuck, self._received_at = self._source, time.monotonic()
            self._source = self._open_source()
            stuck.stop()
            self._receiving = self._receiver()
            self._receiving.start()

    def _count_skipped(self) -> None:
        fresh = self._skipped() - self._skipped_counted
        if fresh > 0:
            self._skipped_counted += fresh
            self.course.telemetry.frame_in(fresh)
            self.course.drop("behind", fresh)

    def _watch(self) -> None:
        try:
            looks = 0
            while not self.course.ending.wait(_LOOK_S) and self._writing.alive:
                self._look_at_source()
                self._count_skipped()
                self._enhancing.look()
                self._writing.look()
                looks += 1
                if looks % _LOOKS_A_TICK == 0:
                    self._tick()
        finally:
            self._finish()

    def _finish(self) -> None:
        """Within the limits: drain, give up the rest, finalise, account for everything."""
        self.course.end()
        self._writing.drain()
        self.course.drop(self.course.cause, self._captured.cancel())
        self._enhancing.finish()
        self._writing.finish()
        self.course.drop(self.course.cause, self._enhanced.cancel())
        self._receiving.join(_SOURCE_S)
        self._source.close()
        self._count_skipped()
        self._settle()
        self._ended()
        self._done.set()

    def _settle(self) -> None:
        telemetry = self.course.telemetry
        telemetry.end()
        lost = telemetry.in_flight
        if lost and (self._enhancing.left_any or self._writing.alive):
            self.course.drop(self.course.cause, lost)  # in the hands of threads that did not come to an end
        elif lost:
            self.course.fail(AssertionError(f"{lost} frames went in and neither came out nor were dropped"))


def _captured_at(item: Item) -> float | None:
    return item.captured_at if isinstance(item, Frame) else None
