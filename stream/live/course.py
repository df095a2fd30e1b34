"""What the threads of a live run share: whether it goes on, what ended it, and the count of what was given up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from stream.live.channel import NewestChannel
from stream.live.watchdog import Restarts
from stream.media import Frame, Packet
from stream.queues import Cancelled
from stream.redaction import redact
from stream.telemetry import Telemetry

Item = Frame | Packet


class Events(Protocol):
    """Told of what happens, a word and its fields, from any thread; ``level`` is info, warning or error."""

    def __call__(self, event: str, **fields: object) -> None: ...


def unheard(event: str, **fields: object) -> None:
    """Events for nobody."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds."""

    stuck_s: float = 30.0
    """A stage that works on one frame for longer is stuck."""
    first_stuck_s: float = 300.0
    """The same for the first frame, which may have to compile kernels."""
    silent_s: float = 60.0
    """A source that claims to stream and gives nothing for longer is stuck."""
    drain_s: float = 0.7
    """After ``stop``: for the frames in flight."""
    close_s: float = 0.9
    """After that: for finalising the outputs."""
    most_stuck: int = 2
    """Threads of a stage that may be stuck at the same time before the run is given up."""


class Course:
    """Shared by the stages of one run. Any thread may call."""

    def __init__(self, telemetry: Telemetry, limits: Limits, events: Events) -> None:
        self.telemetry, self.limits, self.events = telemetry, limits, events
        self.restarts = Restarts()
        self.error: BaseException | None = None
        """What ended the run; None while it goes on, and after ``stop``."""
        self.interrupted = False
        """Whether somebody wanted the end."""
        self.aborted = False
        """Whether what is in flight shall be given up."""
        self.ready = False
        """Whether frames are being enhanced: the network has been loaded."""
        self.ending = threading.Event()
        self.drained_by = float("inf")
        """When frames in flight have to be done, by ``time.monotonic()``; set with ``ending``."""
        self._failing = threading.Lock()
        self._stop_source: Callable[[], None] = lambda: None

    def on_end(self, stop_source: Callable[[], None]) -> None:
        """``stop_source`` is called, from any thread and perhaps often, when the end begins."""
        self._stop_source = stop_source

    def stop(self) -> None:
        """Begin the end, as the user wants it."""
        self.interrupted = True
        self.end()

    def abort(self) -> None:
        """The same, giving up what is in flight."""
        self.interrupted = self.aborted = True
        self.drained_by = time.monotonic()
        self.ending.set()
        self._stop_source()

    def end(self) -> None:
        """Begin the end."""
        if not self.ending.is_set():
            self.drained_by = time.monotonic() + self.limits.drain_s
            self.ending.set()
        self._stop_source()

    def fail(self, error: BaseException) -> None:
        """Begin the end because of an error; the first one counts."""
        with self._failing:
            if self.error is None:
                self.error = error
        self.end()

    def may_restart(self, stage: str, error: Exception) -> bool:
        """Whether a stage that raised may go on; if it did so too often, the run ends with the error."""
        allowed = self.restarts.allowed()
        said = redact(f"{type(error).__name__}: {error}")
        self.events("restart", level="warning" if allowed else "error", stage=stage, error=said)
        if not allowed:
            self.fail(error)
        return allowed

    @property
    def cause(self) -> str:
        """Why frames are given up at the end."""
        return "failed" if self.error else "stopped"

    def drop(self, cause: str, frames: int = 1) -> None:
        """Count frames that were given up."""
        if frames:
            waits = cause == "queue_full" and not self.ready
            self.telemetry.drop("starting" if waits else cause, frames)

    def put(self, channel: NewestChannel[Item], item: Item) -> None:
        """Into a channel, or counted as given up if that was cancelled. Raises ``Cancelled`` then."""
        try:
            channel.put(item)
        except Cancelled:
            if isinstance(item, Frame):
                self.drop(self.cause)
            raise
