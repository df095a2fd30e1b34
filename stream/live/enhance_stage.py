"""The thread of a live run that enhances, and its replacement where one is stuck in a frame.

Nothing can interrupt a thread. One that is stuck is left to itself: whatever it delivers later counts for nothing, its
frame is counted as dropped, and another thread with an enhancer of its own goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from stream.errors import StageStuck
from stream.live.channel import Closed, NewestChannel
from stream.live.course import Course, Item
from stream.live.watchdog import Heartbeat
from stream.media import Frame
from stream.queues import Cancelled


class Enhance(Protocol):
    """What is needed of a ``LiveEnhancer``."""

    def __call__(self, frame: Frame) -> Frame: ...

    def restart(self) -> None: ...

    def close(self) -> None: ...


class EnhanceStage:
    """From ``captured`` through what ``prepare`` gives into ``enhanced``, which it closes at the end."""

    def __init__(
        self,
        course: Course,
        prepare: Callable[[], Enhance],
        captured: NewestChannel[Item],
        enhanced: NewestChannel[Item],
    ) -> None:
        """``prepare`` waits for the network; it is called again for each replacement, in its thread."""
        self._course, self._prepare = course, prepare
        self._captured, self._enhanced = captured, enhanced
        self._left: list[_Worker] = []
        self.left_any = False
        """Whether any thread was left to itself."""
        self._worker = _Worker(self._work)

    @property
    def stuck_threads(self) -> int:
        """Threads that were left to themselves and have not come back."""
        return sum(1 for worker in self._left if worker.thread.is_alive())

    def start(self) -> None:
        """Start the thread."""
        self._worker.thread.start()

    def look(self) -> None:
        """To be called now and then: replaces a thread that is stuck."""
        worker, limits = self._worker, self._course.limits
        if worker.heart.busy_s <= (limits.stuck_s if worker.heart.beats else limits.first_stuck_s):
            return
        if self.stuck_threads >= limits.most_stuck or not self._course.restarts.allowed():
            self._course.fail(StageStuck("enhancing is stuck in one frame, again and again", do="Try another --model"))
            return
        self._course.events("stuck", level="error", stage="enhance", seconds=worker.heart.busy_s)
        self._leave("stuck")
        self._worker = _Worker(self._work)
        self._worker.thread.start()

    def finish(self) -> None:
        """Wait for the last frame until the course says it has to be done; leave it otherwise."""
        self._worker.thread.join(max(0.1, self._course.drained_by - time.monotonic()))
        if self._worker.thread.is_alive():
            self._leave(self._course.cause)
        self._enhanced.close()

    def _leave(self, cause: str) -> None:
        if self._worker.leave():
            self._course.drop(cause)
        self._left = [*(one for one in self._left if one.thread.is_alive()), self._worker]
        self.left_any = True

    def _work(self, worker: _Worker) -> None:
        enhance: Enhance | None = None
        try:
            enhance = self._prepare()
            while not worker.left:
                self._enhanced.wait_for_room()
                item = self._captured.get()
                self._course.ready = True
                if isinstance(item, Frame):
                    self._enhance(worker, enhance, item)
                elif item is not None:
                    self._enhanced.put(item)
        except (Closed, Cancelled):
            pass
        except BaseException as error:
            if not worker.left:
                self._course.fail(error)
        finally:
            if enhance is not None:
                enhance.close()
            if not worker.left:
                self._enhanced.close()

    def _enhance(self, worker: _Worker, enhance: Enhance, frame: Frame) -> None:
        worker.take()
        try:
            with worker.heart.work(), self._course.telemetry.stage("enhance").measure():
                result = enhance(frame)
        except Exception as error:
            result = frame
            if worker.left or not self._course.may_restart("enhance", error):
                worker.deliver(lambda: self._course.drop("failed"))
                raise Cancelled from None
            enhance.restart()
        if not worker.deliver(lambda: self._course.put(self._enhanced, result)):
            raise Cancelled


class _Worker:
    """One thread and the frame in its hand."""

    def __init__(self, work: Callable[[_Worker], None]) -> None:
        self.heart = Heartbeat()
        self.left = False
        self.thread = threading.Thread(target=work, args=(self,), name="live-enhance", daemon=True)
        self._holds = False
        self._lock = threading.Lock()

    def take(self) -> None:
        with self._lock:
            self._holds = not self.left

    def deliver(self, put: Callable[[], None]) -> bool:
        """Hand on what is in the hand; False if somebody else has accounted for it."""
        with self._lock:
            if self.left:
                return False
            self._holds = False
            put()
            return True

    def leave(self) -> bool:
        """From now on the thread counts for nothing; whether it held a frame."""
        with self._lock:
            held, self._holds, self.left = self._holds, False, True
            return held
