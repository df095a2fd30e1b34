"""Works through the jobs of a command: one pipeline after the other, signals, messages, exit code.

Ctrl-C, SIGTERM and the end of the terminal finish the frames in flight and finalise the file, so that it plays up to
there; a second one gives up at once.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Thread
from types import FrameType
from typing import Any, Protocol

from engines.errors import BundleError, DeviceError, EngineError
from stream.doctor import kernels_compiled
from stream.errors import StreamError
from stream.jobs import Job
from stream.pipeline import Pipeline
from stream.progress import Display, open_display, result_line, result_table
from stream.redaction import redact
from stream.settings import Settings
from stream.summary import Summary, to_json

FAILED = 1
USAGE = 2
_SIGNAL_EXIT = 128
_REFRESH_S = 0.1
_GRACE_S = 2.0


class Run(Protocol):
    """What a signal may end."""

    def stop(self) -> None: ...

    def abort(self) -> None: ...

    def join(self, timeout: float | None = None) -> bool: ...


@dataclass(slots=True)
class Interrupts:
    """Turns SIGINT, SIGTERM and SIGHUP into a stop of what runs, and the second one into the end."""

    pipeline: Run | None = None
    exit_code: int = 0
    _before: dict[signal.Signals, Any] = field(default_factory=dict)

    def __enter__(self) -> Interrupts:
        """From now on, in the main thread."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
            numbers.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._handle) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        again, self.exit_code = self.exit_code != 0, _SIGNAL_EXIT + number
        if again:
            # In another thread: this one may be in the middle of the first signal, and hold a lock that is needed here.
            giving_up = Thread(target=self._give_up, daemon=True)
            giving_up.start()
            giving_up.join(_GRACE_S)
            os._exit(self.exit_code)
        if self.pipeline is not None:
            self.pipeline.stop()

    def _give_up(self) -> None:
        if self.pipeline is not None:
            self.pipeline.abort()
            self.pipeline.join(_GRACE_S)


def run_jobs(jobs: Sequence[Job], settings: Settings) -> int:
    """Enhance them all; the failure of one does not stop the others. Returns the exit code."""
    codes: list[int] = []
    summaries: list[Summary] = []
    rows: list[tuple[str, str, str]] = []
    with Interrupts() as interrupts, open_display(quiet=settings.quiet) as display:
        if not kernels_compiled():
            display.say("note: the kernels are compiled for this processor, once; that takes about a minute")
        for job in jobs:
            if interrupts.exit_code:
                rows.append((job.source.name, "not started", ""))
            elif job.done_before(overwrite=settings.overwrite):
                rows.append((job.source.name, "skipped", f"{job.target} exists already"))
            else:
                summary, code = _run_job(job, settings, interrupts, display)
                summaries.append(summary)
                codes.append(code)
                rows.append((job.source.name, summary.exit_reason, summary.error or result_line(summary)))
    if len(jobs) > 1:
        display.say(result_table(rows))
    if settings.summary is not None:
        codes.append(write_summaries(summaries, settings))
    if interrupts.exit_code:
        return interrupts.exit_code
    return max(codes, default=0) if len(jobs) == 1 else FAILED * any(codes)


def _run_job(job: Job, settings: Settings, interrupts: Interrupts, display: Display) -> tuple[Summary, int]:
    pipeline = Pipeline(job.source, job.target, settings=settings)
    interrupts.pipeline = pipeline
    error: BaseException | None = None
    try:
        pipeline.start()
        display.begin(job.source.name, pipeline.video.frames if pipeline.video else None)
        while not pipeline.join(_REFRESH_S):
            display.update(pipeline.stats())
        display.end(pipeline.stats())
        summary = pipeline.wait()
    except Exception as failure:
        error = failure
        summary = pipeline.summary(failure)
    finally:
        interrupts.pipeline = None
    for note in summary.notes:
        display.say(f"note: {note}")
    if error is None:
        display.say(result_line(summary))
        return summary, 0
    return summary, report(error, debug=settings.debug, kept=summary)


def report(error: BaseException, *, debug: bool, kept: Summary | None = None) -> int:
    """Say on standard error, in one line, what went wrong; the traceback only for ``debug``. Returns the exit code."""
    if debug:
        print(redact("".join(traceback.format_exception(error))), file=sys.stderr)
    text = str(error)
    if not isinstance(error, (StreamError, EngineError)):
        text = f"{type(error).__name__}: {text}. This is a fault of stream-enhance; --debug shows where."
    text = f"{text.rstrip('.')}."
    if kept is not None and kept.output is not None and not getattr(error, "kept", ""):
        text += f" The first {kept.frames_out} frames were kept in {kept.output}."
    print(f"error: {redact(text)}", file=sys.stderr, flush=True)
    if isinstance(error, StreamError):
        return error.exit_code
    return USAGE if isinstance(error, (BundleError, DeviceError)) else FAILED


def write_summaries(summaries: Sequence[Summary], settings: Settings) -> int:
    """To the file or to standard output. Returns the exit code."""
    return write_summary(to_json(summaries), settings)


def write_summary(text: str, settings: Settings) -> int:
    """As ``write_summaries``, for JSON that is text already."""
    if str(settings.summary) == "-":
        sys.stdout.write(text)
        return 0
    assert settings.summary is not None
    try:
        settings.summary.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"error: cannot write the summary {settings.summary}: {error.strerror}.", file=sys.stderr)
        return FAILED
    return 0
