"""Signals of a service: SIGTERM and SIGINT end it, a second one at once, SIGHUP reads its file again."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Signals:
    """Turns signals into what the main loop shall do next. In the main thread, as a ``with`` block."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self.ending = 0
        """The signal that ends the process, or 0."""
        self.again = False
        """A second one came: end at once."""
        self._reload = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        numbers = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
        self._before = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def wait(self, timeout: float) -> None:
        """Until a signal comes, at most ``timeout`` seconds."""
        if self._woken.wait(timeout):
            self._woken.clear()

    def wants_reload(self) -> bool:
        """Whether SIGHUP came since the last call."""
        wanted, self._reload = self._reload, False
        return wanted

    def _handle(self, number: int, _: FrameType | None) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self.again, self.ending = self.ending != 0, number
        else:
            self._reload = True
        self._woken.set()
