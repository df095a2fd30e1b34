"""What happens to a live run, as events for its log: a word, a level and fields, credentials taken out."""

from __future__ import annotations

import time
from collections.abc import Iterable

from engines.errors import EngineError
from stream.live.course import Events
from stream.live.outputs.output import OutputEvent
from stream.live.state import SourceEvent, SourceState
from stream.redaction import redact
from stream.telemetry import Stats

_BEHIND_EVERY_S = 10.0
_TROUBLE = (SourceState.STALLED, SourceState.RECONNECTING)


class Reporter:
    """Turns what the parts of a run tell into events. Any thread may call."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._told: set[str] = set()
        self._skipped = 0
        self._skipped_at = 0.0

    def source(self, event: SourceEvent) -> None:
        """The source changed its state, or failed once more."""
        level = "warning" if event.state in _TROUBLE else "info"
        self._events(
            "source",
            level="error" if event.state is SourceState.FAILED else level,
            state=event.state.value,
            generation=event.generation,
            attempt=event.attempt or None,
            error=redact(event.error),
            retry_in_s=event.retry_in_s,
        )

    def output(self, event: OutputEvent) -> None:
        """An output changed its state, or failed once more."""
        self._events(
            "output",
            level="warning" if event.error else "info",
            uri=redact(event.uri),
            state=event.state.value,
            error=redact(event.error),
            retry_in_s=event.retry_in_s,
        )

    def network_failed(self, error: EngineError) -> None:
        """A frame came out as it was."""
        self._events("enhance", level="warning", error=redact(str(error)), kept="the frame as it came")

    def switched(self, night: bool) -> None:
        """The gate decided."""
        self._events("gate", state="night" if night else "day")

    def notice(self, shown: bool) -> None:
        """Outputs show the notice, or the source again."""
        self._events("notice", shown=shown)

    def behind(self, skipped: int) -> None:
        """Sources have passed over ``skipped`` pictures in all; more than before is told, now and then."""
        if skipped <= self._skipped or (self._skipped and time.monotonic() - self._skipped_at < _BEHIND_EVERY_S):
            return
        self._events(
            "behind",
            level="warning",
            skipped=skipped - self._skipped,
            text="decoding does not keep up: what waited was passed over, up to a key frame",
        )
        self._skipped, self._skipped_at = skipped, time.monotonic()

    def notes(self, notes: Iterable[str]) -> None:
        """Each note once."""
        for note in notes:
            if note not in self._told:
                self._told.add(note)
                self._events("note", text=redact(note))

    def ended(self, stats: Stats, error: BaseException | None) -> None:
        """The run is over."""
        self._events(
            "run",
            level="error" if error else "info",
            state="failed" if error else "stopped",
            error=redact(str(error) or type(error).__name__) if error else None,
            frames_in=stats.frames_in,
            frames_out=stats.frames_out,
            dropped=sum(stats.dropped.values()),
            elapsed_s=stats.elapsed_s,
        )
