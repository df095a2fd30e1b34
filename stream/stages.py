"""The threads of a run: read and decode, enhance, encode and write, with bounded channels between them.

Packets of copied streams travel with the frames, so their order is the order of the input. Whatever way a run ends, its
threads end: a stage that fails releases the stages before it and lets those after it finish what they hold, so that the
output up to there can be finalised. Only the sink's own failure and ``abort`` leave no output behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

from stream.media import Frame, Packet, Sink, Source
from stream.queues import Cancelled, Channel
from stream.telemetry import Telemetry

Item = Frame | Packet

WAITING_FRAMES = 2
"""Room of each channel: lets neighbours work at the same time without holding much memory (3 MB a frame at 1080p)."""


class Stages:
    """One run of items from ``source`` through ``enhance`` into ``sink``; without a sink, ``frames`` gives them out."""

    def __init__(
        self,
        source: Source,
        enhance: Callable[[Frame], Frame],
        sink: Sink | None,
        telemetry: Telemetry,
        capacity: int = WAITING_FRAMES,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """``ended`` is called once all threads have ended, however they did."""
        self._source = source
        self._enhance = enhance
        self._sink = sink
        self._telemetry = telemetry
        self._ended = ended
        self._decoded: Channel[Item] = Channel(capacity)
        self._enhanced: Channel[Item] = Channel(capacity)
        self._stop = threading.Event()
        self._aborted = threading.Event()
        self._failed = threading.Lock()
        self._error: BaseException | None = None
        bodies = {"decode": self._run_decode, "enhance": self._run_enhance}
        if sink is not None:
            bodies["encode"] = self._run_encode
        self._threads = [
            threading.Thread(target=body, name=f"stream-{name}", daemon=True) for name, body in bodies.items()
        ]

    @property
    def error(self) -> BaseException | None:
        """The first failure of any stage; what it caused elsewhere is not kept."""
        return self._error

    @property
    def stopped(self) -> bool:
        """Whether ``stop`` or ``abort`` ended the run."""
        return self._stop.is_set()

    def start(self) -> None:
        """Start the threads; returns at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Read no further, finish the frames in flight and finalise the output. Returns at once."""
        self._stop.set()
        self._source.stop()

    def abort(self) -> None:
        """Give up the frames in flight and the output. Returns at once."""
        self.stop()
        self._aborted.set()
        self._decoded.cancel()
        self._enhanced.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of all threads, then close the source. False if ``timeout`` seconds were not enough."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                return False
        self._source.close()
        self._ended()
        self._settle()
        return True

    def frames(self) -> Iterator[Frame]:
        """Enhanced frames, for a run without a sink. Leaving the loop early ends the run."""
        meter = self._telemetry.stage("total")
        try:
            for item in self._enhanced:
                if isinstance(item, Frame):
                    meter.latency.add(time.monotonic() - item.captured_at)
                    self._telemetry.frame_out()
                    yield item
        except GeneratorExit:
            self.abort()
            raise
        except Cancelled:
            pass
        finally:
            self.wait()
        if self._error is not None:
            raise self._error

    def _settle(self) -> None:
        """Account for what was given up; anything else that is missing is a fault of this program."""
        self._telemetry.end()
        if self._sink is not None and (self._error is not None or self._aborted.is_set()):
            self._telemetry.keep(self._sink.frames)
        lost = self._telemetry.in_flight
        if lost and self._error is not None:
            self._telemetry.drop("failed", lost)
        elif lost and self._aborted.is_set():
            self._telemetry.drop("aborted", lost)
        elif lost:
            raise AssertionError(f"{lost} frames went in and neither came out nor were dropped")

    def _fail(self, error: BaseException) -> None:
        with self._failed:
            if self._error is None:
                self._error = error

    def _run_decode(self) -> None:
        meter = self._telemetry.stage("decode")
        try:
            items = iter(self._source)
            while not self._stop.is_set():
                start = time.perf_counter()
                item = next(items, None)
                if item is None:
                    break
                if isinstance(item, Frame):
                    meter.latency.add(time.perf_counter() - start)
                    meter.cpu_seconds = time.thread_time()
                    self._telemetry.frame_in()
                self._decoded.put(item)
        except Cancelled:
            pass
        except BaseException as error:
            self._fail(error)
        finally:
            self._decoded.close()

    def _run_enhance(self) -> None:
        meter = self._telemetry.stage("enhance")
        try:
            for item in self._decoded:
                if isinstance(item, Frame):
                    with meter.measure():
                        item = self._enhance(item)
                self._enhanced.put(item)
        except Cancelled:
            pass
        except BaseException as error:
            self._fail(error)
            self.stop()
            self._decoded.cancel()
        finally:
            self._enhanced.close()

    def _run_encode(self) -> None:
        assert self._sink is not None
        meter, total = self._telemetry.stage("encode"), self._telemetry.stage("total")
        try:
            for item in self._enhanced:
                if isinstance(item, Frame):
                    with meter.measure():
                        self._sink.write(item)
                    total.latency.add(time.monotonic() - item.captured_at)
                    self._telemetry.frame_out()
                else:
                    self._sink.write_packet(item)
            self._sink.close()
        except BaseException as error:
            if not isinstance(error, Cancelled):
                self._fail(error)
            self._give_up_output()

    def _give_up_output(self) -> None:
        assert self._sink is not None
        self.stop()
        self._decoded.cancel()
        self._enhanced.cancel()
        try:
            self._sink.abort()
        except BaseException as error:
            self._fail(error)
