"""Several live streams in one process, out of one file: ``stream-enhance run streams.yaml``.

SIGTERM and SIGINT end all streams within two seconds, their outputs finalised; a second one ends at once. SIGHUP reads
the file again: what a stream can change while it runs is changed, other changes restart that stream alone, and a file
with a fault is refused as a whole while everything goes on.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from stream.doctor import kernels_compiled
from stream.errors import StreamError
from stream.live.configuration import Configuration, ConfigurationError, StreamConfig, read_configuration
from stream.live.course import Events
from stream.live.health import DEAD_S
from stream.live.log import EventLog, library_log, unhurried_log
from stream.live.opening import open_patient_sink
from stream.live.reload import plan
from stream.live.run import LiveRun
from stream.live.shared_models import SharedModels
from stream.live.shared_segmenters import SharedSegmenters
from stream.live.signals import Signals
from stream.live.summary import plain
from stream.live.supervised import OpenRun, Run, SupervisedStream
from stream.live.systemd import ALIVE, READY, STOPPING, reloading, tell
from stream.runner import write_summary

FAILED = 1
USAGE = 2
DRAIN_S = 2.5
"""For all streams to end; each takes at most 2 s."""
_TICK_S = 0.5


class Service:
    """The streams of a configuration, each under a supervisor of its own."""

    def __init__(
        self,
        configuration: Configuration,
        log: EventLog,
        *,
        open_run: OpenRun | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``open_run`` makes a run of a stream; by default a ``LiveRun`` with a network that streams share."""
        self.process = configuration.process
        self.models = SharedModels()
        self.segmenters = SharedSegmenters()
        self._log, self._clock = log, clock
        self._open_run = open_run or self._live_run
        self._lock = threading.Lock()
        self._streams = {config.name: self._supervised(config) for config in configuration.streams}
        self._ending: list[SupervisedStream] = []
        self._turned = clock()

    @property
    def streams(self) -> tuple[SupervisedStream, ...]:
        """Those of the configuration, in its order."""
        with self._lock:
            return tuple(self._streams.values())

    @property
    def over(self) -> bool:
        """Whether no stream is left that could come back: all were given up."""
        return all(stream.given_up for stream in self.streams)

    def start(self) -> None:
        """Start all streams; returns at once."""
        for stream in self.streams:
            stream.start()

    def turn(self) -> None:
        """To be called all the time by the one who waits for signals: proof of life, and housekeeping."""
        self._turned = self._clock()
        with self._lock:
            self._ending = [stream for stream in self._ending if stream.alive]
        self._log.flush()

    def problems(self) -> list[str]:
        """What makes the process unwell, as sentences; empty while it is fine. Dead cameras do not."""
        found = []
        silent = self._clock() - self._turned
        if silent > DEAD_S:
            found.append(f"the main loop has not turned for {silent:.0f} s")
        found += [
            f"nobody looks after stream {stream.name}"
            for stream in self.streams
            if stream.started and not stream.alive and not stream.given_up
        ]
        found += [f"stream {stream.name}: {stream.problem}" for stream in self.streams if stream.problem]
        return found

    def reload(self, wanted: Configuration) -> None:
        """Become what ``wanted`` says; returns at once. Streams that begin wait for those that end.

        Those whose source was given up are tried again.
        """
        with self._lock:
            running = {name: stream.config for name, stream in self._streams.items() if not stream.given_up}
            todo = plan(running, self.process, wanted)
            leaving = [self._streams[name] for name in (*todo.removed, *(config.name for config in todo.restarted))]
            for stream in leaving:
                stream.stop()
            self._ending += leaving
            fresh = {
                config.name: self._supervised(config, after=tuple(self._ending))
                for config in (*todo.added, *todo.restarted)
            }
            kept = {name: stream for name, stream in self._streams.items() if stream not in leaving}
            self._streams = {config.name: (kept | fresh)[config.name] for config in wanted.streams}
        for config, changes in todo.adjusted:
            kept[config.name].apply(config, changes)
        for stream in fresh.values():
            stream.start()
        self._log(
            "reload",
            state="done",
            added=_names(todo.added),
            removed=", ".join(todo.removed),
            restarted=_names(todo.restarted),
            changed=", ".join(config.name for config, _ in todo.adjusted),
            at_next_start=", ".join(todo.at_next_start),
        )

    def stop(self) -> None:
        """End all streams; returns at once."""
        for stream in self._all():
            stream.stop()

    def abort(self) -> None:
        """End all streams without what is in flight."""
        for stream in self._all():
            stream.abort()

    def join(self, timeout: float) -> bool:
        """Wait for all to end, at most ``timeout`` seconds together; whether they have."""
        until = time.monotonic() + timeout
        return all(stream.join(max(0.0, until - time.monotonic())) for stream in self._all())

    def _all(self) -> list[SupervisedStream]:
        with self._lock:
            return [*self._streams.values(), *self._ending]

    def _supervised(self, config: StreamConfig, after: tuple[SupervisedStream, ...] = ()) -> SupervisedStream:
        return SupervisedStream(config, self._open_run, self._log.of(config.name), after=after)

    def _live_run(self, config: StreamConfig, events: Events) -> Run:
        return LiveRun(
            config,
            self.models.soon(config.settings),
            events=events,
            open_sink=open_patient_sink,
            open_sam=self.segmenters,
        )


def _names(configs: tuple[StreamConfig, ...]) -> str:
    return ", ".join(config.name for config in configs)


def run_service(path: str | Path, *, check: bool = False) -> int:
    """Run the streams of a file until a signal ends them. Returns the exit code.

    0 ended by SIGTERM or SIGINT (for a service that is the regular end), or, with ``check``, the file is good; 1 the
    metrics cannot be served, or every source was given up; 2 the file cannot be used. Called in the main thread.
    """
    try:
        configuration = read_configuration(path, strict=check)
    except ConfigurationError as error:
        for line in error.lines:
            print(f"error: {line}", file=sys.stderr)
        return USAGE
    if check:
        print(f"{path} is good: {', '.join(config.name for config in configuration.streams)}")
        return 0
    process = configuration.process
    log = unhurried_log("error" if process.quiet else "info")
    _warn(configuration, log)
    service = Service(configuration, log)
    with Signals() as signals, library_log(log, "info" if process.debug else "warning"):
        try:
            code = _serve(service, signals, Path(path), log)
        finally:
            log.close()
    if process.summary is not None:
        summaries = [summary for stream in service.streams if (summary := stream.summary()) is not None]
        code = (
            write_summary(
                json.dumps(plain([asdict(each) for each in summaries]), indent=2, default=str) + "\n", process
            )
            or code
        )
    return code


def _serve(service: Service, signals: Signals, path: Path, log: EventLog) -> int:
    from stream.live.health import serving

    try:
        with serving(service.process.metrics, service, log):
            log("service", state="started", file=path, streams=len(service.streams), process=os.getpid())
            if not kernels_compiled():
                log("service", state="compiling", text="the kernels, once for this processor: about a minute")
            service.start()
            tell(READY)
            while not signals.ending and not service.over:
                signals.wait(_TICK_S)
                service.turn()
                if not service.problems():
                    tell(ALIVE)
                if signals.wants_reload():
                    _reload(service, path, log)
            if service.over:
                log("service", level="error", state="given_up", text="no source is left that could come back")
            tell(STOPPING)
            return end(service, signals, log)
    except StreamError as error:
        log("service", level="error", state="failed", error=error)
        return FAILED


def _reload(service: Service, path: Path, log: EventLog) -> None:
    tell(reloading())
    try:
        wanted = read_configuration(path, strict=False)
        _warn(wanted, log)
        service.reload(wanted)
    except ConfigurationError as error:
        for line in error.lines:
            log("reload", level="error", state="refused", error=line, held_back=False)
    tell(READY)


def _warn(configuration: Configuration, log: EventLog) -> None:
    for line in configuration.warnings:
        log("configuration", level="warning", text=line, held_back=False)


def end(service: Service, signals: Signals, log: EventLog) -> int:
    """End all streams within ``DRAIN_S``, or at once after a second signal. Returns the exit code."""
    log("service", state="stopping", streams=len(service.streams))
    service.stop()
    until = time.monotonic() + DRAIN_S
    ended = False
    while not ended and not signals.again and time.monotonic() < until:
        ended = service.join(_TICK_S / 5)
    if not ended:
        service.abort()
        log("service", level="warning", state="aborted")
        service.join(_TICK_S)
    log("service", state="stopped")
    return 0 if signals.ending else FAILED
