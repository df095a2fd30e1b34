"""The figures of live streams in the format of Prometheus, read when they are asked for.

Nothing is counted here: the streams count for themselves, and a scrape reads what they have. Labels are ``stream``, the
name of a stream, and where it applies ``stage``, ``cause``, ``output`` (without credentials) and ``state``. Counters of
a stream begin at 0 again when it restarts, which ``rate()`` understands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stream.live.outputs.output import OutputState
from stream.live.state import SourceState
from stream.live.summary import LiveStats, OutputFigures, RunState
from stream.redaction import redact
from stream.telemetry import LatencyHistogram

if TYPE_CHECKING:
    from stream.live.health import StreamView, View

PREFIX = "stream_enhance_"
BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper ends of the buckets of latencies: finest about one and two frame intervals."""
STREAM_STATES = (*(state.value for state in RunState), "restarting")

Number = Callable[[LiveStats], float | None]


@dataclass(frozen=True, slots=True)
class _Figure:
    """One number of each stream; None leaves the stream out."""

    name: str
    about: str
    value: Number
    counts: bool = True


_OF_STREAMS = (
    _Figure("frames_received", "Frames that came from the source.", lambda s: s.frames_in),
    _Figure("frames_written", "Frames that reached the outputs' encoder.", lambda s: s.frames_out),
    _Figure("frames_in_flight", "Frames on their way through.", lambda s: s.in_flight, False),
    _Figure("notice_frames", "Pictures shown while the source was away.", lambda s: s.notices),
    _Figure("frames_per_second_in", "Frames a second from the source, lately.", lambda s: s.fps_in, False),
    _Figure("frames_per_second_out", "Frames a second written, lately.", lambda s: s.fps_out, False),
    _Figure("source_reconnects", "Connections after the first.", lambda s: s.source.reconnects),
    _Figure("source_stalls", "Times that a connected source gave nothing.", lambda s: s.source.stalls),
    _Figure("source_damaged_pictures", "Pictures lost or decoded with errors.", lambda s: s.source.damaged),
    _Figure(
        "source_packets_before_key_frame",
        "Packets before the first key frame of a connection.",
        lambda s: s.source.lost_before_key_frame,
    ),
    _Figure("picture_width_pixels", "Of the source's pictures.", lambda s: s.width, False),
    _Figure("picture_height_pixels", "Of the source's pictures.", lambda s: s.height, False),
    _Figure("network_runs", "Runs of the low-light network.", lambda s: s.network_runs),
    _Figure("network_failures", "Runs of it without a usable result.", lambda s: s.network_failures),
    _Figure("frames_passed_through", "Frames left as they came after a failure.", lambda s: s.passed_through),
    _Figure("scene_cuts", "Cuts that were found.", lambda s: s.cuts),
    _Figure("sam_age_seconds", "Since SAM's last result.", lambda s: s.sam_age_s, False),
    _Figure("sam_runs", "Pictures in which SAM looked for regions.", lambda s: s.sam.runs if s.sam else None),
    _Figure("sam_failures", "Pictures in which SAM found nothing usable.", lambda s: s.sam.failures if s.sam else None),
    _Figure("sam_cpu_seconds", "CPU time of SAM.", lambda s: s.sam.cpu_s if s.sam else None),
    _Figure("gate_night", "1 while the gate of `when: dark` says night, 0 by day.", lambda s: s.night, False),
    _Figure("gate_brightness", "The gate's measure, 0 to 1.", lambda s: s.brightness, False),
    _Figure("stage_restarts", "Stages started anew after a fault.", lambda s: s.restarts),
    _Figure("stuck_threads", "Threads left to themselves.", lambda s: s.stuck_threads + s.source.stuck_readers, False),
)

_OF_OUTPUTS: tuple[tuple[str, str, Callable[[OutputFigures], float], bool], ...] = (
    ("output_frames_offered", "Pictures handed to an output.", lambda o: o.offered, True),
    ("output_frames_written", "Pictures that it wrote.", lambda o: o.written, True),
    ("output_frames_in_flight", "Pictures that wait in it.", lambda o: o.in_flight, False),
    ("output_reconnects", "Times it came back after a loss.", lambda o: o.reconnects, True),
)


def exposition(view: View) -> Callable[[], str]:
    """A function that gives the page; one scrape at a time."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Streams(view))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    turn = threading.Lock()

    def page() -> str:
        with turn:
            return generate_latest(registry).decode()

    return page


class _Streams(Collector):
    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterable[Metric]:
        streams = list(self._view.streams)
        yield _gauge("streams", "Streams that are configured.", [], [((), len(streams))])
        yield _gauge("healthy", "1 while /healthz is.", [], [((), not self._view.problems())])
        yield _gauge("threads", "Threads of Python in this process.", [], [((), threading.active_count())])
        restarts = [((stream.name,), stream.restarts) for stream in streams]
        yield _counter("stream_restarts", "Runs of the stream that ended and were tried again.", ["stream"], restarts)
        yield _states("stream_state", "What a stream is doing.", [((s.name,), s.state) for s in streams], STREAM_STATES)
        known = [(stream.name, stats) for stream in streams if (stats := stream.stats()) is not None]
        yield from _of_streams(known)
        yield from _of_outputs(known)
        yield _latencies(streams)


def _of_streams(known: list[tuple[str, LiveStats]]) -> Iterator[Metric]:
    sources = [((name,), stats.source.state) for name, stats in known]
    yield _states("source_state", "What a source is doing.", sources, [state.value for state in SourceState])
    for figure in _OF_STREAMS:
        found = [((name,), figure.value(stats)) for name, stats in known]
        samples = [(labels, float(value)) for labels, value in found if value is not None]
        yield (_counter if figure.counts else _gauge)(figure.name, figure.about, ["stream"], samples)
    dropped = [((name, cause), count) for name, stats in known for cause, count in stats.dropped.items()]
    yield _counter("frames_dropped", "Frames given up, by cause.", ["stream", "cause"], dropped)


def _of_outputs(known: list[tuple[str, LiveStats]]) -> Iterator[Metric]:
    outputs = [((name, redact(output.uri)), output) for name, stats in known for output in _distinct(stats)]
    states = [(labels, output.state) for labels, output in outputs]
    yield _states("output_state", "What an output is doing.", states, [state.value for state in OutputState], "output")
    for name, about, value, counts in _OF_OUTPUTS:
        samples = [(labels, float(value(output))) for labels, output in outputs]
        yield (_counter if counts else _gauge)(name, about, ["stream", "output"], samples)
    dropped = [((*labels, cause), count) for labels, output in outputs for cause, count in output.dropped.items()]
    yield _counter("output_frames_dropped", "Pictures it gave up, by cause.", ["stream", "output", "cause"], dropped)


def _distinct(stats: LiveStats) -> list[OutputFigures]:
    """One of each address: two outputs that look alike without their credentials would be one series twice."""
    return list({redact(output.uri): output for output in stats.outputs}.values())


def _latencies(streams: Iterable[StreamView]) -> Metric:
    family = HistogramMetricFamily(
        f"{PREFIX}stage_seconds",
        "Time that each stage takes for a frame; total is from capture to written.",
        labels=["stream", "stage"],
    )
    for stream in streams:
        for stage, histogram in stream.latencies().items():
            buckets, total = cumulative(histogram)
            family.add_metric([stream.name, stage], buckets, total)
    return family


def cumulative(histogram: LatencyHistogram) -> tuple[list[tuple[str, float]], float]:
    """Buckets as Prometheus has them, each with all shorter durations in it, and the sum of all durations in seconds.

    The histogram goes on counting meanwhile: the last bucket has at least as many as the others.
    """
    counts: list[int] = []
    for bound in BOUNDS_S:
        counts.append(max(histogram.below(bound), counts[-1] if counts else 0))
    everything = max(histogram.count, counts[-1])
    buckets = [(repr(bound), float(count)) for bound, count in zip(BOUNDS_S, counts, strict=True)]
    return [*buckets, ("+Inf", float(everything))], histogram.total


Samples = Iterable[tuple[tuple[str, ...], float]]


def _counter(name: str, about: str, labels: list[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(PREFIX + name, about, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _gauge(name: str, about: str, labels: list[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, about, labels=labels)
    for values, number in samples:
        family.add_metric(values, float(number))
    return family


def _states(
    name: str, about: str, now: Iterable[tuple[tuple[str, ...], str]], states: Iterable[str], *more: str
) -> Metric:
    """1 for the state that something is in, 0 for all others."""
    each = [((*labels, state), float(state == current)) for labels, current in now for state in states]
    return _gauge(name, about, ["stream", *more, "state"], each)
