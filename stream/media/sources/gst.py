"""Frames out of a GStreamer pipeline: ``gst:rtspsrc location=... ! decodebin``, ``csi:0``.

The pipeline is code: it comes from the command line or a local file, never over the network. Unless it ends in an
``appsink``, one is appended that takes NV12 and always has the newest picture. Sound is not taken from pipelines.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.stream import Stream

from stream.errors import ConnectionTimedOut, GStreamerMissing, PipelineInvalid
from stream.media.credentials import fill_in
from stream.media.frame import Frame, Packet
from stream.media.gstreamer import build, error_of, gstreamer, tear_down
from stream.media.notes import Notes
from stream.media.pictures import FRAME_FORMATS
from stream.media.source import VideoInfo
from stream.media.sources.connection import SourceOptions
from stream.media.sources.live_pictures import LivePictures
from stream.redaction import redact

_TAKER = " ! videoconvert ! video/x-raw,format=NV12 ! appsink max-buffers=2 drop=true sync=false"
_APPSINK = re.compile(r"\bappsink\b")
_LOOK_S = 0.2
"""Longest time between two looks at the bus and at ``stop``."""
_NANOSECOND = Fraction(1, 1_000_000_000)
_FORMATS = {"NV12": "nv12", "I420": "yuv420p"}


class GstConnection:
    """A ``Connection`` to a pipeline. Blocks until the first picture is there."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        """Raises GStreamerMissing, PipelineInvalid, and ``ConnectionFailed`` types."""
        self._shown = redact(uri)
        self._read_timeout = options.read_timeout_s
        notes = Notes()
        self.notes: list[str] = notes
        self.streams: list[Stream] = []
        self.damaged = self.before_key_frame = self.skipped = 0
        self.alive_at = time.monotonic()
        self.silence_s = 0.0
        self._stopped = False
        self._modules = gstreamer()
        self._pictures = LivePictures(self._shown, "raw", _NANOSECOND, None, None, notes)
        self._caps = ""
        self._layout: Any = None
        self._tags = (0, 2, 2, 2)
        text = fill_in(pipeline_text(uri, options))
        self._pipeline = build(with_taker(text))
        try:
            self._sink = self._find_sink()
            self._bus = self._pipeline.get_bus()
            self._pipeline.set_state(self._modules.Gst.State.PLAYING)
            self._frames: Iterator[Frame] = self._pump(options.open_timeout_s)
            self._first = next(self._frames, None)
            if self._first is None:
                raise ConnectionTimedOut(f"{self._shown} ended before the first picture", do="Check the pipeline")
        except BaseException:
            self.close()
            raise

    @property
    def video(self) -> VideoInfo:
        """The video as it is now."""
        assert self._pictures.video is not None
        return self._pictures.video

    def __iter__(self) -> Iterator[Frame | Packet]:
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        yield from self._frames

    def _find_sink(self) -> Any:
        found = self._pipeline.iterate_all_by_element_factory_name("appsink")
        result, sink = found.next()
        if result != self._modules.Gst.IteratorResult.OK:
            raise PipelineInvalid(f"{self._shown} has no usable appsink", do="Leave it out, one is appended")
        return sink

    def _pump(self, first_timeout: float) -> Iterator[Frame]:
        """Frames until the end of the pipeline or ``stop``. Raises the errors of its bus."""
        gst = self._modules.Gst
        limit = first_timeout
        while not self._stopped:
            sample = self._sink.try_pull_sample(int(_LOOK_S * gst.SECOND))
            now = time.monotonic()
            if sample is not None:
                limit = self._read_timeout
                self.alive_at = now
                picture = self._picture(sample)
                self._pictures.arrived(picture.pts, now)
                yield from self._pictures.take(picture)
                continue
            kinds = gst.MessageType.ERROR | gst.MessageType.EOS
            message = self._bus.timed_pop_filtered(0, kinds)
            if message is not None and message.type == gst.MessageType.ERROR:
                raise error_of(message, self._shown)
            if message is not None or self._sink.is_eos():
                return
            if now - self.alive_at > 2 * limit:
                raise ConnectionTimedOut(f"{self._shown}: no picture for {now - self.alive_at:.0f} s")

    def _picture(self, sample: Any) -> av.VideoFrame:
        """A copy of the sample's planes with its time and colour tags."""
        gst, gst_video = self._modules.Gst, self._modules.GstVideo
        caps = sample.get_caps()
        if caps.to_string() != self._caps:
            self._understand(caps)
        info, buffer = self._layout, sample.get_buffer()
        meta = gst_video.buffer_get_video_meta(buffer)
        pitches, offsets = (meta.stride, meta.offset) if meta is not None else (info.stride, info.offset)
        picture = av.VideoFrame(info.width, info.height, self._format)
        mapped, memory = buffer.map(gst.MapFlags.READ)
        if not mapped:
            raise ConnectionTimedOut(f"{self._shown}: a picture cannot be read")
        try:
            data = np.frombuffer(memory.data, np.uint8)
            for index, plane in enumerate(picture.planes):
                rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)  # type: ignore[call-overload]
                width = min(plane.line_size, pitches[index])
                start, pitch = offsets[index], pitches[index]
                rows[:, :width] = np.lib.stride_tricks.as_strided(data[start:], (plane.height, width), (pitch, 1))
        finally:
            buffer.unmap(memory)
        picture.pts = None if buffer.pts == gst.CLOCK_TIME_NONE else int(buffer.pts)
        picture.time_base = _NANOSECOND
        picture.color_range, picture.colorspace, picture.color_primaries, picture.color_trc = self._tags
        return picture

    def _understand(self, caps: Any) -> None:
        """Size, format, layout and colours of the samples from now on."""
        gst_video = self._modules.GstVideo
        info = gst_video.VideoInfo.new_from_caps(caps)
        name = info.finfo.name if info is not None else "no raw video"
        if name not in _FORMATS or _FORMATS[name] not in FRAME_FORMATS:
            raise PipelineInvalid(
                f"{self._shown} gives {name}, and NV12 or I420 is needed",
                do="End the pipeline with videoconvert ! video/x-raw,format=NV12 ! appsink, or leave the end out",
            )
        self._layout, self._caps, self._format = info, caps.to_string(), _FORMATS[name]
        colours = info.colorimetry
        self._tags = (
            {1: 2, 2: 1}.get(int(colours.range), 0),
            gst_video.VideoColorMatrix.to_iso(colours.matrix) or 2,
            gst_video.VideoColorPrimaries.to_iso(colours.primaries) or 2,
            gst_video.VideoTransferFunction.to_iso(colours.transfer) or 2,
        )
        rate = Fraction(info.fps_n, info.fps_d) if info.fps_n and info.fps_d else None
        aspect = Fraction(info.par_n, info.par_d) if info.par_n and info.par_d else None
        self._pictures.announce(rate, aspect)

    def stop(self) -> None:
        """Ends the iteration within a fraction of a second."""
        self._stopped = True

    def close(self) -> None:
        """Stops the pipeline, with a time limit."""
        self._frames = iter(())
        self._first = None
        tear_down(self._pipeline)


def with_taker(text: str) -> str:
    """The pipeline with an appsink at its end."""
    return text if _APPSINK.search(text) else text + _TAKER


def pipeline_text(uri: str, options: SourceOptions) -> str:
    """What follows ``gst:``, or the pipeline of a CSI camera. Raises GStreamerMissing, PipelineInvalid."""
    scheme, _, rest = uri.partition(":")
    rest = rest.removeprefix("//").strip()
    if scheme.lower() == "csi":
        return _camera(rest or "0", options)
    if not rest:
        raise PipelineInvalid("gst: is followed by no pipeline", do="Give one, such as gst:videotestsrc is-live=true")
    return rest


def _camera(number: str, options: SourceOptions) -> str:
    """A CSI camera on a Jetson (``nvarguscamerasrc``), or the first one of libcamera. Neither was run on hardware."""
    factory = gstreamer().Gst.ElementFactory.find
    width, _, height = options.options.get("video_size", options.options.get("size", "1280x720")).partition("x")
    rate = options.options.get("framerate", options.options.get("fps", "30"))
    size = f"width={int(width)},height={int(height)},framerate={int(rate)}/1"
    if factory("nvarguscamerasrc"):
        return (
            f"nvarguscamerasrc sensor-id={int(number)} ! video/x-raw(memory:NVMM),{size},format=NV12"
            " ! nvvidconv ! video/x-raw,format=NV12"
        )
    if factory("libcamerasrc"):
        return f"libcamerasrc ! video/x-raw,{size}"
    raise GStreamerMissing(
        "a CSI camera needs the GStreamer element nvarguscamerasrc (Jetson) or libcamerasrc, and neither is here",
        do="Install gstreamer1.0-libcamera, or on a Jetson NVIDIA's multimedia packages",
    )
