"""What a container can hold, and the muxer options that keep time stamps exactly as they are."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from stream.media.tags import stream_tags

MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".ts": "mpegts"}
"""The containers that hold H.264 with exact or at least increasing times, and FFmpeg's muxer for each."""
_QUICKTIME = ("mp4", "mov")
_MAX_TIMESCALE = 2**31 - 1
_INTERLEAVE_MICROSECONDS = 2_000_000
"""How long packets wait for those of a sparse stream, such as subtitles, before they are written anyway."""
_MILLISECOND = Fraction(1, 1000)
_COVER_FILES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
"""How Matroska wants a cover to be called, and its kind."""


def muxer_for(path: Path) -> str | None:
    """FFmpeg's name of the muxer for this extension, None for a container that cannot hold the video safely."""
    return MUXERS.get(path.suffix.lower())


def muxer_options(muxer: str, time_bases: Iterable[Fraction]) -> dict[str, str]:
    """Options under which the muxer neither shifts nor rounds time stamps.

    The QuickTime family writes start offsets in the movie's own time scale, 1/1000 s by default: a common multiple of
    all tracks' scales represents them exactly.
    """
    options = {"avoid_negative_ts": "disabled", "max_interleave_delta": str(_INTERLEAVE_MICROSECONDS)}
    if muxer in _QUICKTIME:
        scale = math.lcm(*(_track_timescale(time_base.denominator) for time_base in time_bases))
        if scale <= _MAX_TIMESCALE:
            options["movie_timescale"] = str(scale)
    if muxer == "mpegts":
        options["mpegts_copyts"] = "1"
    return options


def _track_timescale(scale: int) -> int:
    """The muxer doubles small scales until they reach 10 000."""
    while scale < 10_000:
        scale *= 2
    return scale


def represents(muxer: str, time_base: Fraction) -> bool:
    """True if every multiple of ``time_base`` can be written exactly."""
    unit = {"matroska": _MILLISECOND, "mpegts": Fraction(1, 90_000)}.get(muxer)
    return unit is None or (time_base / unit).denominator == 1


def video_refusal(codec: str, options: dict[str, str], pixel_format: str, muxer: str) -> str | None:
    """Why the muxer cannot hold what this encoder makes; None if it can. The encoder itself is known to work."""
    try:
        with av.open(os.devnull, "w", format=muxer) as scratch:
            stream = scratch.add_stream(codec, rate=25, options=options)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height, stream.pix_fmt = 320, 192, pixel_format
            stream.codec_context.thread_count = 1
            scratch.start_encoding()
    except (av.FFmpegError, ValueError) as error:
        return str(error) or type(error).__name__
    return None


def is_cover(stream: Stream) -> bool:
    """True for the picture that stands for the file in a list, which FFmpeg shows as a video of one frame."""
    return bool(stream.disposition & Disposition.attached_pic)


def attach_cover(container: OutputContainer, stream: Stream, data: bytes) -> None:
    """Adds a cover as Matroska keeps it: as an attachment. A track would look like a film to every player."""
    name, kind = _COVER_FILES[stream.codec_context.name]
    container.add_attachment(name, kind, data)


def refusal(stream: Stream, muxer: str) -> str | None:
    """Why the muxer cannot hold a copy of this stream; None if it can. Tried out, not looked up in a table.

    Covers are the exception: muxers accept them and then leave them out (mov) or make something else of them.
    """
    if is_cover(stream) and muxer != "mp4":
        attachable = muxer == "matroska" and stream.codec_context.name in _COVER_FILES
        return None if attachable else "no covers in this container"
    try:
        with av.open(os.devnull, "w", format=muxer) as scratch:
            add_copy(scratch, stream)
            scratch.start_encoding()
    except (av.FFmpegError, ValueError, TypeError, NotImplementedError) as error:
        return str(error) or type(error).__name__
    return None


def add_copy(container: OutputContainer, stream: Stream) -> Stream:
    """Adds a stream that takes the packets of ``stream`` as they are, with its tags and disposition."""
    copy = container.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream_tags(stream.metadata))
    copy.disposition = stream.disposition
    if stream.time_base is not None:
        copy.time_base = stream.time_base
    return copy
