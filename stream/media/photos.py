"""Photos in RGB, without the chroma loss of video: read upright, written as the same kind with their tags."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace

from engines.planes import Bytes
from stream.errors import DiskFull, NotAVideo, NoVideoStream, OutputNotWritable, UnsupportedContainer
from stream.media.convert import QUALITY
from stream.media.opening import open_container
from stream.media.photo_tags import copy_photo_tags, orientation
from stream.media.sinks.partial import PartialFile, is_no_space

_ENCODERS = {".png": ("png", "rgb24"), ".jpg": ("mjpeg", "yuvj444p"), ".jpeg": ("mjpeg", "yuvj444p")}
_ENCODERS[".webp"] = ("libwebp", "bgra")
_JPEG_SCALE = 2
"""Quantiser scale, 1 best to 31; 2 is about quality 95."""
_WEBP_QUALITY = "95"


def check_photo_target(target: Path) -> None:
    """Raises UnsupportedContainer for names that no photo can be written under."""
    if target.suffix.lower() not in _ENCODERS:
        raise UnsupportedContainer(
            f"{target.name}: cannot write a photo into {target.suffix or 'a name without extension'}",
            do=f"Use one of {', '.join(_ENCODERS)}",
        )


def read_photo(path: Path) -> tuple[Bytes, list[str]]:
    """RGB uint8 [height, width, 3], turned upright, and notes on what could not be kept.

    Raises InputNotFound, InputUnreadable, NotAVideo or NoVideoStream.
    """
    with open_container(path) as container:
        if not container.streams.video:
            raise NoVideoStream(f"{path} holds no picture", do="Give a photo or a video")
        try:
            picture = next(container.decode(video=0))
        except (av.FFmpegError, StopIteration) as error:
            raise NotAVideo(f"{path} cannot be decoded", do="Check that it opens in a viewer") from error
    notes = []
    components = picture.format.components
    if any(component.is_alpha for component in components):
        notes.append("transparency is left out")
    if max(component.bits for component in components) > 8:
        notes.append(f"converted from {picture.format.name} to 8 bits a channel")
    # JPEG is BT.601 full range (JFIF); WebP is BT.601 limited and says so.
    limited = picture.format.name == "yuv420p" and int(picture.color_range) != ColorRange.JPEG
    rgb: Any = picture.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU601,
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.MPEG if limited else ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=QUALITY,
    ).to_ndarray()
    return np.ascontiguousarray(_upright(rgb, orientation(path.read_bytes()))), notes


def _upright(rgb: Bytes, value: int) -> Bytes:
    """Undoes an EXIF orientation: 5 to 8 are transposed, then rows or columns run backwards."""
    if value >= 5:
        rgb = rgb.transpose(1, 0, 2)
    rows = -1 if value in (3, 4, 7, 8) else 1
    columns = -1 if value in (2, 3, 6, 7) else 1
    return rgb[::rows, ::columns]


def write_photo(target: Path, rgb: Bytes, like: Path | None = None) -> list[str]:
    """Writes RGB uint8 [height, width, 3] as png, jpg or webp by the name, complete or not at all; returns notes.

    ``like`` is the photo that it came from: its camera tags and colour profile are copied. ``check_target`` first.
    Raises UnsupportedContainer, OutputNotWritable or DiskFull.
    """
    check_photo_target(target)
    codec, pixel_format = _ENCODERS[target.suffix.lower()]
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
    picture = picture.reformat(
        format=pixel_format,
        src_colorspace=Colorspace.ITU601,
        dst_colorspace=Colorspace.ITU601,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=QUALITY,
    )
    context = av.CodecContext.create(codec, "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = picture.width, picture.height, pixel_format
    context.time_base = Fraction(1, 25)
    if codec == "mjpeg":
        context.qmin = context.qmax = _JPEG_SCALE
        context.color_range = ColorRange.JPEG
    elif codec == "libwebp":
        context.options["quality"] = _WEBP_QUALITY
    encoded = b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])
    notes = []
    if like is not None:
        encoded = copy_photo_tags(like.read_bytes(), encoded)
        if codec == "libwebp" or like.suffix.lower() == ".webp":
            notes.append("camera tags and colour profile of WebP are left out")
    _write(target, encoded)
    return notes


def _write(target: Path, data: bytes) -> None:
    file = PartialFile(target, 0)
    try:
        file.write(data)
        file.commit()
    except OSError as error:
        file.discard()
        gone = "Nothing was written"
        if is_no_space(error):
            raise DiskFull(f"the disk is full: {target.parent}", kept=gone, do="Free some space") from error
        raise OutputNotWritable(f"writing {target} failed: {error.strerror}", kept=gone, do="Check the disk") from error
