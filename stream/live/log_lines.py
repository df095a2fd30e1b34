"""Lines on their way to standard error: whoever writes one never waits, even if nobody reads them any more.

A pipe whose reader stands still blocks its writer for ever. So one thread writes, behind a queue with an end; what does
not fit is counted, and told once there is room again.
"""

from __future__ import annotations

import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

MOST_LINES = 2000
"""Lines that wait; each is some hundred bytes."""
CLOSE_S = 0.5
"""For what waits at the end."""
_LOOK_S = 0.5


class BackgroundLines:
    """Takes lines from any thread; ``close`` it in the end. Without ``out`` they go to standard error."""

    def __init__(
        self, out: TextIO | None = None, *, most: int = MOST_LINES, lost: Callable[[int], str] | None = None
    ) -> None:
        """``lost`` makes the line that tells how many did not fit."""
        self._out, self._most = out, most
        self.lost = lost or (lambda lines: f"{lines} lines were lost")
        self._waiting: deque[str] = deque()
        self._changed = threading.Condition()
        self._missed = 0
        self._closing = False
        self._thread: threading.Thread | None = None

    def put(self, line: str) -> None:
        """Take a line, without its end. Returns at once."""
        with self._changed:
            if len(self._waiting) >= self._most:
                self._missed += 1
                return
            self._waiting.append(line)
            if self._thread is None:
                self._closing = False
                self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Wait for all lines to be written, at most that long; whether they are."""
        with self._changed:
            thread, self._closing = self._thread, True
            self._changed.notify_all()
        if thread is not None:
            thread.join(timeout_s)
        return thread is None or not thread.is_alive()

    def _write_all(self) -> None:
        while lines := self._next():
            for line in lines:
                write_line(self._out or sys.stderr, line)

    def _next(self) -> list[str]:
        """What waits, as soon as there is any; nothing once no more will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            lines, missed = list(self._waiting), self._missed
            self._waiting.clear()
            self._missed = 0
            if not lines:
                self._thread = None
        return [*lines, self.lost(missed)] if missed else lines


def write_line(out: TextIO, line: str) -> None:
    """Write it, however long that takes. Raises nothing: of a full disk or a closed pipe nobody can be told."""
    try:
        if out is sys.__stderr__:  # past its buffer, whose lock a write that hangs would keep from everybody else
            _write_bytes(out.fileno(), f"{line}\n".encode(errors="backslashreplace"))
        else:
            out.write(line + "\n")
            out.flush()
    except (OSError, ValueError):
        pass


def _write_bytes(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:  # another program that shares it does not wait, and so we must
            select.select([], [descriptor], [], _LOOK_S)
