"""The waiting line of one output: bounded, and what it loses it loses from the oldest on, up to the next key frame."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass

from stream.live.outputs.packets import TIME_BASE, AudioPacket, EncodedPicture


@dataclass(frozen=True, slots=True)
class LineLimits:
    """How much may wait, whichever is reached first."""

    seconds: float = 3.0
    size: int = 32 << 20
    """Bytes."""
    items: int = 4000


class PacketLine:
    """Between the encoder's thread and an output's. ``offer`` never waits.

    At every moment: ``offered`` = pictures taken + pictures dropped + pictures waiting.
    """

    def __init__(self, limits: LineLimits | None = None) -> None:
        self._limits = limits or LineLimits()
        self._items: deque[EncodedPicture | AudioPacket] = deque()
        self._size = 0
        self._change = threading.Condition()
        self._closed_for: str | None = "connecting"
        self._gap_cause: str | None = "before_key_frame"
        self._finished = False
        self.dropped: Counter[str] = Counter()
        """Pictures by cause. Sound that goes with them is not counted."""
        self.offered = 0

    @property
    def waiting(self) -> int:
        """Pictures that wait."""
        with self._change:
            return self._pictures()

    def offer(self, item: EncodedPicture | AudioPacket) -> bool:
        """Adds an item, or drops it or older ones. True if a key frame is needed for the output to go on."""
        with self._change:
            if isinstance(item, EncodedPicture):
                self.offered += 1
            elif self._closed_for or self._gap_cause:
                return False
            if self._finished or self._closed_for:
                self._drop(item, "closed" if self._finished else self._closed_for or "")
                return False
            if self._gap_cause is not None and isinstance(item, EncodedPicture):
                if not item.key_frame:
                    self._drop(item, self._gap_cause)
                    return True
                self._gap_cause = None
            self._items.append(item)
            self._size += len(item.data)
            needs_key = self._shorten()
            self._change.notify_all()
            return needs_key

    def take(self, timeout_s: float | None = None) -> EncodedPicture | AudioPacket | None:
        """The oldest item; None after ``timeout_s`` without one, or when nothing is left after ``finish``."""
        with self._change:
            self._change.wait_for(lambda: self._items or self._finished, timeout_s)
            if not self._items:
                return None
            item = self._items.popleft()
            self._size -= len(item.data)
            return item

    def shut(self, cause: str) -> None:
        """From now on everything is dropped for ``cause``, what waits first of all."""
        with self._change:
            self._clear(cause)
            self._closed_for = cause

    def open(self, cause: str) -> None:
        """Lets items in, from the next key frame on; what comes before it is dropped for ``cause``."""
        with self._change:
            self._closed_for, self._gap_cause = None, cause

    def lose(self, cause: str, pictures: int = 1) -> None:
        """Counts pictures that were taken and did not arrive."""
        with self._change:
            self.dropped[cause] += pictures

    def finish(self) -> None:
        """Nothing comes in any more; what waits can still be taken."""
        with self._change:
            self._finished = True
            self._change.notify_all()

    @property
    def finished(self) -> bool:
        return self._finished

    def pause(self, seconds: float) -> bool:
        """Waits; True if ``finish`` was called meanwhile."""
        with self._change:
            return self._change.wait_for(lambda: self._finished, seconds)

    def _pictures(self) -> int:
        return sum(isinstance(item, EncodedPicture) for item in self._items)

    def _drop(self, item: EncodedPicture | AudioPacket, cause: str) -> None:
        if isinstance(item, EncodedPicture):
            self.dropped[cause] += 1

    def _clear(self, cause: str) -> None:
        for item in self._items:
            self._drop(item, cause)
        self._items.clear()
        self._size = 0

    def _too_long(self) -> bool:
        if len(self._items) > self._limits.items or self._size > self._limits.size:
            return True
        pictures = (item.pts for item in self._items if isinstance(item, EncodedPicture))
        first = next(pictures, None)
        last = next((item.pts for item in reversed(self._items) if isinstance(item, EncodedPicture)), None)
        return first is not None and last is not None and (last - first) * TIME_BASE > self._limits.seconds

    def _shorten(self) -> bool:
        """Drops from the oldest up to a later key frame; everything, and True, if there is none."""
        while self._too_long():
            later = (
                i for i, item in enumerate(self._items) if i and isinstance(item, EncodedPicture) and item.key_frame
            )
            end = next(later, None)
            if end is None:
                self._clear("queue_full")
                self._gap_cause = "queue_full"
                return True
            for _ in range(end):
                item = self._items.popleft()
                self._size -= len(item.data)
                self._drop(item, "queue_full")
        return False
