"""One stream of a service: run again and again, whatever ends it, until somebody stops it.

Everything of a stream happens in a thread of its own, loading its network included, so that neither a fault nor a
slow start touches the others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from stream.errors import ConnectionFailed, ReadsHang, StreamError
from stream.live.backoff import Backoff
from stream.live.configuration import StreamConfig
from stream.live.course import Events
from stream.live.reload import differences
from stream.live.summary import LiveStats, LiveSummary, RunState
from stream.redaction import redact
from stream.telemetry import LatencyHistogram, Telemetry

_ENDED = (RunState.FAILED, RunState.STOPPED)
_LOOK_S = 0.5
_HEALTHY_S = 30.0
_END_S = 10.0
"""For the run before to come to its end; after that it is left behind."""


class Run(Protocol):
    """What a service needs of a ``LiveRun``."""

    telemetry: Telemetry

    @property
    def error(self) -> BaseException | None: ...

    @property
    def state(self) -> RunState: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def abort(self) -> None: ...

    def join(self, timeout: float | None = None) -> bool: ...

    def apply(self, changes: Mapping[str, object]) -> None: ...

    def stats(self) -> LiveStats: ...

    def summary(self) -> LiveSummary: ...


OpenRun = Callable[[StreamConfig, Events], Run]


class SupervisedStream:
    """Start it once. All methods may be called from any thread and return at once, ``join`` excepted."""

    def __init__(
        self,
        config: StreamConfig,
        open_run: OpenRun,
        events: Events,
        *,
        backoff: Backoff | None = None,
        after: Sequence[SupervisedStream] = (),
    ) -> None:
        """``open_run`` makes a run that has not started. The first one waits for the end of the streams ``after``."""
        self.config = config
        self.restarts = 0
        """Runs that ended and were followed by another attempt."""
        self.last_error = ""
        """Redacted."""
        self.given_up = False
        """Its source failed for as long as the settings allow; it is not tried again."""
        self.problem = ""
        """What only another process could heal; redacted."""
        self._open_run, self._events = open_run, events
        self._backoff = backoff or Backoff(healthy_s=_HEALTHY_S)
        self._after = after
        self._lock = threading.Lock()
        self._run: Run | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"stream-{config.name}", daemon=True)

    @property
    def name(self) -> str:
        """Of the stream."""
        return self.config.name

    @property
    def started(self) -> bool:
        """Whether ``start`` was called."""
        return self._thread.ident is not None

    @property
    def alive(self) -> bool:
        """Whether somebody still looks after it."""
        return self._thread.is_alive()

    @property
    def state(self) -> str:
        """That of its run, or ``restarting`` between two runs, ``starting`` before the first."""
        run = self._run
        if not self._thread.is_alive():
            return "failed" if self.given_up else "stopped" if self.started else "starting"
        if self._stop.is_set():
            return "stopping"
        if run is None or run.state in _ENDED:
            return "restarting" if self.last_error else "starting"
        return str(run.state.value)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in flight and finalise the outputs."""
        with self._lock:
            self._stop.set()
            run = self._run
        if run is not None:
            run.stop()

    def abort(self) -> None:
        """End without what is in flight."""
        self.stop()
        run = self._run
        if run is not None:
            run.abort()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most ``timeout`` seconds; whether it has come."""
        if self.started:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def apply(self, config: StreamConfig, changes: Mapping[str, object]) -> None:
        """Go on under ``config``, which differs by ``changes`` that a run can take without an interruption."""
        with self._lock:
            self.config = config
            run = self._run
        if run is not None and run.state not in _ENDED:
            run.apply(changes)

    def stats(self) -> LiveStats | None:
        """Figures of the present run, or of the last one; None before the first has begun."""
        run = self._run
        try:
            return None if run is None else run.stats()
        except (RuntimeError, LookupError):  # it has not begun
            return None

    def latencies(self) -> dict[str, LatencyHistogram]:
        """Of the stages of the present run."""
        run = self._run
        return {} if run is None else run.telemetry.latencies()

    def summary(self) -> LiveSummary | None:
        """The record of the last run; None if there was none."""
        run = self._run
        try:
            return None if run is None else run.summary()
        except (RuntimeError, LookupError):
            return None

    def _supervise(self) -> None:
        until = time.monotonic() + _END_S
        for before in self._after:
            before.join(max(0.0, until - time.monotonic()))
        self._after = ()
        while not self._stop.is_set():
            error = self._run_once()
            if self._stop.is_set():
                return
            slow = isinstance(error, StreamError) and error.retry_slowly
            self.last_error = redact(str(error) or type(error).__name__) if error else "it ended by itself"
            self.given_up = isinstance(error, ConnectionFailed) and self.config.settings.give_up_after is not None
            if self.given_up:
                self._events("stream", level="error", state="given_up", error=self.last_error)
                return
            self._wait_while_reads_hang(error)
            pause = self._backoff.pause(slow=slow)
            self._events("stream", level="error", state="restarting", error=self.last_error, retry_in_s=pause)
            self.restarts += 1
            self._stop.wait(pause)

    def _wait_while_reads_hang(self, error: BaseException | None) -> None:
        """Each run would leave more of them behind."""
        if not isinstance(error, ReadsHang):
            return
        self.problem = self.last_error
        self._events("stream", level="error", state="hanging", error=self.last_error)
        while error.hanging() and not self._stop.wait(_LOOK_S):
            pass
        self.problem = ""

    def _run_once(self) -> BaseException | None:
        """One run from its opening to its end; what ended it."""
        config = self.config
        run: Run | None = None
        try:
            run = self._open_run(config, self._events)
            run.start()
        except Exception as error:
            if run is not None:
                run.abort()  # its outputs are open already
            return error
        with self._lock:
            self._run, latest, stopping = run, self.config, self._stop.is_set()
        if stopping:
            run.stop()
        elif latest is not config:  # it was changed while this run came up
            run.apply(differences(config.settings, latest.settings))
        while not run.join(_LOOK_S):
            if run.state is RunState.RUNNING:
                self._backoff.healthy(time.monotonic())
        return run.error
