"""One live stream from the command line: what is shown, signals, the summary, the exit code."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, redirect_stderr, suppress
from io import StringIO
from typing import TYPE_CHECKING, Any

from stream.doctor import kernels_compiled
from stream.errors import WrongOutputs
from stream.jobs import LiveJob
from stream.live.checks import feeds_itself
from stream.live.configuration import StreamConfig
from stream.live.health import DEAD_S, serving
from stream.live.log import unhurried_log
from stream.live.outputs.open import check_keep
from stream.live.run import LiveRun
from stream.live.sink_settings import sink_settings
from stream.live.summary import LiveStats, result_line, status_line, to_json
from stream.live.warming import load_in_background
from stream.redaction import redact
from stream.runner import Interrupts, report, write_summary
from stream.settings import Settings
from stream.telemetry import LatencyHistogram

if TYPE_CHECKING:
    from rich.live import Live

_REFRESH_S = 0.2
_NAME = "live"


class StatusLine:
    """The last line of a terminal; events scroll above it."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self._text = Text
        self._live: Live = Live(console=Console(stderr=True, highlight=False), transient=True, refresh_per_second=5)

    def __enter__(self) -> StatusLine:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, run: LiveRun) -> None:
        """Show the figures of this moment."""
        self._live.update(self._text(status_line(run.stats()), overflow="ellipsis", no_wrap=True))


class _Shown:
    """The one stream of this process, as its pages show it."""

    restarts, last_error = 0, ""

    def __init__(self, run: LiveRun, clock: Callable[[], float] = time.monotonic) -> None:
        self._run, self._clock = run, clock
        self.name = run.name
        self._turned = clock()

    def turn(self) -> None:
        """To be called all the time by the one who waits for the end: proof of life."""
        self._turned = self._clock()

    @property
    def state(self) -> str:
        return self._run.state.value

    @property
    def streams(self) -> tuple[_Shown, ...]:
        return (self,)

    def problems(self) -> list[str]:
        """Its main loop stands still; whatever else is not well ends the process."""
        silent = self._clock() - self._turned
        return [f"the main loop has not turned for {silent:.0f} s"] if silent > DEAD_S else []

    def stats(self) -> LiveStats | None:
        return self._run.stats() if self._run.started else None

    def latencies(self) -> dict[str, LatencyHistogram]:
        return self._run.telemetry.latencies()


def run_live(job: LiveJob, settings: Settings) -> int:
    """Run one live stream until it ends or a signal ends it. Returns the exit code. Raises WrongOutputs."""
    check_keep(sink_settings(settings))
    for output in job.outputs:
        if feeds_itself(job.source, output, settings):
            raise WrongOutputs(f"{redact(output)} is where the stream comes from", do="Give another output")
    log = unhurried_log("error" if settings.quiet else "info")
    if not settings.quiet and not kernels_compiled():
        print("note: the kernels are compiled for this processor, once; that takes about a minute", file=sys.stderr)
    network = load_in_background(settings) if settings.strength > 0 else None
    run = LiveRun(StreamConfig(_NAME, job.source, job.outputs, settings), network, events=log.of(""))
    try:
        shown = _Shown(run)
        with serving(settings.metrics, shown, log), Interrupts(run) as interrupts:
            run.start()
            with _display(settings) as show:
                while not run.join(_REFRESH_S):
                    show(run)
                    log.flush()
                    shown.turn()
    except BaseException:
        run.abort()
        log.close()
        raise
    summary = run.summary()
    somebody_reads, said = log.close(), StringIO()
    with redirect_stderr(said):
        if not settings.quiet:
            print(result_line(summary), file=sys.stderr)
        code = report(run.error, debug=settings.debug) if run.error is not None else interrupts.exit_code
        if settings.summary is not None:
            code = write_summary(to_json(summary), settings) or code
    if somebody_reads:  # else this would hang
        with suppress(OSError):  # the terminal was closed
            print(said.getvalue(), end="", file=sys.stderr, flush=True)
    return code


def _display(settings: Settings) -> AbstractContextManager[Callable[[LiveRun], Any]]:
    if settings.quiet or not sys.stderr.isatty():
        return nullcontext(lambda run: None)
    return StatusLine()
