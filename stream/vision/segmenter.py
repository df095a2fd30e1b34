"""Runs a segmenter beside the frame path, in a thread of its own: it may take seconds, crash or hang, frames go on.

The frame path offers snapshots and takes results, both at once. The latest snapshot that waits wins, and so does the
latest result. What a segmenter may cost is bounded: after each snapshot the thread sleeps until its CPU time is the
``share`` of a core that it may have, and on Linux other threads go first meanwhile. After failures it sleeps too, twice
as long after each, up to half a minute.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stream.vision.regions import MOST, Segmentation

Picture = NDArray[np.uint8]
Segment = Callable[[Picture], Segmentation]
"""A segmenter: regions of an RGB picture uint8 [h, w, 3]."""

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds of sleep after the first failure, and after many in a row."""
NICENESS = 5
"""How far the thread stands back behind the others of the process, 0 to 19. At 10 it never came to an end beside a file
that is worked through as fast as possible."""
_WHOLE = 0.98
"""A single region that covers so much of the picture tells nothing."""
_CHANNELS = 256


def rest(cpu_s: float, elapsed_s: float, share: float) -> float:
    """How long to sleep after ``elapsed_s`` that took ``cpu_s``, so that CPU time is ``share`` of all the time."""
    return max(0.0, cpu_s / share - elapsed_s)


def pause(failures_in_a_row: int) -> float:
    """How long to sleep after so many failures without a result between them; 0 after none."""
    if failures_in_a_row == 0:
        return 0.0
    return min(FIRST_PAUSE * 2.0 ** min(failures_in_a_row - 1, 16), LONGEST_PAUSE)


def checked(found: Segmentation | None) -> Segmentation:
    """The result of any segmenter as all others may rely on it; one region that is all of the picture becomes none.

    Raises ``ValueError`` for nothing, arrays of other shapes or types, more than 16 regions, NaN or infinity.
    """
    if not isinstance(found, Segmentation):
        raise ValueError(f"the segmenter gave {type(found).__name__}, not a segmentation")
    ids, embedding = found.ids, found.embedding
    if ids.dtype != np.uint8 or ids.ndim != 2 or not ids.size:
        raise ValueError(f"the segmenter gave ids of {ids.dtype} {list(ids.shape)}, not uint8 [h, w]")
    if ids.max() > MOST:
        raise ValueError(f"the segmenter gave {ids.max()} regions where at most {MOST} are of use")
    if embedding is not None:
        shape = embedding.shape
        if embedding.dtype != np.float32 or len(shape) != 3 or shape[0] != _CHANNELS or not embedding.size:
            raise ValueError(f"the segmenter gave an embedding of {embedding.dtype} {list(shape)}, not [256, eh, ew]")
        if not np.isfinite(embedding).all():
            raise ValueError("the segmenter gave an embedding that holds NaN or infinity")
    shares = np.bincount(ids.ravel(), minlength=2)[1:] / ids.size
    return Segmentation(np.zeros_like(ids), embedding) if shares.max() >= _WHOLE else found


class Segmenter:
    """Offer snapshots, take results. The thread starts with the first offer and ends with ``close``.

    All counters may be read at any time.
    """

    def __init__(self, segment: Segment, share: float = 0.5, stop: Callable[[], None] | None = None) -> None:
        """``share`` of one CPU core, above 0 up to 1, that the thread may use on average.

        ``stop``, called from another thread, ends a ``segment`` that goes on; without it ``close`` may have to leave
        the thread to itself. CPU time is that of the thread alone, so ``segment`` should start no others.
        """
        if not 0 < share <= 1:
            raise ValueError(f"share is above 0 and at most 1, not {share}")
        self._segment = segment
        self._share = share
        self._stop = stop
        self._changed = threading.Condition()
        self._waiting: tuple[int, Picture] | None = None
        self._found: tuple[int, Segmentation] | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._in_a_row = 0
        self.working_on: int | None = None
        """The snapshot that is being looked at."""
        self.runs = 0
        """Results so far."""
        self.empty = 0
        """Results without any region, or with one that was all of the picture."""
        self.failures = 0
        """Snapshots for which there was no result."""
        self.last_failure = ""
        """What went wrong the last time."""
        self.cpu_seconds = 0.0
        """CPU time of the thread."""

    @property
    def busy(self) -> bool:
        """Whether a snapshot waits or is being looked at."""
        with self._changed:
            return self._waiting is not None or self.working_on is not None

    def offer(self, seq: int, rgb: Picture) -> None:
        """Hands over a snapshot [h, w, 3], which nobody may write to any more. Never waits; takes no more once closed.

        A snapshot that still waits is replaced.
        """
        with self._changed:
            if self._closed:
                return
            self._waiting = seq, rgb
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="segmenter", daemon=True)
                self._thread.start()

    def take(self) -> tuple[int, Segmentation] | None:
        """The latest result and the number of its snapshot, once; None while there is no new one. Never waits."""
        with self._changed:
            found, self._found = self._found, None
            return found

    def close(self, timeout: float = 2.0) -> bool:
        """Ends the thread, at once or as soon as ``segment`` ends, and waits for that ``timeout`` seconds at most.

        False if it was still going on then; it ends with the process and changes nothing any more. Nothing can be taken
        afterwards.
        """
        with self._changed:
            self._closed = True
            self._waiting = self._found = None
            self._changed.notify_all()
            thread = self._thread
        if thread is None:
            return True
        if self._stop is not None:
            self._stop()
        thread.join(timeout)
        return not thread.is_alive()

    def _work(self) -> None:
        if sys.platform == "linux":  # the only system here where a thread has a priority of its own
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
        while (snapshot := self._next()) is not None:
            began, cpu_before = time.monotonic(), time.thread_time()
            self._look(*snapshot)
            cpu = time.thread_time() - cpu_before
            self.cpu_seconds += cpu
            sleep = max(rest(cpu, time.monotonic() - began, self._share), pause(self._in_a_row))
            with self._changed:
                self._changed.wait_for(lambda: self._closed, sleep)

    def _next(self) -> tuple[int, Picture] | None:
        """The snapshot to look at, once there is one; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting is not None)
            snapshot, self._waiting = self._waiting, None
            self.working_on = None if snapshot is None else snapshot[0]
            return None if self._closed else snapshot

    def _look(self, seq: int, rgb: Picture) -> None:
        """Segments one snapshot; whatever happens is counted. No lock is held while it goes on."""
        found, failure = None, ""
        try:
            found = checked(self._segment(rgb))
        except Exception as error:
            failure = str(error) or type(error).__name__
        with self._changed:
            self.working_on = None
            if self._closed:
                return
            if found is None:
                self._in_a_row += 1
                self.failures += 1
                self.last_failure = failure
            else:
                self._in_a_row = 0
                self.runs += 1
                self.empty += not found.ids.any()
                self._found = seq, found
