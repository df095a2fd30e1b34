"""A bounded first-in-first-out channel between two threads, with the two ways in which a stream can end.

``close`` is the regular end: what is inside is still delivered, then the reader's loop ends. ``cancel`` is the abrupt
end: readers and writers leave at once, also those that wait, and what is inside is given up. A full channel makes its
writer wait (back-pressure), so a file is never dropped from.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Cancelled(Exception):
    """The channel was cancelled: leave, without an error of one's own."""


class Channel(Generic[T]):
    """At most ``capacity`` items wait between one writer and one reader."""

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a channel holds at least one item, not {capacity}")
        self.capacity = capacity
        self._items: deque[T] = deque()
        self._condition = threading.Condition()
        self._closed = False
        self._cancelled = False

    def put(self, item: T) -> None:
        """Append, waiting for room. Raises ``Cancelled`` when the channel is cancelled before there is room."""
        with self._condition:
            while len(self._items) >= self.capacity and not self._cancelled:
                self._condition.wait()
            if self._cancelled:
                raise Cancelled
            if self._closed:
                raise ValueError("the channel is closed")
            self._items.append(item)
            self._condition.notify_all()

    def close(self) -> None:
        """Nothing more will come."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def cancel(self) -> None:
        """Release both sides now and give up what waits inside."""
        with self._condition:
            self._cancelled = True
            self._items.clear()
            self._condition.notify_all()

    def __iter__(self) -> Iterator[T]:
        """Items in order until ``close``. Raises ``Cancelled`` at ``cancel``."""
        while True:
            with self._condition:
                while not (self._items or self._closed or self._cancelled):
                    self._condition.wait()
                if self._cancelled:
                    raise Cancelled
                if not self._items:
                    return
                item = self._items.popleft()
                self._condition.notify_all()
            yield item

    def __len__(self) -> int:
        return len(self._items)
