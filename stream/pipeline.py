"""One input, enhanced: ``Pipeline("in.mp4", "out.mp4", strength=0.8).run()``, or frames in Python.

The network and the compiled kernels load in a thread of their own while the source opens, which is what makes the first
frame come early.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

from engines.bundle import load_bundle
from stream.background import in_background
from stream.compare import comparing
from stream.errors import PhotoHasNoFrames
from stream.media import Frame, VideoInfo, default_output, open_sink, open_source
from stream.media.uri import is_photo, local_path
from stream.photos import PhotoRun, Redraw
from stream.segmentation import GIVEN, open_semantics
from stream.settings import Settings
from stream.stages import Stages
from stream.summary import ExitReason, Summary, sam_figures, versions
from stream.telemetry import Stats, Telemetry
from stream.vision.enhancer import Enhancer
from stream.vision.modes import FrameEnhancer, Full, Fused, open_mode

if TYPE_CHECKING:
    from stream.vision.semantics import Semantics


class Pipeline:
    """A run over one file. ``run`` does it all; ``start``, ``stats``, ``stop`` and ``wait`` do it step by step.

    A ``with`` block around it stops it where the block is left.
    """

    def __init__(
        self,
        source: str | Path,
        output: str | Path | None = None,
        *,
        settings: Settings | None = None,
        **options: object,
    ) -> None:
        """``options`` are fields of ``Settings`` and win over ``settings``. Raises ``pydantic.ValidationError``.

        Without ``output`` the result goes beside the source: ``clip.mp4`` becomes ``clip.enhanced.mp4``.
        """
        self.settings = Settings(**({} if settings is None else settings.model_dump()) | options)
        self.source = local_path(str(source))
        target = output or next(iter(self.settings.output), None)
        self.output = local_path(str(target)) if target else default_output(self.source)
        self.video: VideoInfo | None = None
        """The input's video, known after ``start``; None for photos."""
        self.size = (0, 0)
        """Width and height of the input's pictures, known after ``start``."""
        self._telemetry = Telemetry()
        self._stages: Stages | PhotoRun | None = None
        self._enhancer: FrameEnhancer | None = None
        self._loading: Future[Fused | Full] | None = None
        self._not_given: tuple[str, ...] = ()
        self._semantics: Semantics | None = None
        self._sam_note = ""
        self._bundle: dict[str, str] | None = None
        self._notes: list[list[str]] = []
        self._before: tuple[int, int] | None = None
        self._stop_requested = False

    def run(self) -> Summary:
        """Enhance the whole input. Raises ``StreamError`` or ``EngineError``, each with advice.

        On ``KeyboardInterrupt`` the output so far is finalised before it is raised again.
        """
        self.start()
        try:
            return self.wait()
        except KeyboardInterrupt:
            self.stop()
            self.join()
            raise

    def start(self) -> None:
        """Open everything and start the threads. Raises what ``run`` raises, before anything is written."""
        self._open(to_sink=True)
        assert self._stages is not None
        self._stages.start()

    def stop(self) -> None:
        """End early: finish the frames in flight and the output. Returns at once; any thread may call."""
        self._stop_requested = True
        if self._stages is not None:
            self._stages.stop()

    def abort(self) -> None:
        """Give up: no output is left. Returns at once; any thread may call."""
        self._stop_requested = True
        if self._stages is not None:
            self._stages.abort()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most ``timeout`` seconds; whether it has come."""
        return self._running().wait(timeout)

    def wait(self) -> Summary:
        """Wait for the end; its summary. Raises the error that ended the run."""
        stages = self._running()
        stages.wait()
        if stages.error is not None:
            raise stages.error
        return self.summary()

    def stats(self) -> Stats:
        """Counts, rates and latencies of this moment."""
        return self._telemetry.snapshot()

    def frames(self) -> Iterator[Frame]:
        """Enhanced frames of a video, nothing is written. Leaving the loop early closes everything.

        ``frame.picture.to_ndarray(format="rgb24")`` gives an array, ``frame.time`` seconds. Raises what ``run`` raises,
        and ``PhotoHasNoFrames`` for a photo: frames are 4:2:0, which would cost it colour.
        """
        if is_photo(self.source):
            raise PhotoHasNoFrames(
                f"{self.source} is a photo and has no frames",
                do="Use run(), or engines.enhance_picture for a NumPy array",
            )
        self._open(to_sink=False)
        assert isinstance(self._stages, Stages)
        self._stages.start()
        yield from self._stages.frames()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._stages is not None:
            self._stages.wait()

    def summary(self, error: BaseException | None = None) -> Summary:
        """The record of the run so far; ``error`` is what ended it where the run could not say so itself."""
        error = error or (self._stages.error if self._stages else None)
        stats = self.stats()
        reason: ExitReason = "failed" if error else "interrupted" if self._stop_requested else "complete"
        enhancer = self._enhancer
        return Summary(
            input=str(self.source),
            output=str(self.output) if _identity(self.output) not in (None, self._before) else None,
            exit_reason=reason,
            error=str(error) if error else None,
            width=self.size[0],
            height=self.size[1],
            frames_in=stats.frames_in,
            frames_out=stats.frames_out,
            dropped=stats.dropped,
            damaged=stats.damaged,
            fps=stats.fps,
            elapsed_s=stats.elapsed_s,
            first_frame_s=self._telemetry.first_frame_s,
            cpu_s=stats.cpu_s,
            peak_rss_mb=stats.peak_rss_mb,
            stages=stats.stages,
            mode=self.settings.mode,
            bundle=self._bundle,
            inputs_not_given=self._not_given,
            sam=sam_figures(self._semantics),
            network_runs=enhancer.network_runs if enhancer else 0,
            network_failures=enhancer.network_failures if enhancer else 0,
            cuts=enhancer.cuts if enhancer else 0,
            settings=self.settings.model_dump(mode="json", exclude={"output", "summary", "quiet", "debug"}),
            versions=versions(),
            notes=tuple(self._all_notes()),
        )

    def _all_notes(self) -> Iterator[str]:
        for notes in self._notes:
            yield from notes
        if self._sam_note:
            yield self._sam_note
        elif self._not_given:
            yield (
                f"the model can use {' and '.join(self._not_given)} beside the picture; none was given, "
                "so it worked without"
            )
        segmenter = self._semantics.segmenter if self._semantics else None
        if segmenter is not None and not segmenter.runs and not segmenter.failures:
            yield "the segmenter finished no picture before the clip ended: every region was treated alike"
        if segmenter is not None and segmenter.failures:
            yield (
                f"SAM found nothing usable {segmenter.failures} times, the last time because: "
                f"{segmenter.last_failure}; regions of before, or none, were used there"
            )
        if self._enhancer and self._enhancer.network_failures:
            full = self.settings.mode == "full"
            kept = "those frames are as they came" if full else "the tone curves of the frames before were kept"
            yield f"the network gave no usable result {self._enhancer.network_failures} times; {kept}"
        if self._stop_requested and self._stages and self._stages.error is None:
            yield "stopped early: the output ends where the work was stopped"

    def _running(self) -> Stages | PhotoRun:
        if self._stages is None:
            raise RuntimeError("the pipeline was not started: call start() or run()")
        return self._stages

    def _open(self, *, to_sink: bool) -> None:
        if self._stages is not None:
            raise RuntimeError("a pipeline runs once: make another one")
        self._before = _identity(self.output)
        self._telemetry.begin()
        settings = self.settings
        if settings.strength > 0:
            self._loading = in_background(self._load_network)
        if is_photo(self.source):
            self._stages = PhotoRun(self.source, self.output, self._redraw, settings, self._telemetry)
            self.size = self._stages.size
            self._notes.append(self._stages.notes)
        else:
            self._stages = self._open_video(to_sink)
        if self._stop_requested:
            self._stages.stop()

    def _open_video(self, to_sink: bool) -> Stages:
        settings = self.settings
        source = open_source(self.source)
        try:
            self.video = source.video
            self.size = (source.video.width, source.video.height)
            self._telemetry.watch_damage(lambda: source.damaged)
            self._notes.append(source.notes)
            network = self._network()
            sink = None
            if to_sink:
                sink = open_sink(self.output, source, settings.encoder(), overwrite=settings.overwrite)
                self._notes.append(sink.notes)
        except BaseException:
            source.close()
            raise
        enhancer = Enhancer(None) if network is None else network.enhancer(settings, self._telemetry, self._semantics)
        self._enhancer = enhancer
        enhance = comparing(enhancer, settings.compare)
        return Stages(source, enhance, sink, self._telemetry, ended=enhancer.close)

    def _load_network(self) -> Fused | Full:
        bundle = load_bundle(self.settings.model)
        self._bundle = {"name": bundle.card.name, "kind": bundle.card.kind, "sha256": bundle.card.sha256}
        network = open_mode(bundle, self.settings)
        if not is_photo(self.source):
            self._semantics, self._sam_note = open_semantics(self.settings, network.extra_inputs)
        given = GIVEN if self._semantics else ()
        self._not_given = tuple(name for name in network.extra_inputs if name not in given)
        return network

    def _network(self) -> Fused | Full | None:
        """The network once it has loaded; None where strength 0 needs none. Raises ``EngineError``."""
        return None if self._loading is None else self._loading.result()

    def _redraw(self) -> Redraw | None:
        network = self._network()
        return None if network is None else network.photo


def _identity(path: Path) -> tuple[int, int] | None:
    """What distinguishes a file from the one that had its name before; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
