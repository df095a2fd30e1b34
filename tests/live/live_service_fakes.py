"""Runs and streams made of nothing, for tests of what is around them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from stream.live.configuration import StreamConfig
from stream.live.health import StreamView
from stream.live.summary import LiveStats, OutputFigures, RunState, SourceFigures
from stream.settings import Settings
from stream.summary import SamFigures
from stream.telemetry import LatencyHistogram, Telemetry

PATIENCE_S = 60.0


def wait_for(condition: Callable[[], object], what: str = "it") -> None:
    """Until the condition holds."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"{what} never came"
        time.sleep(0.005)


def config(
    name: str = "door", source: str = "testsrc:", outputs: tuple[str, ...] = ("null:",), **settings
) -> StreamConfig:
    return StreamConfig(name, source, outputs, Settings(**settings))


def stats(name: str = "door", **changes) -> LiveStats:
    """Figures of a stream that has run for a while."""
    usual = LiveStats(
        name=name, state=RunState.RUNNING,
        source=SourceFigures("rtsp://***@camera/1", "streaming", 2, 1, 3, 4, 5, 0, "gone"),
        outputs=(
            OutputFigures("rtsp://***@server/door", "writing", 100, 90, 4, {"queue_full": 6}, 2, ""),
            OutputFigures("door.mkv", "failed", 50, 40, 0, {"lost": 10}, 0, "the disk is full"),
        ),
        width=1280, height=720, frames_in=110, frames_out=100, dropped={"stale": 7, "queue_full": 2}, notices=12,
        night=True, brightness=0.125, fps_in=25.0, fps_out=24.5, latency_p50_ms=30.0, latency_p95_ms=60.0, stages={},
        network_runs=50, network_failures=1, passed_through=2, cuts=3, sam_age_s=1.5, sam=SamFigures(9, 2, 1, 3, 4.5),
        restarts=1, stuck_threads=0,
        elapsed_s=5.0, cpu_s=2.0, peak_rss_mb=300.0,
    )  # fmt: skip
    return replace(usual, **changes)


class FakeStream:
    """A stream as its pages show it."""

    def __init__(self, figures: LiveStats | None = None, state: str = "running", name: str = "door") -> None:
        self.figures, self.state, self.name = figures, state, name
        self.restarts, self.last_error = 0, ""
        self.histograms: dict[str, LatencyHistogram] = {}

    def stats(self) -> LiveStats | None:
        return self.figures

    def latencies(self) -> dict[str, LatencyHistogram]:
        return self.histograms


class FakeView:
    """A process as its pages show it."""

    def __init__(self, *streams: StreamView) -> None:
        self.streams, self.troubles = streams, []

    def problems(self) -> list[str]:
        return self.troubles


class FakeRun:
    """A run that ends when it is told to, well or with an error."""

    def __init__(self, config: StreamConfig, events: object = None) -> None:
        self.config, self.telemetry = config, Telemetry()
        self.state, self.error = RunState.STARTING, None
        self.changes: list[dict[str, object]] = []
        self.looks = 0
        """How often somebody waited for its end."""
        self._ended = threading.Event()

    def start(self) -> None:
        self.state = RunState.RUNNING

    def stop(self) -> None:
        self.end()

    def abort(self) -> None:
        self.end()

    def end(self, error: BaseException | None = None) -> None:
        if not self._ended.is_set():
            self.error = error
            self.state = RunState.FAILED if error else RunState.STOPPED
            self._ended.set()

    def join(self, timeout: float | None = None) -> bool:
        self.looks += 1
        return self._ended.wait(timeout)

    def apply(self, changes) -> None:
        self.changes.append(dict(changes))

    def stats(self) -> LiveStats:
        return stats(self.config.name)

    def summary(self):
        raise RuntimeError("a fake has none")
