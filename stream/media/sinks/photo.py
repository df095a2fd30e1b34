"""Writes one picture as png (lossless), jpg (quality near 95) or webp, with the tags of the photo that it came from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, VideoReformatter

from stream.errors import DiskFull, OutputNotWritable, UnsupportedContainer
from stream.media.convert import QUALITY, SWSCALE
from stream.media.frame import Frame, Packet
from stream.media.photo_tags import copy_photo_tags
from stream.media.sinks.partial import PartialFile, check_target, is_no_space
from stream.media.sources.file import FileSource

_ENCODERS = {".png": ("png", "rgb24"), ".jpg": ("mjpeg", "yuvj420p"), ".webp": ("libwebp", "yuv420p")}
_ENCODERS[".jpeg"] = _ENCODERS[".jpg"]
_JPEG_SCALE = 2
"""Quantiser scale 2 of 31: all steps at most a fifth of the standard tables', visually lossless."""


class PhotoSink:
    """A ``Sink`` for one frame; further frames replace nothing and are refused."""

    def __init__(self, target: Path, source: FileSource, *, overwrite: bool = False) -> None:
        """Raises the errors of ``stream.errors`` for everything that can be known before the frame."""
        if target.suffix.lower() not in _ENCODERS:
            raise UnsupportedContainer(
                f"{target.name}: photos are written as .png, .jpg or .webp", do="Use one of these"
            )
        check_target(target, Path(source.uri), overwrite=overwrite)
        self.uri = str(target)
        self.notes: list[str] = []
        self.frames = 0
        self._target, self._source = target, source
        self._codec, self._pixel_format = _ENCODERS[target.suffix.lower()]
        self._encoded: bytes | None = None

    def write(self, frame: Frame) -> None:
        """Encodes the picture; it is written when the sink is closed."""
        if self._encoded is not None:
            raise ValueError("a photo holds one frame")
        picture = self._in_format(frame)
        context = av.CodecContext.create(self._codec, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = picture.width, picture.height, self._pixel_format
        context.time_base = Fraction(1, 25)
        if self._codec == "mjpeg":
            context.qmin = context.qmax = _JPEG_SCALE
            context.color_range = ColorRange.JPEG
        elif self._codec == "libwebp":
            context.options["quality"] = "95"
        picture.pts, picture.time_base = 0, Fraction(1, 25)
        encoded = b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])
        self._encoded = copy_photo_tags(Path(self._source.uri).read_bytes(), encoded)
        self.frames = 1

    def _in_format(self, frame: Frame) -> av.VideoFrame:
        """The picture in the encoder's pixel format and range, converted with its own matrix."""
        colour = frame.planes.colour
        range_of = {True: ColorRange.JPEG, False: ColorRange.MPEG}
        full = self._pixel_format != "yuv420p"  # WebP is BT.601 limited, JPEG BT.601 full
        matrix = colour.matrix if self._pixel_format == "rgb24" else "bt601"
        return VideoReformatter().reformat(
            frame.picture,
            format=self._pixel_format,
            src_colorspace=SWSCALE[colour.matrix],
            dst_colorspace=SWSCALE[matrix],
            src_color_range=range_of[colour.full_range],
            dst_color_range=range_of[full],
            interpolation=QUALITY,
            threads=1,
        )

    def write_packet(self, packet: Packet) -> None:
        """Photos have no other streams."""

    def close(self) -> None:
        """Writes the file and renames it into place; without a frame nothing is left. Raises DiskFull and the like."""
        if self._encoded is None:
            return
        file = PartialFile(self._target, 0)
        try:
            file.write(self._encoded)
            file.commit()
        except OSError as error:
            file.discard()
            if is_no_space(error):
                where = self._target.parent
                raise DiskFull(
                    f"the disk is full: {where}", kept="Nothing was written", do="Free some space"
                ) from error
            raise OutputNotWritable(
                f"writing {self._target} failed: {error.strerror}", kept="Nothing was written", do="Check the disk"
            ) from error

    def abort(self) -> None:
        """Forgets the picture."""
        self._encoded = None
