"""The thread of a live run that writes: frames and packets as they come, notices while none come, and the end."""

from __future__ import annotations

import threading
import time

from stream.errors import StageStuck
from stream.live.channel import Closed, NewestChannel
from stream.live.course import Course, Item
from stream.live.watchdog import Heartbeat
from stream.live.writing import LiveWriter
from stream.media import Frame
from stream.queues import Cancelled
from stream.telemetry import RecentLatency, RecentRate

_LEAST_CLOSE_S = 0.3
_SLACK_S = 0.2
_LAST_S = 0.1
"""For each output where the thread that writes to them hangs."""


class WriteStage:
    """From ``enhanced`` to the outputs, which it finalises at the end, however that came."""

    def __init__(self, course: Course, writer: LiveWriter, enhanced: NewestChannel[Item]) -> None:
        self._course, self._writer, self._enhanced = course, writer, enhanced
        self._heart = Heartbeat()
        self._thread = threading.Thread(target=self._work, name="live-write", daemon=True)
        self.rate = RecentRate()
        """Of frames written."""
        self.latency = RecentLatency()
        """From capture to written."""

    @property
    def alive(self) -> bool:
        """Whether the thread goes on."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def look(self) -> None:
        """To be called now and then: ends the run where writing is stuck, as outputs cannot have two writers."""
        limits = self._course.limits
        if self._heart.busy_s > (limits.stuck_s if self._heart.beats else limits.first_stuck_s):
            self._course.fail(StageStuck("writing is stuck in one frame", do="Try another encoder with --codec"))

    def drain(self) -> None:
        """Wait for the frames in flight until the course says that they have to be done."""
        self._thread.join(max(0.0, self._course.drained_by - time.monotonic()))

    def finish(self) -> None:
        """Wait until the outputs are finalised; leave the thread, and what it holds, if that takes too long."""
        until = self._course.drained_by + self._course.limits.close_s + _SLACK_S
        self._thread.join(max(_LEAST_CLOSE_S + _SLACK_S, until - time.monotonic()))
        outputs = self._writer.sink.outputs if self.alive else []
        for output in outputs:
            output.finish()
        for output in outputs:
            if not output.join(_LAST_S):
                output.give_up()

    def _work(self) -> None:
        try:
            while not self._course.aborted:
                item = self._enhanced.get(self._writer.patience_s)
                if isinstance(item, Frame):
                    self._write(item)
                elif item is not None or not self._course.ending.is_set():
                    self._beside(item)
        except (Closed, Cancelled):
            pass
        except BaseException as error:
            self._course.fail(error)
        finally:
            self._close()

    def _write(self, frame: Frame) -> None:
        telemetry = self._course.telemetry
        try:
            with self._heart.work(), telemetry.stage("encode").measure():
                self._writer.write(frame)
        except Exception as error:
            self._course.drop("failed")
            if not self._course.may_restart("write", error):
                raise Cancelled from None
            return
        taken = time.monotonic() - frame.captured_at
        telemetry.stage("total").latency.add(taken)
        self.latency.add(taken)
        self.rate.add()
        telemetry.frame_out()

    def _beside(self, item: Item | None) -> None:
        """A packet, or a notice if it is time for one."""
        assert not isinstance(item, Frame)
        try:
            with self._heart.work():
                if item is None:
                    self._writer.idle()
                else:
                    self._writer.write_packet(item)
        except Exception as error:
            if not self._course.may_restart("write", error):
                raise Cancelled from None

    def _close(self) -> None:
        try:
            if self._course.aborted:
                self._writer.sink.abort()
            else:
                late = max(0.0, time.monotonic() - self._course.drained_by)
                self._writer.close(max(_LEAST_CLOSE_S, self._course.limits.close_s - late))
        except Exception as error:
            self._course.fail(error)
