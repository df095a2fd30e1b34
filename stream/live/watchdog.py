"""Signs of life of the stages of a live run, and how often a stage may start anew before the run is given up.

A stage is stuck when it has worked on one frame for too long. Waiting is no work: a stage may wait for days.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MOST_RESTARTS = 5
RESTART_WINDOW_S = 60.0


class Heartbeat:
    """What one stage is doing. The stage's thread writes, any thread reads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None
        self.beats = 0
        """Pieces of work that were done."""
        self.last = clock()
        """When the last one ended."""

    @contextmanager
    def work(self) -> Iterator[None]:
        """The block is one piece of work."""
        self._since = self._clock()
        try:
            yield
        finally:
            self._since = None
            self.beats += 1
            self.last = self._clock()

    @property
    def busy_s(self) -> float:
        """Seconds since the work in hand began; 0 while there is none."""
        since = self._since
        return 0.0 if since is None else self._clock() - since


class Restarts:
    """Counts restarts, and says when there have been too many lately. Any thread may call."""

    def __init__(
        self,
        most: int = MOST_RESTARTS,
        window_s: float = RESTART_WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._window, self._clock = most, window_s, clock
        self._lock = threading.Lock()
        self._times: deque[float] = deque()
        self.total = 0

    def allowed(self) -> bool:
        """Count one more; False if that makes more than ``most`` within ``window_s``."""
        now = self._clock()
        with self._lock:
            self.total += 1
            self._times.append(now)
            while now - self._times[0] > self._window:
                self._times.popleft()
            return len(self._times) <= self._most
