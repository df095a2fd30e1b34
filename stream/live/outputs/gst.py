"""``gst:PIPELINE``: pictures as they are, NV12, into a GStreamer pipeline such as ``x264enc ! rtspclientsink ...``.

The pipeline is code: it comes from the command line or a local file, never over the network. Unless it has an
``appsrc``, one is put in front.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from engines.planes import Planes
from stream.errors import PipelineInvalid
from stream.live.backoff import Backoff
from stream.live.outputs.failures import explained, is_slow
from stream.live.outputs.gst_feed import GstFeed
from stream.live.outputs.output import OutputEvent, OutputState
from stream.live.outputs.packets import AudioPacket, EncodedPicture
from stream.media.credentials import fill_in
from stream.media.frame import Frame
from stream.media.gstreamer import build, gstreamer
from stream.redaction import redact

_APPSRC = re.compile(r"\bappsrc\b")
_WAITING = 2
"""Frames that wait for the pipeline; older ones make way."""
_IDLE_S = 0.2
_NANOSECOND = Fraction(1, 10**9)


class GstOutput:
    """An ``Output`` that takes frames. The pipeline starts anew when the pictures change, and after an error."""

    takes_frames = True
    connects = True

    def __init__(self, uri: str) -> None:
        """Raises GStreamerMissing, PipelineInvalid and SecretMissing."""
        self.uri = redact(uri)
        self.notes: list[str] = []
        self.offered = self.written = self.reconnects = 0
        self.dropped: Counter[str] = Counter()
        self.last_error = ""
        self.state = OutputState.CONNECTING
        self._given = uri
        build(with_feed(uri)).set_state(gstreamer().Gst.State.NULL)
        self._backoff = Backoff()
        self._feed: GstFeed | None = None
        self._caps = ""
        self._start = Fraction(0)
        self._failed = self._finished = self._left = False
        self._frames: deque[Frame] = deque()
        self._change = threading.Condition()
        self._events: Callable[[OutputEvent], None] = lambda event: None
        self._thread = threading.Thread(target=self._run, name=f"output {self.uri[:40]}", daemon=True)

    @property
    def in_flight(self) -> int:
        with self._change:
            return self.offered - self.written - self.dropped.total()

    def start(self, request_key_frame: Callable[[], None], events: Callable[[OutputEvent], None]) -> None:
        self._events = events
        self._thread.start()

    def write_frame(self, frame: Frame) -> None:
        with self._change:
            if self._left:
                return
            self.offered += 1
            if self._finished or self.state is OutputState.WAITING:
                self.dropped["closed" if self._finished else "reconnecting"] += 1
                return
            if len(self._frames) == _WAITING:
                self._frames.popleft()
                self.dropped["queue_full"] += 1
            self._frames.append(frame)
            self._change.notify_all()

    def write_picture(self, picture: EncodedPicture) -> None:
        """Never called: this output takes frames."""

    def write_audio(self, packet: AudioPacket) -> None:
        """Sound is not passed into pipelines."""
        note = f"{packet.track} is left out: pipelines take pictures only"
        if note not in self.notes:
            self.notes.append(note)

    def finish(self) -> None:
        with self._change:
            self._finished = True
            self._change.notify_all()

    def join(self, timeout_s: float) -> bool:
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def give_up(self) -> None:
        with self._change:
            if not self._thread.is_alive() or self._left:
                return
            self._left = self._finished = True
            self.dropped["closed"] += len(self._frames)
            self._frames.clear()
            self.dropped["lost"] += self.offered - self.written - self.dropped.total()
            self.last_error = self.last_error or f"{self.uri}: the run ended before the pipeline did"
            previous, self.state = self.state, OutputState.FAILED
        self._events(OutputEvent(self.uri, self.state, previous, self.last_error, None, time.monotonic()))

    def _run(self) -> None:
        while (frame := self._next()) is not None or not self._finished:
            try:
                if frame is None:
                    if self._feed is not None:
                        self._feed.check()
                    continue
                self._push(frame)
            except Exception as error:  # whatever it is, the next attempt must not suffer
                self._lost(error, 0 if frame is None else 1)
        if self._feed is not None:
            self._feed.close()
        self._enter(OutputState.CLOSED)

    def _next(self) -> Frame | None:
        with self._change:
            self._change.wait_for(lambda: self._frames or self._finished, _IDLE_S)
            return self._frames.popleft() if self._frames else None

    def _push(self, frame: Frame) -> None:
        caps = caps_of(frame)
        if self._feed is not None and caps != self._caps:
            feed, self._feed = self._feed, None
            feed.close()
        if self._feed is None:
            size = frame.planes.width * frame.planes.height * 3 // 2
            self._feed = GstFeed(build(with_feed(self._given)), self.uri, f"{caps},framerate={_rate(frame)}", 2 * size)
            self._caps, self._start = caps, frame.pts * frame.time_base
        times = (frame.pts * frame.time_base - self._start, frame.duration * frame.time_base)
        pts, duration = (round(seconds / _NANOSECOND) for seconds in times)
        self._feed.push(nv12(frame.planes), pts, duration)
        with self._change:
            self.written += not self._left
        self._backoff.healthy(time.monotonic())
        if self.state is not OutputState.WRITING:
            self.reconnects += self._failed
            self._failed = False
            self._enter(OutputState.WRITING)

    def _lost(self, error: Exception, frames: int) -> None:
        reason = explained(error, self.uri)
        feed, self._feed = self._feed, None
        pause = None if self._finished else self._backoff.pause(slow=is_slow(reason))
        with self._change:
            if not self._left:
                self.last_error, self._failed = redact(str(reason)), True
                self.dropped["lost"] += frames
            self.dropped["reconnecting"] += len(self._frames)
            self._frames.clear()
        self._enter(OutputState.WAITING, self.last_error, pause)
        if feed is not None:
            feed.stop()
        with self._change:
            self._change.wait_for(lambda: self._finished, pause or 0.0)
        if not self._finished:
            self._enter(OutputState.CONNECTING)

    def _enter(self, state: OutputState, error: str = "", retry_in_s: float | None = None) -> None:
        with self._change:
            if self._left:
                return
            previous, self.state = self.state, state
        self._events(OutputEvent(self.uri, state, previous, error, retry_in_s, time.monotonic()))


def with_feed(uri: str) -> str:
    """The pipeline with an appsrc in front, secrets in their places. Raises PipelineInvalid, SecretMissing."""
    text = fill_in(uri.partition(":")[2].removeprefix("//").strip())
    if not text:
        raise PipelineInvalid(
            "gst: is followed by no pipeline", do="Give one, such as gst:videoconvert ! autovideosink"
        )
    return text if _APPSRC.search(text) else f"appsrc ! {text}"


def caps_of(frame: Frame) -> str:
    """What GStreamer must know of the pictures; where this changes, another pipeline begins."""
    planes, picture = frame.planes, frame.picture
    video = gstreamer().GstVideo
    tags = int(picture.colorspace), int(picture.color_trc), int(picture.color_primaries)
    colours = ""
    if tags[0] != 2 or planes.colour.full_range:
        span = 1 if planes.colour.full_range else 2
        numbers = (
            int(video.VideoColorMatrix.from_iso(tags[0])) if tags[0] != 2 else 0,
            int(video.VideoTransferFunction.from_iso(tags[1])) if tags[1] != 2 else 0,
            int(video.VideoColorPrimaries.from_iso(tags[2])) if tags[2] != 2 else 0,
        )
        colours = f",colorimetry={span}:{numbers[0]}:{numbers[1]}:{numbers[2]}"
    size = f"width={planes.width},height={planes.height}"
    aspect = frame.sample_aspect_ratio
    shape = f",pixel-aspect-ratio={aspect.numerator}/{aspect.denominator}" if aspect else ""
    return f"video/x-raw,format=NV12,{size}{shape}{colours}"


def _rate(frame: Frame) -> str:
    """For elements that want to know one; the times of the pictures are what counts."""
    seconds = frame.duration * frame.time_base
    rate = (1 / seconds).limit_denominator(1001) if 0 < seconds <= 1 else Fraction(25)
    return f"{rate.numerator}/{rate.denominator}"


def nv12(planes: Planes) -> bytes:
    """The picture as GStreamer lays out NV12: rows of a multiple of 4 bytes, an even number of them."""
    height, width = planes.y.shape
    pitch, rows = -(-width // 4) * 4, -(-height // 2) * 2
    laid_out = np.zeros((rows * 3 // 2, pitch), np.uint8)
    laid_out[:height, :width] = planes.y
    chroma_width = planes.u.shape[1]
    laid_out[rows:, 0 : 2 * chroma_width : 2] = planes.u
    laid_out[rows:, 1 : 2 * chroma_width : 2] = planes.v
    return laid_out.tobytes()
