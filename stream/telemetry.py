"""Counters and latency percentiles of a run, cheap enough for every frame of every stage.

Latencies go into a histogram whose bins grow by 5 %, so a percentile costs a fixed 2.6 kB per stage whatever the length
of the run and is exact to half a bin (2.5 %).
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_SHORTEST = 1e-6
_LONGEST = 1e3
_GROWTH = math.log(1.05)
_BINS = math.ceil(math.log(_LONGEST / _SHORTEST) / _GROWTH) + 1


class LatencyHistogram:
    """Durations between 1 us and 1000 s in logarithmic bins; values outside count in the outermost bins."""

    def __init__(self) -> None:
        self._bins = [0] * _BINS
        self.count = 0
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        index = int(math.log(seconds / _SHORTEST) / _GROWTH) if seconds > _SHORTEST else 0
        self._bins[min(index, _BINS - 1)] += 1
        self.count += 1
        self.total += seconds

    @staticmethod
    def of(*parts: LatencyHistogram) -> LatencyHistogram:
        """All durations of the parts together."""
        whole = LatencyHistogram()
        whole._bins = [sum(counts) for counts in zip(*(part._bins for part in parts), strict=True)]
        whole.count = sum(whole._bins)
        whole.total = sum(part.total for part in parts)
        return whole

    def below(self, seconds: float) -> int:
        """How many of the counted durations were shorter, to within a bin (5 %)."""
        index = int(math.log(seconds / _SHORTEST) / _GROWTH) if seconds > _SHORTEST else 0
        return sum(self._bins[: min(index, _BINS)])

    def quantile(self, share: float) -> float:
        """Duration in seconds below which ``share`` (0..1) of the counted ones lie; 0.0 while nothing was counted."""
        rank = share * self.count
        seen = 0
        for index, count in enumerate(self._bins):
            seen += count
            if count and seen >= rank:
                return _SHORTEST * math.exp((index + 0.5) * _GROWTH)
        return 0.0


class RecentLatency:
    """Percentiles of the last one or two ``span_s``, for runs whose beginning nobody asks about any more.

    One thread adds, others read.
    """

    def __init__(self, span_s: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._span, self._clock = span_s, clock
        self._began = clock()
        self._before, self._now = LatencyHistogram(), LatencyHistogram()

    def add(self, seconds: float) -> None:
        """Count one duration."""
        if self._clock() - self._began > self._span:
            self._before, self._now, self._began = self._now, LatencyHistogram(), self._clock()
        self._now.add(seconds)

    def quantile(self, share: float) -> float:
        """As ``LatencyHistogram.quantile``."""
        return LatencyHistogram.of(self._before, self._now).quantile(share)


class RecentRate:
    """How often something happened a second, over the last ``span_s``. Any thread may call."""

    def __init__(self, span_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._span, self._clock = span_s, clock
        self._began = clock()
        self._lock = threading.Lock()
        self._times: deque[float] = deque()

    def add(self) -> None:
        """It happened now."""
        with self._lock:
            self._times.append(self._clock())
            self._forget()

    def value(self) -> float:
        """Times a second."""
        with self._lock:
            self._forget()
            return len(self._times) / max(1e-3, min(self._span, self._clock() - self._began))

    def _forget(self) -> None:
        oldest = self._clock() - self._span
        while self._times and self._times[0] < oldest:
            self._times.popleft()


@dataclass(slots=True)
class StageMeter:
    """What one stage spent: wall-clock time per item and the CPU time of its own thread, None if nobody measured it."""

    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    cpu_seconds: float | None = None

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Count the wall-clock time of the block and the CPU time that the calling thread spends in it."""
        start, before = time.perf_counter(), time.thread_time()
        yield
        self.latency.add(time.perf_counter() - start)
        self.cpu_seconds = (self.cpu_seconds or 0.0) + time.thread_time() - before


@dataclass(frozen=True, slots=True)
class StageFigures:
    """Percentiles of one stage in milliseconds, and the CPU seconds of its own thread.

    ``cpu_s`` leaves out workers of codecs and of the pass; None for ``total`` of a video, which is waiting too.
    """

    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_s: float | None


@dataclass(frozen=True, slots=True)
class Stats:
    """A moment of a run. ``frames_in = frames_out + sum(dropped) + in_flight`` always holds."""

    frames_in: int
    frames_out: int
    dropped: dict[str, int]
    damaged: int
    fps: float
    elapsed_s: float
    cpu_s: float
    peak_rss_mb: float
    stages: dict[str, StageFigures]

    @property
    def in_flight(self) -> int:
        return self.frames_in - self.frames_out - sum(self.dropped.values())


class Telemetry:
    """Collects the figures of one run. Each stage's meter is written by that stage's thread alone."""

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._damaged: Callable[[], int] = int
        self._lock = threading.Lock()
        self._stages: dict[str, StageMeter] = {}
        self._frames_in = 0
        self._frames_out = 0
        self._first_out: float | None = None
        self._ended: float | None = None
        self.begin()

    def begin(self) -> None:
        """Start the clocks, again if need be."""
        self._started = time.perf_counter()
        self._cpu_before = time.process_time()

    def stage(self, name: str) -> StageMeter:
        """The meter called ``name``, made at first use."""
        with self._lock:
            return self._stages.setdefault(name, StageMeter())

    def latencies(self) -> dict[str, LatencyHistogram]:
        """The histogram of each stage, to be read only; it goes on counting."""
        with self._lock:
            return {name: meter.latency for name, meter in self._stages.items()}

    def frame_in(self, frames: int = 1) -> None:
        """A frame, or several, left the source."""
        with self._lock:
            self._frames_in += frames

    def frame_out(self) -> None:
        """A frame reached the sink or the caller."""
        with self._lock:
            self._frames_out += 1
            if self._first_out is None:
                self._first_out = time.perf_counter()

    def keep(self, frames: int) -> None:
        """The output of a failed run holds ``frames``: the others that seemed to be out were lost after all."""
        with self._lock:
            self._frames_out = frames

    def watch_damage(self, damaged: Callable[[], int]) -> None:
        """``damaged`` tells how many pictures were lost or decoded with errors so far."""
        self._damaged = damaged

    def drop(self, cause: str, frames: int = 1) -> None:
        """``frames`` were given up because of ``cause``."""
        with self._lock:
            self.dropped[cause] += frames

    def end(self) -> None:
        """Stop the clock."""
        if self._ended is None:
            self._ended = time.perf_counter()

    @property
    def in_flight(self) -> int:
        """Frames that are neither out nor dropped yet."""
        return self._frames_in - self._frames_out - self.dropped.total()

    @property
    def first_frame_s(self) -> float | None:
        """Seconds from the start of the run to the first frame that came out."""
        return None if self._first_out is None else self._first_out - self._started

    def snapshot(self) -> Stats:
        """The figures of this moment; frames a second are counted over the whole run, start-up included."""
        elapsed = (self._ended or time.perf_counter()) - self._started
        with self._lock:
            stages = {name: _figures(meter) for name, meter in self._stages.items()}
            return Stats(
                frames_in=self._frames_in,
                frames_out=self._frames_out,
                dropped=dict(self.dropped),
                damaged=self._damaged(),
                fps=self._frames_out / elapsed if elapsed > 0 else 0.0,
                elapsed_s=elapsed,
                cpu_s=time.process_time() - self._cpu_before,
                peak_rss_mb=peak_rss_mb(),
                stages=stages,
            )


def _figures(meter: StageMeter) -> StageFigures:
    latency = meter.latency
    mean = latency.total / latency.count if latency.count else 0.0
    p50, p95, p99 = (1e3 * latency.quantile(share) for share in (0.50, 0.95, 0.99))
    return StageFigures(latency.count, 1e3 * mean, p50, p95, p99, meter.cpu_seconds)


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far, in MB (10^6 bytes); 0.0 where the system does not tell."""
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
