"""A channel in which the newest frame wins: writing never waits, and what is too old is not read any more.

Frames are dropped for two reasons only, the state of the queue and their age; announced frame rates lie. A burst (many
cameras pause at key frames and then send what they held back) finds room. A queue that never runs empty does not: it
would only move the delay. Packets of other streams keep their place between the frames and are never dropped for that.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Generic, Literal, TypeVar

from stream.queues import Cancelled

T = TypeVar("T")
DropCause = Literal["queue_full", "stale"]

MOST_PACKETS = 4096
"""Packets that wait while nobody reads, some minute of audio; the oldest go beyond that, as memory is not endless."""


class Closed(Exception):
    """The channel was closed, and everything in it was read."""


class NewestChannel(Generic[T]):
    """Up to ``capacity`` frames, and packets between them, on their way from one writer to one reader."""

    def __init__(
        self,
        capacity: int,
        captured_at: Callable[[T], float | None],
        *,
        staleness_s: float | None = None,
        standing: int | None = None,
        patience_s: float = 0.5,
        on_drop: Callable[[DropCause, int], None] = lambda cause, count: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``captured_at`` tells when a frame was taken, by ``clock``, and None for packets.

        ``staleness_s``: the age beyond which a frame is dropped instead of read. ``standing``: how many frames may wait
        once the reader has not come to the end of the queue for ``patience_s``; None = ``capacity``. ``on_drop`` is
        told the cause and the number of dropped frames, with no lock held.
        """
        if capacity < 1 or (standing is not None and not 1 <= standing <= capacity):
            raise ValueError(f"a channel holds at least one frame, and standing at most all: {capacity}, {standing}")
        self.capacity = capacity
        self._captured_at = captured_at
        self._staleness = staleness_s
        self._standing = standing or capacity
        self._patience = patience_s
        self._on_drop = on_drop
        self._clock = clock
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = self._cancelled = False
        self._empty_at = clock()
        self._waiting = 0
        self.frames_in = 0
        self.frames_out = 0
        self.dropped: Counter[str] = Counter()
        """Frames by cause: ``frames_in = frames_out + dropped.total() + waiting``, whenever the lock is free."""
        self.packets_lost = 0

    @property
    def waiting(self) -> int:
        """Frames inside."""
        return self._waiting

    def put(self, item: T) -> None:
        """Append; never waits. Without room the oldest frame goes. Raises ``Cancelled`` after ``cancel``."""
        with self._changed:
            if self._cancelled:
                raise Cancelled
            if self._closed:
                raise ValueError("the channel is closed")
            self._items.append(item)
            full = 0
            if self._captured_at(item) is None:
                self._limit_packets()
            else:
                if not self._waiting:
                    self._empty_at = self._clock()
                self.frames_in += 1
                self._waiting += 1
                full = self._make_room()
            self._changed.notify_all()
        if full:
            self._on_drop("queue_full", full)

    def get(self, timeout: float | None = None) -> T | None:
        """The oldest item that is not too old; None if ``timeout`` seconds brought nothing.

        Raises ``Closed`` at the end and ``Cancelled`` after ``cancel``.
        """
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items or self._closed or self._cancelled, timeout)
                if self._cancelled:
                    raise Cancelled
                item, stale = self._next()
                ended = item is None and self._closed
            if stale:
                self._on_drop("stale", stale)
            if item is not None:
                return item
            if ended:
                raise Closed
            if not stale:
                return None

    def wait_for_room(self, frames: int = 1, timeout: float | None = None) -> bool:
        """Wait until fewer than ``frames`` frames wait inside; whether that came within ``timeout`` seconds.

        For a writer that would rather make its next frame of what is newest then. Raises ``Cancelled``.
        """
        with self._changed:
            room = self._changed.wait_for(lambda: self._waiting < frames or self._cancelled, timeout)
            if self._cancelled:
                raise Cancelled
            return bool(room)

    def close(self) -> None:
        """Nothing more will come; what is inside can still be read."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def cancel(self) -> int:
        """Release both sides now; how many frames were inside and are given up."""
        with self._changed:
            given_up, self._waiting = self._waiting, 0
            if given_up:
                self.dropped["cancelled"] += given_up
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()
            return given_up

    def __iter__(self) -> Iterator[T]:
        """Items until the end. Raises ``Cancelled`` after ``cancel``."""
        while True:
            try:
                item = self.get()
            except Closed:
                return
            if item is not None:
                yield item

    def _next(self) -> tuple[T | None, int]:
        """The next item that is not too old, and how many frames were."""
        stale = 0
        while self._items:
            item = self._items.popleft()
            captured_at = self._captured_at(item)
            if captured_at is None:
                return item, stale
            self._waiting -= 1
            now = self._clock()
            if not self._waiting:
                self._empty_at = now
            if self._staleness is None or now - captured_at <= self._staleness:
                self.frames_out += 1
                self._changed.notify_all()
                return item, stale
            self.dropped["stale"] += 1
            stale += 1
        if stale:
            self._changed.notify_all()
        return None, stale

    def _make_room(self) -> int:
        """Drop the oldest frames beyond the room; how many."""
        stands = self._clock() - self._empty_at > self._patience
        room = self._standing if stands else self.capacity
        surplus = self._waiting - room
        if surplus <= 0:
            return 0
        kept: deque[T] = deque()
        left = surplus
        for item in self._items:
            if left and self._captured_at(item) is not None:
                left -= 1
            else:
                kept.append(item)
        self._items = kept
        self._waiting -= surplus
        self.dropped["queue_full"] += surplus
        return surplus

    def _limit_packets(self) -> None:
        if len(self._items) - self._waiting > MOST_PACKETS:
            oldest = next(n for n, item in enumerate(self._items) if self._captured_at(item) is None)
            del self._items[oldest]
            self.packets_lost += 1
