"""One live stream from its source to its outputs: ``LiveRun(config, network).start()``, and it goes on for months.

The source connects while the network loads. Nothing here waits for the far end of anything; what fails is tried again,
and ``stats`` tells at any moment how it is going.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Protocol

from stream.errors import SettingFixed
from stream.live.configuration import StreamConfig
from stream.live.course import Course, Events, Limits, unheard
from stream.live.enhancing import LiveEnhancer, Network
from stream.live.opening import open_live_sink, open_live_source
from stream.live.reporting import Reporter
from stream.live.stages import Incoming, LiveStages
from stream.live.state import SourceEvent, SourceState
from stream.live.summary import LiveStats, LiveSummary, RunState, SourceFigures, output_figures, plain
from stream.live.writing import AWAY_S, LiveOutputs, LiveWriter, Presence
from stream.media import VideoInfo
from stream.queues import Cancelled
from stream.redaction import redact
from stream.segmentation import OpenSam, Sam
from stream.settings import Settings
from stream.summary import ExitReason, sam_figures, versions
from stream.telemetry import Telemetry

if TYPE_CHECKING:
    from stream.live.outputs.output import OutputEvent

CHANGEABLE = ("strength", "denoise", "network_every", "sam_every", "when")
"""Settings that ``LiveRun.apply`` takes."""
_LOOK_S = 0.2


class LiveInput(Incoming, Protocol):
    """What a run needs of a ``LiveSource``."""

    uri: str
    video: VideoInfo | None
    state: SourceState
    generation: int
    reconnects: int
    stalls: int
    last_error: str
    notes: list[str]

    @property
    def damaged(self) -> int: ...

    @property
    def lost_before_key_frame(self) -> int: ...

    @property
    def skipped(self) -> int: ...

    @property
    def stuck_readers(self) -> int: ...


OpenSource = Callable[[StreamConfig, Callable[[SourceEvent], None]], LiveInput]
OpenSink = Callable[[StreamConfig, "Callable[[OutputEvent], None]"], LiveOutputs]


class LiveRun:
    """Start it once. ``stats``, ``apply`` and ``stop`` may be called from any thread."""

    def __init__(
        self,
        config: StreamConfig,
        network: Network | Future[Network] | None,
        *,
        events: Events = unheard,
        open_source: OpenSource = open_live_source,
        open_sink: OpenSink = open_live_sink,
        open_sam: OpenSam = Sam,
        limits: Limits | None = None,
    ) -> None:
        """``network`` may still be loading; None leaves frames as they come. ``events`` is told what happens.
        ``open_sam`` opens segmenters.

        Opens the outputs. Raises what can be known of source and outputs beforehand.
        """
        self.config = config
        self.telemetry = Telemetry()
        self._network, self._events, self._connect, self._open_sam = network, events, open_source, open_sam
        self._report = Reporter(events)
        self._course = Course(self.telemetry, limits or Limits(), events)
        self._enhancers: list[LiveEnhancer] = []
        self._settings = config.settings
        self._presence = Presence(away_s=max(AWAY_S, config.settings.source_timeout / 2))
        self._inputs = [open_source(config, self._report.source)]
        self._writer = LiveWriter(
            open_sink(config, self._report.output),
            self._presence,
            config.settings.away,
            showing=self._report.notice,
        )
        self._stages: LiveStages | None = None

    @classmethod
    def of(cls, source: str, outputs: str | Sequence[str], name: str = "live", **options: object) -> LiveRun:
        """A run of its own: ``LiveRun.of("rtsp://camera/1", "out.mp4", strength=0.8)``; its network loads meanwhile.

        ``options`` are fields of ``Settings``. Raises ``pydantic.ValidationError`` and ``StreamError``.
        """
        from stream.live.warming import load_in_background

        settings = Settings(**options)  # type: ignore[arg-type]
        where = (outputs,) if isinstance(outputs, str) else tuple(outputs)
        network = load_in_background(settings) if settings.strength > 0 else None
        return cls(StreamConfig(name, source, where, settings), network)

    def __enter__(self) -> LiveRun:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.join()

    @property
    def name(self) -> str:
        """Of the stream."""
        return self.config.name

    @property
    def started(self) -> bool:
        """Whether there are figures."""
        return self._stages is not None

    @property
    def error(self) -> BaseException | None:
        """What ended the run, if not ``stop``."""
        return self._course.error

    @property
    def state(self) -> RunState:
        """What it is doing."""
        stages = self._stages
        if stages is None:
            return RunState.STARTING
        if stages.wait(0):
            return RunState.FAILED if self.error else RunState.STOPPED
        if self._course.ending.is_set():
            return RunState.STOPPING
        if self.telemetry.first_frame_s is None:
            return RunState.STARTING
        return RunState.RUNNING if self._presence.away_since is None else RunState.AWAY

    @property
    def outputs(self) -> Sequence[object]:
        """The outputs, as the sink has them."""
        return self._writer.sink.outputs

    def start(self) -> None:
        """Connect and start the threads; returns at once."""
        if self._stages is not None:
            raise RuntimeError("a live run starts once: make another one")
        self.telemetry.begin()
        self._stages = LiveStages(
            self._course,
            self._input,
            self._open_source,
            self._prepare,
            self._writer,
            self._presence,
            staleness_s=self._settings.staleness,
            skipped=self._skipped,
            tick=self._tick,
            ended=self._tell_end,
        )
        self.telemetry.watch_damage(lambda: self._input.damaged)
        self._events("run", state="started", source=self._input.uri, outputs=self._writer.sink.uri)
        self._stages.start()

    def stop(self) -> None:
        """End: finish the frames in flight, finalise the outputs, within 2 s. Returns at once."""
        self._course.stop()

    def abort(self) -> None:
        """End at once, without the frames in flight; recordings stay playable. Returns at once once it has started."""
        self._course.abort()
        if self._stages is None:
            self._writer.sink.abort()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most ``timeout`` seconds; whether it has come."""
        return self._running.wait(timeout)

    def request_key_frame(self) -> None:
        """The next frame becomes a key frame."""
        self._writer.sink.request_key_frame()

    def apply(self, changes: Mapping[str, object]) -> None:
        """Change settings from the next frame on: strength, denoise, network_every, sam_every, when.

        All or none. Raises ``SettingFixed`` for other settings, and for a strength above 0 where the run was given no
        network, ``pydantic.ValidationError`` for values out of range.
        """
        fixed = [name for name in changes if name not in CHANGEABLE]
        if fixed:
            raise SettingFixed(
                f"{', '.join(fixed)} cannot change while the stream {self.name} runs",
                do=f"Start it anew; what can change is {', '.join(CHANGEABLE)}",
            )
        wanted = Settings(**(self._settings.model_dump() | dict(changes)))
        if self._network is None and wanted.strength > 0:
            raise SettingFixed(
                f"the stream {self.name} was started with strength 0 and so without a network",
                do="Start it anew with the strength that you want",
            )
        self._settings = wanted
        for enhancer in self._enhancers[-1:]:
            enhancer.change(self._settings)
        self._events("settings", **changes)

    def stats(self) -> LiveStats:
        """Counts, rates, latencies and states of this moment."""
        counted, stages, source = self.telemetry.snapshot(), self._running, self._input
        enhancer = self._enhancers[-1] if self._enhancers else None
        runs, failures, cuts = map(sum, zip((0, 0, 0), *(each.counts for each in self._enhancers), strict=True))
        return LiveStats(
            name=self.name,
            state=self.state,
            source=_source_figures(source),
            outputs=output_figures(self._writer.sink.outputs),
            width=source.video.width if source.video else 0,
            height=source.video.height if source.video else 0,
            frames_in=counted.frames_in,
            frames_out=counted.frames_out,
            dropped=counted.dropped,
            notices=self._writer.notices,
            night=enhancer.night if enhancer else None,
            brightness=enhancer.gate.brightness if enhancer and enhancer.gate else None,
            fps_in=stages.rate_in.value(),
            fps_out=stages.rate_out.value(),
            latency_p50_ms=1e3 * stages.latency.quantile(0.50),
            latency_p95_ms=1e3 * stages.latency.quantile(0.95),
            stages=counted.stages,
            network_runs=runs,
            network_failures=failures,
            passed_through=sum(each.passed_through for each in self._enhancers),
            cuts=cuts,
            sam_age_s=enhancer.sam_age_s if enhancer else None,
            sam=sam_figures(enhancer.semantics) if enhancer else None,
            restarts=self._course.restarts.total,
            stuck_threads=stages.stuck_threads,
            elapsed_s=counted.elapsed_s,
            cpu_s=counted.cpu_s,
            peak_rss_mb=counted.peak_rss_mb,
        )

    def summary(self) -> LiveSummary:
        """The record of the run so far, without any credentials."""
        stats, error = self.stats(), self.error
        reason: ExitReason = "failed" if error else "interrupted" if self._course.interrupted else "complete"
        network = self._loaded
        card = network.card if network else None
        return LiveSummary(
            name=self.name,
            exit_reason=reason,
            error=redact(str(error) or type(error).__name__) if error else None,
            first_frame_s=self.telemetry.first_frame_s,
            figures=stats,
            mode=self._settings.mode,
            bundle={"name": card.name, "kind": card.kind, "sha256": card.sha256} if card else None,
            sam=stats.sam,
            settings=plain(self._settings.model_dump(mode="json", exclude={"output", "summary", "quiet", "debug"})),
            versions=versions(),
            notes=tuple(redact(note) for note in self._notes()),
        )

    @property
    def _running(self) -> LiveStages:
        if self._stages is None:
            raise RuntimeError("the live run was not started: call start()")
        return self._stages

    @property
    def _input(self) -> LiveInput:
        return self._inputs[-1]

    @property
    def _loaded(self) -> Network | None:
        if isinstance(self._network, Future):
            done = self._network.done() and self._network.exception() is None
            return self._network.result() if done else None
        return self._network

    def _open_source(self) -> LiveInput:
        """The next one after a fault in the code of the one before."""
        self._inputs.append(self._connect(self.config, self._report.source))
        return self._input

    def _prepare(self) -> LiveEnhancer:
        network = self._wait_for(self._network) if isinstance(self._network, Future) else self._network
        enhancer = LiveEnhancer(
            self._settings,
            network,
            self.telemetry,
            failed=self._report.network_failed,
            switched=self._report.switched,
            open_sam=self._open_sam,
        )
        self._enhancers.append(enhancer)
        return enhancer

    def _wait_for(self, loading: Future[Network]) -> Network:
        while not wait([loading], _LOOK_S).done:
            if self._course.ending.is_set():
                raise Cancelled
        return loading.result()

    def _notes(self) -> list[str]:
        sources = [note for source in self._inputs for note in source.notes]
        found = sources + [note for each in self._enhancers for note in each.notes] + list(self._writer.sink.notes)
        return list(dict.fromkeys(found))

    def _skipped(self) -> int:
        return sum(source.skipped for source in self._inputs)

    def _tick(self) -> None:
        self._report.notes(self._notes())
        self._report.behind(self._skipped())

    def _tell_end(self) -> None:
        self._report.notes(self._notes())
        self._report.ended(self.telemetry.snapshot(), self.error)


def _source_figures(source: LiveInput) -> SourceFigures:
    return SourceFigures(
        uri=redact(source.uri),
        state=source.state.value,
        generation=source.generation,
        reconnects=source.reconnects,
        stalls=source.stalls,
        damaged=source.damaged,
        lost_before_key_frame=source.lost_before_key_frame,
        stuck_readers=source.stuck_readers,
        last_error=redact(source.last_error),
    )
