"""The thread that reads one connection of a live source, so that nobody else is ever stuck in a blocked read.

Nothing can interrupt a read that is blocked in the network library. A reader that is no longer wanted is therefore left
alone: it closes its connection itself as soon as the read comes back.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from stream.errors import ConnectionLost, StreamError
from stream.media.frame import Frame, Packet
from stream.media.source import VideoInfo
from stream.media.sources.connection import Connection
from stream.redaction import redact

_ROOM = 2


class Taken(NamedTuple):
    """An item, and the video as it was described then: the reader may be a change ahead."""

    item: Frame | Packet
    video: VideoInfo


class Reader:
    """Opens a connection and hands its items over, two at the most waiting. ``take`` is for one other thread."""

    def __init__(self, open_connection: Callable[[], Connection], name: str) -> None:
        """Starts at once."""
        self._open = open_connection
        self._items: deque[Taken] = deque()
        self._changed = threading.Condition()
        self._abandoned = False
        self._ended = False
        self.error: Exception | None = None
        """Why it ended; set before the end is seen."""
        self.connection: Connection | None = None
        self.thread = threading.Thread(target=self._run, name=f"live-read-{name}", daemon=True)
        self.started_at = time.monotonic()
        self.thread.start()

    def take(self, timeout: float) -> Taken | None:
        """The next item; None if none came within ``timeout`` seconds, or the connection has ended, or ``wake``."""
        with self._changed:
            if not self._items and not self._ended and timeout > 0:
                self._changed.wait(timeout)
            taken = self._items.popleft() if self._items else None
            self._changed.notify_all()
            return taken

    @property
    def ended(self) -> bool:
        """True once everything was taken and nothing will come."""
        with self._changed:
            return self._ended and not self._items

    @property
    def alive_at(self) -> float:
        """``time.monotonic()`` of the last sign of life."""
        return self.connection.alive_at if self.connection is not None else self.started_at

    def wake(self) -> None:
        """Lets ``take`` return."""
        with self._changed:
            self._changed.notify_all()

    def abandon(self) -> None:
        """Nobody takes any more: the thread closes its connection as soon as it can, and ends. Never waits."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()
        if self.connection is not None:
            self.connection.stop()

    def _run(self) -> None:
        connection: Connection | None = None
        try:
            connection = self._open()
            self.connection = connection
            for item in connection:
                if not self._hand_over(Taken(item, connection.video)):
                    return
        except StreamError as error:
            # The traceback would keep the whole connection in memory, and its context shows the address as it is.
            error.__traceback__ = error.__context__ = None
            self.error = error
        except Exception as error:
            # A fault of a library must not end a stream that runs for months: it counts as a lost connection.
            self.error = ConnectionLost(f"reading failed: {type(error).__name__}: {redact(str(error))}")
        finally:
            if connection is not None:
                connection.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _hand_over(self, taken: Taken) -> bool:
        """Waits for room; False if nobody takes any more."""
        with self._changed:
            while len(self._items) >= _ROOM and not self._abandoned:
                self._changed.wait()
            if self._abandoned:
                return False
            self._items.append(taken)
            self._changed.notify_all()
            return True
