"""The threads of a live run: receive, enhance, write, and one that watches over them and ends the run.

Between them lie channels in which the newest frame wins. A frame is only taken for enhancement once there is room
behind it, so that what has to be dropped is dropped before anything was spent on it. A stage that fails starts anew, a
few times a minute; after that the run ends with the error, its outputs finalised. A stage that is stuck in one frame is
left to itself and replaced.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from stream.errors import StageStuck, StreamError
from stream.live.channel import Closed, NewestChannel
from stream.live.watchdog import Heartbeat, Restarts
from stream.live.writing import LiveWriter, Presence
from stream.media import Frame, Packet
from stream.queues import Cancelled
from stream.redaction import redact
from stream.telemetry import RecentLatency, RecentRate, Telemetry

Item = Frame | Packet

BURST, STANDING = 8, 2
"""Frames that may wait for enhancement: in a burst, and where frames come faster than they are worked off."""
_TICK_S = 0.1
_SOURCE_S = 0.5
"""For a source to leave its iteration after ``stop``; it is daemonic and holds no frame if it does not."""


class Events(Protocol):
    """Told of what happens, a word and its fields, from any thread; ``level`` is info, warning or error."""

    def __call__(self, event: str, **fields: object) -> None: ...


class Incoming(Protocol):
    """What is needed of a ``LiveSource``."""

    def __iter__(self) -> Iterator[Item]: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Enhance(Protocol):
    """What is needed of a ``LiveEnhancer``."""

    def __call__(self, frame: Frame) -> Frame: ...

    def restart(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    stuck_s: float = 30.0
    """A stage that works on one frame for longer is stuck."""
    first_stuck_s: float = 300.0
    """The same for the first frame, which may have to compile kernels."""
    drain_s: float = 0.7
    """After ``stop``: for the frames in flight."""
    close_s: float = 0.9
    """After that: for finalising the outputs."""
    most_stuck: int = 2
    """Threads left to themselves before the run is given up."""


class _Worker:
    """One thread that enhances, and the frame in its hand. Left to itself it delivers nothing any more."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.heart = Heartbeat()
        self.holds = False
        self.left = False
        self.thread: threading.Thread | None = None

    def take(self) -> None:
        with self.lock:
            self.holds = not self.left

    def deliver(self, put: Callable[[], None]) -> bool:
        """Hand on what is in the hand; False if somebody else has accounted for it."""
        with self.lock:
            if self.left:
                return False
            self.holds = False
            put()
            return True

    def leave(self) -> bool:
        """From now on the thread counts for nothing; whether it held a frame."""
        with self.lock:
            held, self.holds, self.left = self.holds and not self.left, False, True
            return held


class LiveStages:
    """One run from a source through ``enhance`` into the outputs."""

    def __init__(
        self,
        source: Incoming,
        open_source: Callable[[], Incoming],
        prepare: Callable[[], Enhance],
        writer: LiveWriter,
        presence: Presence,
        telemetry: Telemetry,
        *,
        staleness_s: float = 0.5,
        limits: Limits | None = None,
        events: Events = lambda event, **fields: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """``prepare`` waits for the network and gives what enhances; it is called again after a stage was stuck.

        ``open_source`` gives another source after a fault in the code of ``source``. ``ended`` is called at the end.
        """
        self._open_source, self._prepare, self._writer = open_source, prepare, writer
        self._presence, self._telemetry, self._events, self._ended = presence, telemetry, events, ended
        self.limits = limits or Limits()
        self.restarts = Restarts()
        self.rate_in, self.rate_out = RecentRate(), RecentRate()
        self.latency = RecentLatency()
        """From capture to written."""
        self.error: BaseException | None = None
        self.interrupted = False
        """Whether ``stop`` or ``abort`` was called."""
        self._ready = False
        self._stop = threading.Event()
        self._aborted = False
        self._done = threading.Event()
        self._failing = threading.Lock()
        self._stop_by = float("inf")
        self._captured: NewestChannel[Item] = NewestChannel(
            BURST, _captured_at, staleness_s=staleness_s, standing=STANDING, on_drop=self._drop
        )
        self._enhanced: NewestChannel[Item] = NewestChannel(BURST, _captured_at)
        self._source = source
        self._left: list[_Worker] = []
        self._worker = _Worker()
        self._writing = Heartbeat()
        self._receive_thread = threading.Thread(target=self._receive, name="live-receive", daemon=True)
        self._write_thread = threading.Thread(target=self._write, name="live-write", daemon=True)

    @property
    def source(self) -> Incoming:
        """The present one."""
        return self._source

    @property
    def ready(self) -> bool:
        """Whether the network has been loaded and frames are being enhanced."""
        return self._ready

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self._stop.is_set()

    @property
    def stuck_threads(self) -> int:
        """Threads that were left to themselves and have not come back."""
        return sum(1 for worker in self._left if worker.thread is not None and worker.thread.is_alive())

    def start(self) -> None:
        """Start the threads; returns at once."""
        self._receive_thread.start()
        self._start_worker(self._worker)
        self._write_thread.start()
        threading.Thread(target=self._watch, name="live-watch", daemon=True).start()

    def stop(self) -> None:
        """Receive no more, finish what is in flight, finalise the outputs. Returns at once; any thread may call."""
        self.interrupted = True
        self._end()

    def abort(self) -> None:
        """As ``stop``, but give up what is in flight."""
        self.interrupted = self._aborted = True
        self._stop_by = time.monotonic()
        self._stop.set()
        self._source.stop()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; False if it did not come within ``timeout`` seconds."""
        return self._done.wait(timeout)

    def _end(self) -> None:
        if not self._stop.is_set():
            self._stop_by = time.monotonic() + self.limits.drain_s
            self._stop.set()
        self._source.stop()

    # --- receive

    def _receive(self) -> None:
        try:
            while True:
                try:
                    self._take_in(self._source)
                    break
                except Cancelled:
                    break
                except StreamError as error:
                    self._fail(error)
                    break
                except Exception as error:
                    if self._stop.is_set() or not self._may_restart("receive", error):
                        break
                    self._source.close()
                    self._source = self._open_source()
        finally:
            self._captured.close()

    def _take_in(self, source: Incoming) -> None:
        meter = self._telemetry.stage("receive")
        for item in source:
            if isinstance(item, Frame):
                meter.latency.add(max(0.0, time.monotonic() - item.captured_at))
                self._telemetry.frame_in()
                self.rate_in.add()
                self._presence.arrived()
            self._put(self._captured, item)
            if self._stop.is_set():
                break

    # --- enhance

    def _start_worker(self, worker: _Worker) -> None:
        worker.thread = threading.Thread(target=self._enhance, args=(worker,), name="live-enhance", daemon=True)
        worker.thread.start()

    def _enhance(self, worker: _Worker) -> None:
        enhance: Enhance | None = None
        try:
            enhance = self._prepare()
            while not worker.left:
                self._enhanced.wait_for_room()
                item = self._captured.get()
                self._ready = True
                if isinstance(item, Frame):
                    self._enhance_one(worker, enhance, item)
                elif item is not None:
                    self._enhanced.put(item)
        except (Closed, Cancelled):
            pass
        except BaseException as error:
            if not worker.left:
                self._fail(error)
        finally:
            if enhance is not None:
                enhance.close()
            if not worker.left:
                self._enhanced.close()

    def _enhance_one(self, worker: _Worker, enhance: Enhance, frame: Frame) -> None:
        worker.take()
        try:
            with worker.heart.work(), self._telemetry.stage("enhance").measure():
                result = enhance(frame)
        except Exception as error:
            result = frame
            if worker.left or not self._may_restart("enhance", error):
                worker.deliver(lambda: self._drop("failed", 1))
                raise Cancelled from None
            enhance.restart()
        if not worker.deliver(lambda: self._put(self._enhanced, result)):
            raise Cancelled

    # --- write

    def _write(self) -> None:
        try:
            while not self._aborted:
                item = self._enhanced.get(self._writer.patience_s)
                if isinstance(item, Frame):
                    self._write_one(item)
                elif item is not None:
                    self._writer.write_packet(item)
                elif not self._stop.is_set():
                    with self._writing.work():
                        self._writer.idle()
        except (Closed, Cancelled):
            pass
        except BaseException as error:
            self._fail(error)
        finally:
            self._close_outputs()

    def _write_one(self, frame: Frame) -> None:
        try:
            with self._writing.work(), self._telemetry.stage("encode").measure():
                self._writer.write(frame)
        except Exception as error:
            self._drop("failed", 1)
            if not self._may_restart("write", error):
                raise Cancelled from None
            return
        taken = time.monotonic() - frame.captured_at
        self._telemetry.stage("total").latency.add(taken)
        self.latency.add(taken)
        self.rate_out.add()
        self._telemetry.frame_out()

    def _close_outputs(self) -> None:
        try:
            if self._aborted:
                self._writer.sink.abort()
            else:
                late = max(0.0, time.monotonic() - self._stop_by)
                self._writer.close(max(0.3, self.limits.close_s - late))
        except Exception as error:
            self._fail(error)

    # --- watch and end

    def _watch(self) -> None:
        try:
            while not self._stop.wait(_TICK_S) and self._write_thread.is_alive():
                self._look_at_worker()
                if self._writing.busy_s > self._stuck_after(self._writing):
                    self._fail(StageStuck("writing has been stuck in one frame", do="Check the encoder (--codec)"))
        finally:
            self._finish()

    def _look_at_worker(self) -> None:
        worker = self._worker
        if worker.heart.busy_s <= self._stuck_after(worker.heart):
            return
        if len(self._left) >= self.limits.most_stuck:
            self._fail(StageStuck("enhancing has been stuck in one frame, again and again", do="Try another --model"))
            return
        self._events("stuck", level="error", stage="enhance", seconds=worker.heart.busy_s)
        self._leave(worker, "stuck")
        self._worker = _Worker()
        self._start_worker(self._worker)

    def _stuck_after(self, heart: Heartbeat) -> float:
        return self.limits.stuck_s if heart.beats else self.limits.first_stuck_s

    def _leave(self, worker: _Worker, cause: str) -> None:
        if worker.leave():
            self._drop(cause, 1)
        self._left.append(worker)

    def _finish(self) -> None:
        """Within the limits: drain, give up the rest, finalise, account for everything."""
        self._end()
        cause = "failed" if self.error else "stopped"
        self._write_thread.join(max(0.0, self._stop_by - time.monotonic()))
        self._drop(cause, self._captured.cancel())
        thread = self._worker.thread
        if thread is not None:
            thread.join(max(0.1, self._stop_by - time.monotonic()))
            if thread.is_alive():
                self._leave(self._worker, cause)
        self._enhanced.close()
        self._write_thread.join(max(0.5, self._stop_by + self.limits.close_s + 0.2 - time.monotonic()))
        self._drop(cause, self._enhanced.cancel())
        self._receive_thread.join(_SOURCE_S)
        self._source.close()
        self._settle(cause)
        self._ended()
        self._done.set()

    def _settle(self, cause: str) -> None:
        self._telemetry.end()
        lost = self._telemetry.in_flight
        if lost and (self._left or self._write_thread.is_alive()):
            self._drop(cause, lost)  # in the hands of threads that did not come to an end
        elif lost:
            self._fail(AssertionError(f"{lost} frames went in and neither came out nor were dropped"))

    # --- shared

    def _put(self, channel: NewestChannel[Item], item: Item) -> None:
        try:
            channel.put(item)
        except Cancelled:
            if isinstance(item, Frame):
                self._drop("failed" if self.error else "stopped", 1)
            raise

    def _drop(self, cause: str, frames: int) -> None:
        if frames:
            waits = cause == "queue_full" and not self._ready
            self._telemetry.drop("starting" if waits else cause, frames)

    def _may_restart(self, stage: str, error: Exception) -> bool:
        """Whether a stage that raised may go on; if not, the run ends with the error."""
        allowed = self.restarts.allowed()
        said = redact(f"{type(error).__name__}: {error}")
        self._events("restart", level="warning" if allowed else "error", stage=stage, error=said)
        if not allowed:
            self._fail(error)
        return allowed

    def _fail(self, error: BaseException) -> None:
        with self._failing:
            if self.error is None:
                self.error = error
        self._end()


def _captured_at(item: Item) -> float | None:
    return item.captured_at if isinstance(item, Frame) else None
