"""One line for each event, as ``key=value`` pairs on standard error, for people, journals and parsers alike.

    time=2026-03-01T22:14:05.120Z level=warning stream=door event=source state=reconnecting attempt=3 error="..."

What repeats is held back: after some lines of one event (in one state, about one output) of one stream within a while
others are only counted, and the next line, or one of its own, tells how many. Credentials are taken out of every value.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from enum import Enum
from typing import Literal, TextIO

from stream.live.log_lines import BackgroundLines, write_line
from stream.redaction import redact

Level = Literal["debug", "info", "warning", "error"]

BURST = 5
"""Lines of one event of one stream that are written within ``WINDOW_S``."""
WINDOW_S = 30.0
_LONGEST_VALUE = 2000
_ORDER = ("debug", "info", "warning", "error")


@dataclasses.dataclass(slots=True)
class _Repeated:
    began: float
    level: Level
    written: int = 0
    suppressed: int = 0


class EventLog:
    """Call it with events, from any thread. It never raises: a full disk or a closed pipe stops no stream."""

    def __init__(
        self,
        out: TextIO | BackgroundLines | None = None,
        *,
        lowest: Level = "info",
        burst: int = BURST,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``out``: standard error by default, for which the caller waits. Events below ``lowest`` are left out."""
        self._out = out
        self._lowest = _ORDER.index(lowest)
        self._burst, self._window_s, self._clock = burst, window_s, clock
        self._lock = threading.Lock()
        self._repeated: dict[tuple[str, str, str, str], _Repeated] = {}

    def __call__(
        self, event: str, *, stream: str = "", level: Level = "info", held_back: bool = True, **fields: object
    ) -> None:
        """Write ``event``, a word, with its fields; those that are empty or None are left out.

        Not ``held_back``: every one of them is written, such as all faults of a file.
        """
        if _ORDER.index(level) < self._lowest:
            return
        if not held_back:
            self._write(_line(event, stream, level, fields))
            return
        with self._lock:
            line = self._admit(event, stream, level, fields)
        if line:
            self._write(line)

    def of(self, stream: str) -> Callable[..., None]:
        """The same for one stream: ``log.of("door")("source", state="streaming")``."""

        def write(event: str, *, level: Level = "info", held_back: bool = True, **fields: object) -> None:
            self(event, stream=stream, level=level, held_back=held_back, **fields)

        return write

    def flush(self, *, everything: bool = False) -> None:
        """Tell how much was held back where the while is over, or of ``everything``. To be called now and then."""
        now = self._clock()
        lines = []
        with self._lock:
            for key, seen in list(self._repeated.items()):
                if everything or now - seen.began >= self._window_s:
                    del self._repeated[key]
                    if seen.suppressed:
                        stream, event, state, uri = key
                        fields = {"uri": uri, "state": state, "suppressed": seen.suppressed}
                        lines.append(_line(event, stream, seen.level, fields))
        for line in lines:
            self._write(line)

    def _admit(self, event: str, stream: str, level: Level, fields: Mapping[str, object]) -> str:
        """The line, or nothing where this event has been told often enough for now."""
        now = self._clock()
        key = stream, event, _text(fields.get("state")), _text(fields.get("uri"))
        seen = self._repeated.get(key)
        if seen is None or now - seen.began >= self._window_s:
            suppressed = seen.suppressed if seen else 0
            seen = self._repeated[key] = _Repeated(now, level)
            fields = {**fields, "suppressed": suppressed or None}
        if seen.written >= self._burst:
            seen.suppressed += 1
            seen.level = level
            return ""
        seen.written += 1
        return _line(event, stream, level, fields)

    def close(self) -> bool:
        """Tell what was held back, and wait a little for all to be written; False where nobody reads the lines."""
        self.flush(everything=True)
        return self._out.close() if isinstance(self._out, BackgroundLines) else True

    def _write(self, line: str) -> None:
        if isinstance(self._out, BackgroundLines):
            self._out.put(line)
        else:
            write_line(self._out or sys.stderr, line)


def unhurried_log(lowest: Level) -> EventLog:
    """One on standard error that never makes anybody wait; what nobody reads is counted. ``close`` it in the end."""
    return EventLog(BackgroundLines(lost=_lost), lowest=lowest)


class LogHandler(logging.Handler):
    """Brings what libraries log, FFmpeg among them, into the same lines: ``event=log.libav.rtsp``."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; its logger is part of what is told apart when it repeats."""
        level: Level = "debug"
        for name, least in (("info", logging.INFO), ("warning", logging.WARNING), ("error", logging.ERROR)):
            level = name if record.levelno >= least else level  # type: ignore[assignment]
        text = self.format(record)
        self._log(f"log.{record.name}", level=level, text=text)


@contextmanager
def library_log(log: EventLog, lowest: Level) -> Iterator[None]:
    """While the block runs, what libraries log from ``lowest`` on goes into ``log``; FFmpeg's lines too."""
    import av.logging

    root, handler = logging.getLogger(), LogHandler(log)
    before, ffmpegs = root.level, av.logging.get_level()
    root.addHandler(handler)
    root.setLevel(lowest.upper())
    if lowest in ("debug", "info"):
        av.logging.set_level(av.logging.INFO)
    try:
        yield
    finally:
        av.logging.set_level(ffmpegs)
        root.setLevel(before)
        root.removeHandler(handler)


def _lost(lines: int) -> str:
    return _line("log", "", "warning", {"state": "lost", "lines": lines, "text": "they were not read in time"})


def _line(event: str, stream: str, level: Level, fields: Mapping[str, object]) -> str:
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    pairs = {"time": now, "level": level, "stream": stream, "event": event}
    for name, value in fields.items():
        pairs[_key(name)] = _text(value)
    return " ".join(f"{name}={_quoted(value)}" for name, value in pairs.items() if value)


def _key(name: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "_." else "_" for sign in redact(name)) or "_"


def _text(value: object) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    return f"{value:.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _quoted(value: str) -> str:
    """Redacted first, because quoting changes how a secret is spelled; control characters cannot forge a line."""
    clean = redact(value)
    if len(clean) > _LONGEST_VALUE:
        clean = clean[:_LONGEST_VALUE] + "..."
    if clean and all(sign.isprintable() and sign not in ' "=\\' for sign in clean):
        return clean
    escaped = clean.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(sign if sign.isprintable() else _escape(sign) for sign in escaped) + '"'


def _escape(sign: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(sign, f"\\u{ord(sign):04x}")
