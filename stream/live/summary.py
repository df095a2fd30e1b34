"""What a live run is doing, and what it did: figures of a moment, and the record that is written as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from stream.live.outputs.output import Output
from stream.redaction import MARK, is_secret_name, redact
from stream.summary import ExitReason, SamFigures
from stream.telemetry import StageFigures


class RunState(Enum):
    """What a live run is doing."""

    STARTING = "starting"
    """No frame has come out yet."""
    RUNNING = "running"
    AWAY = "away"
    """The source gives nothing at the moment."""
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class OutputFigures:
    """One output; ``uri`` and ``last_error`` are redacted. ``offered = written + sum(dropped) + in_flight``."""

    uri: str
    state: str
    offered: int
    written: int
    in_flight: int
    dropped: dict[str, int]
    reconnects: int
    last_error: str


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """The source, over all its connections; ``uri`` and ``last_error`` are redacted."""

    uri: str
    state: str
    generation: int
    """Connections that gave a picture."""
    reconnects: int
    stalls: int
    damaged: int
    """Pictures lost or decoded with errors."""
    lost_before_key_frame: int
    """Packets that came before the first key frame of a connection."""
    stuck_readers: int
    last_error: str


@dataclass(frozen=True, slots=True)
class LiveStats:
    """A moment of a live run. ``frames_in = frames_out + sum(dropped) + in_flight`` always holds."""

    name: str
    state: RunState
    source: SourceFigures
    outputs: tuple[OutputFigures, ...]
    width: int
    """Of the source's pictures now; 0 before the first, as ``height``."""
    height: int
    frames_in: int
    frames_out: int
    dropped: dict[str, int]
    notices: int
    """Pictures that outputs got while the source was away; they count neither as in nor as out."""
    night: bool | None
    """What the gate of ``--when dark`` says; None without it."""
    brightness: float | None
    """The gate's measure, 0..1."""
    fps_in: float
    """Over the last seconds, as ``fps_out``."""
    fps_out: float
    latency_p50_ms: float
    """From capture to written, over the last half to whole minute, as ``latency_p95_ms``."""
    latency_p95_ms: float
    stages: dict[str, StageFigures]
    """Over the whole run."""
    network_runs: int
    network_failures: int
    passed_through: int
    """Frames that were left as they came because the network failed."""
    cuts: int
    sam_age_s: float | None
    """Since the segmenter's last result; None before, and without a segmenter."""
    sam: SamFigures | None
    """None where no regions are looked for."""
    restarts: int
    """Of stages, after faults."""
    stuck_threads: int
    elapsed_s: float
    cpu_s: float
    """Of the whole process."""
    peak_rss_mb: float

    @property
    def in_flight(self) -> int:
        """Frames that are neither out nor dropped yet."""
        return self.frames_in - self.frames_out - sum(self.dropped.values())


@dataclass(frozen=True, slots=True)
class LiveSummary:
    """The record of a live run. Nothing in it holds credentials."""

    name: str
    exit_reason: ExitReason
    error: str | None
    first_frame_s: float | None
    """From the start of the run to the first frame that came out."""
    figures: LiveStats
    mode: str
    bundle: dict[str, str] | None
    sam: SamFigures | None
    settings: dict[str, Any]
    versions: dict[str, str]
    notes: tuple[str, ...]


def output_figures(outputs: Sequence[Output]) -> tuple[OutputFigures, ...]:
    """Of each output, at this moment."""
    return tuple(
        OutputFigures(
            redact(output.uri),
            output.state.value,
            output.offered,
            output.written,
            output.in_flight,
            dict(output.dropped),
            output.reconnects,
            redact(output.last_error),
        )
        for output in outputs
    )


def plain(value: Any) -> Any:
    """The value for JSON: every text redacted, options that are secrets by their names hidden, enums as values."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {redact(str(key)): _hidden(str(key), plain(each)) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def _hidden(name: str, value: Any) -> Any:
    return MARK if value and isinstance(value, str) and is_secret_name(name) else value


def to_json(summary: LiveSummary) -> str:
    """The record as an object."""
    return json.dumps(plain(asdict(summary)), indent=2, default=str) + "\n"


def result_line(summary: LiveSummary) -> str:
    """``rtsp://camera/1: 812 frames in, 810 out, 2 dropped (stale 2), 1 reconnect``"""
    figures = summary.figures
    parts = [f"{figures.frames_in} frames in, {figures.frames_out} out"]
    if figures.dropped:
        causes = ", ".join(f"{cause} {count}" for cause, count in figures.dropped.items())
        parts.append(f"{sum(figures.dropped.values())} dropped ({causes})")
    if figures.source.reconnects:
        parts.append(f"{figures.source.reconnects} reconnect{'s' * (figures.source.reconnects > 1)}")
    for output in figures.outputs:
        lost = f", {sum(output.dropped.values())} lost" if output.dropped else ""
        parts.append(f"{output.uri}: {output.written} written{lost}")
    return f"{figures.source.uri}: " + "; ".join(parts)


def status_line(stats: LiveStats) -> str:
    """``running, 25.0 fps in, 25.0 out, 3 dropped, 42 ms (p95 60), night, 1 reconnect | out.mp4 writing``"""
    parts = [f"{stats.state.value}"]
    if stats.source.state != "streaming":
        parts[0] += f" ({stats.source.state})"
    parts += [f"{stats.fps_in:.1f} fps in, {stats.fps_out:.1f} out", f"{sum(stats.dropped.values())} dropped"]
    if stats.latency_p50_ms:
        parts.append(f"{stats.latency_p50_ms:.0f} ms (p95 {stats.latency_p95_ms:.0f})")
    if stats.night is not None:
        parts.append("night" if stats.night else "day")
    parts.append(f"{stats.source.reconnects} reconnects")
    return ", ".join(parts) + " | " + ", ".join(f"{output.uri} {output.state}" for output in stats.outputs)
