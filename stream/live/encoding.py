"""Encodes live pictures once for all outputs: key frames by time and on request, a new encoder when pictures change."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.stream import VideoStream

from stream.errors import EncoderUnavailable
from stream.live.encoding_options import live_options
from stream.live.outputs.packets import TIME_BASE, EncodedPicture, VideoFormat
from stream.media.colour import ColourTags, tags_of
from stream.media.convert import Repacker
from stream.media.encoder import EncoderSettings, accepted_format, check_encoder, configure
from stream.media.frame import Frame
from stream.media.notes import Notes
from stream.media.pictures import padded_to_even
from stream.media.templates import detached

_USUAL_RATE = 25.0
_RATES = (1.0, 240.0)
_MEASURED = 50
"""Frames over which the real rate is measured."""
_FAR_OFF = 1.5
"""Rate control counts frames, not time: it is set up anew where the rate is this many times what it was told."""
_REPEATS_HEADERS = ("libx264", "libx265")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an encoder is made for."""

    width: int
    height: int
    pixel_format: str
    tags: ColourTags
    sample_aspect_ratio: Fraction | None
    """None = square pixels, or nobody knows."""


class LiveEncoder:
    """Frames in, encoded pictures out, at once. For one thread."""

    def __init__(self, settings: EncoderSettings, *, bitrate: int | None, key_every_s: float) -> None:
        """``bitrate``: cap in bits a second, None = by the picture's size. Raises EncoderUnavailable."""
        self.notes = Notes()
        self.rebuilt = 0
        """Encoders that were replaced because the pictures changed."""
        self._settings, self._bitrate, self._key_every_s = settings, bitrate, key_every_s
        check_encoder(replace(settings, options=live_options(settings, 320, 192, bitrate)))
        self._context: VideoCodecContext | None = None
        self._kind: _Kind | None = None
        self._format: VideoFormat | None = None
        self._repacker: Repacker | None = None
        self._rate = _USUAL_RATE
        self._times: deque[int] = deque(maxlen=_MEASURED)
        self._key_wanted = True
        self._key_due_at: float | None = None
        """In 1/90000 s; on a grid, so that key frames keep to the user's interval in the long run."""
        self._last_pts: int | None = None

    def request_key_frame(self) -> None:
        """The next picture becomes a key frame. May be called from any thread."""
        self._key_wanted = True

    def encode(self, frame: Frame) -> list[EncodedPicture]:
        """What the encoder gives for one frame, at the frame's own time. Raises EncoderUnavailable."""
        try:
            return self._encode(frame)
        except (av.FFmpegError, OSError, ValueError) as error:
            self._context = self._kind = None  # the next frame starts with a new encoder
            raise EncoderUnavailable(
                f"encoding {frame.picture.width}x{frame.picture.height} with {self._settings.codec} failed: {error}",
                do="Try --codec libx264",
            ) from error

    def _encode(self, frame: Frame) -> list[EncodedPicture]:
        picture = frame.picture
        if self._settings.needs_even_size:
            picture = padded_to_even(picture)
        tags = tags_of(picture)
        shape = None if frame.sample_aspect_ratio == 1 else frame.sample_aspect_ratio
        kind = _Kind(picture.width, picture.height, picture.format.name, tags, shape)
        pts = self._rising(round(frame.pts * frame.time_base / TIME_BASE))
        encoded: list[EncodedPicture] = []
        new = kind != self._kind or self._context is None
        if new:
            encoded += self.drain()
            self._rate = self._announced_rate(frame)
            self._times.clear()
            self._repacker = Repacker(accepted_format(self._settings.codec, kind.pixel_format), frame.planes.colour)
            self._note_padding(frame.picture, kind)
        self._times.append(pts)
        far_off = self._rate_far_off()
        assert self._repacker is not None
        picture = self._repacker.repack(picture)
        if new or far_off:
            encoded += self.drain()
            self._open(picture, kind)
        duration = round(frame.duration * frame.time_base / TIME_BASE)
        picture.pts, picture.time_base, picture.duration = pts, TIME_BASE, duration
        key = self._key_due(pts)
        picture.pict_type = PictureType.I if key else PictureType.NONE
        if key:
            self._plan_next_key(pts)
        self._last_pts = pts
        return encoded + self._packets(picture)

    def drain(self) -> list[EncodedPicture]:
        """What the encoder still holds (nothing, with the usual options); the next frame needs a new encoder."""
        if self._context is None:
            return []
        rest = self._packets(None)
        self._context = None
        return rest

    def _packets(self, picture: av.VideoFrame | None) -> list[EncodedPicture]:
        assert self._context is not None
        assert self._format is not None
        given = []
        for packet in self._context.encode(picture):
            if packet.pts is None or not packet.size:
                continue
            dts = packet.pts if packet.dts is None else packet.dts
            data = self._with_headers(bytes(packet)) if packet.is_keyframe else bytes(packet)
            given.append(EncodedPicture(data, packet.pts, dts, packet.duration or 0, packet.is_keyframe, self._format))
        return given

    def _rising(self, pts: int) -> int:
        return pts if self._last_pts is None else max(pts, self._last_pts + 1)

    def _key_due(self, pts: int) -> bool:
        if self._key_wanted or self._key_due_at is None or self._last_pts is None:
            return True
        half_a_frame = (pts - self._last_pts) / 2
        return pts + half_a_frame >= self._key_due_at

    def _plan_next_key(self, pts: int) -> None:
        every = self._key_every_s / TIME_BASE
        planned = self._key_due_at is not None and not self._key_wanted and pts < self._key_due_at + every / 2
        self._key_due_at = (self._key_due_at if planned and self._key_due_at is not None else pts) + every
        self._key_wanted = False

    def _announced_rate(self, frame: Frame) -> float:
        seconds = float(frame.duration * frame.time_base)
        rate = 1 / seconds if seconds > 0 else _USUAL_RATE
        return rate if _RATES[0] <= rate <= _RATES[1] else _USUAL_RATE

    def _rate_far_off(self) -> bool:
        """True once when the measured rate is far from what rate control was told, which is then corrected."""
        if len(self._times) < _MEASURED or self._times[-1] <= self._times[0]:
            return False
        measured = (_MEASURED - 1) / float((self._times[-1] - self._times[0]) * TIME_BASE)
        measured = min(max(measured, _RATES[0]), _RATES[1])
        if self._rate / _FAR_OFF < measured < self._rate * _FAR_OFF:
            return False
        self._rate = measured
        self._times.clear()
        return True

    def _open(self, picture: av.VideoFrame, kind: _Kind) -> None:
        """A new encoder for pictures like this one. The format stays the same object if only the rate changed."""
        context = av.CodecContext.create(self._settings.codec, "w")
        assert isinstance(context, VideoCodecContext)
        self._set_up(context, picture, kind)
        context.open()
        if self._kind is not None and kind != self._kind:
            self.rebuilt += 1
        if self._format is None or kind != self._kind:
            template = self._template(picture, kind)
            self._format = VideoFormat(template, picture.width, picture.height, _format_name(self._settings.codec))
        self._context, self._kind = context, kind
        self._key_wanted = True

    def _template(self, picture: av.VideoFrame, kind: _Kind) -> VideoStream:
        """What muxers need to know, from an encoder that is closed again.

        Those inside containers are part of reference cycles: with the encoder at work in there, every rebuild would
        leave its threads and memory behind until the garbage collector comes by.
        """
        holder = av.open(os.devnull, "w", format="null")
        stream = holder.add_stream(self._settings.codec, rate=25)
        assert isinstance(stream, VideoStream)
        self._set_up(stream.codec_context, picture, kind)
        stream.time_base = TIME_BASE
        holder.start_encoding()
        (template,) = detached([stream])
        holder.close()
        assert isinstance(template, VideoStream)
        return template

    def _set_up(self, context: VideoCodecContext, picture: av.VideoFrame, kind: _Kind) -> None:
        rate = Fraction(self._rate).limit_denominator(1001)
        options = live_options(self._settings, picture.width, picture.height, self._bitrate)
        settings = replace(self._settings, options=options, threads=self._settings.threads or _slices())
        configure(context, settings, picture, TIME_BASE, rate, tags_of(picture), kind.sample_aspect_ratio)
        context.flags |= Flags.global_header
        if self._settings.codec in ("libx264", "libx265"):
            context.thread_type = "SLICE"

    def _with_headers(self, data: bytes) -> bytes:
        """A key frame with the headers in front, for who joins on the way; some encoders give them only once."""
        assert self._context is not None
        headers = self._context.extradata
        if self._settings.codec in _REPEATS_HEADERS or not headers or not headers.startswith((b"\0\0\0\1", b"\0\0\1")):
            return data
        return data if headers in data[: 4 * len(headers) + 4096] else headers + data

    def _note_padding(self, picture: av.VideoFrame, kind: _Kind) -> None:
        if (picture.width, picture.height) != (kind.width, kind.height):
            self.notes.say(
                f"{self._settings.codec} cannot hold the odd size {picture.width}x{picture.height}: "
                f"the last column or row is repeated, {kind.width}x{kind.height} is written"
            )


def _slices() -> int:
    """Slices cost quality: four of them are enough to encode the largest pictures in time."""
    return min(4, os.cpu_count() or 1)


def _format_name(encoder: str) -> str:
    return str(av.Codec(encoder, "w").canonical_name)
