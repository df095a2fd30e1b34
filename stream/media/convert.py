"""Brings every pixel format that is not 8-bit 4:2:0 into yuv420p, with the stream's own matrix and range on both sides.

swscale's defaults (BT.601 for RGB, whatever the tags say) are never used: source and destination are always explicit.
"""

from __future__ import annotations

from dataclasses import replace

import av
from av.video.reformatter import ColorRange, VideoReformatter

from engines.colour import Colour, Matrix
from stream.media.colour import (
    MATRIX_NUMBERS,
    MATRIX_RGB,
    RANGE_FULL,
    RANGE_LIMITED,
    UNSPECIFIED,
    ColourTags,
    colour_of,
    put_tags,
    tags_of,
)
from stream.media.pictures import FRAME_FORMATS

SWSCALE: dict[Matrix, int] = {"bt601": 5, "bt709": 1, "bt2020nc": 9}
"""swscale's numbers (``SWS_CS_*``)."""
QUALITY = 0x4 | 0x2000 | 0x40000
"""Bicubic, full chroma interpolation, accurate rounding (``SWS_*``; PyAV names the flags from 18.1 on only)."""


def describe(picture: av.VideoFrame) -> str:
    """``yuv422p10le`` -> ``yuv422p10le (10 bit)``, for notes."""
    components = picture.format.components
    bits = max(component.bits for component in components)
    transparent = ", its transparency is dropped" if any(component.is_alpha for component in components) else ""
    return f"{picture.format.name} ({bits} bit{transparent})"


class Converter:
    """Converts pictures of one stream; keeps one scaler for all of them.

    The size of the first picture is kept: a stream that changes its size on the way is scaled to it. ``jfif``: a photo,
    whose RGB and grey become BT.601 full range as in JPEG files; in video RGB becomes what players expect of its size.
    """

    def __init__(self, tags: ColourTags, width: int, height: int, *, jfif: bool = False) -> None:
        self._tags, self._width, self._height = tags, width, height
        self._jfif = jfif
        self._reformatter = VideoReformatter()

    def wants(self, picture: av.VideoFrame) -> bool:
        """True where the planes cannot be used as they are."""
        return (
            picture.format.name not in FRAME_FORMATS or picture.width != self._width or picture.height != self._height
        )

    def output_tags(self, picture: av.VideoFrame) -> ColourTags:
        """The tags of what ``convert`` returns: those of the stream; RGB gets a matrix and a range."""
        if self._jfif and (_is_rgb(picture) or _is_grey(picture)):
            return replace(self._tags, range=RANGE_FULL, matrix=MATRIX_NUMBERS["bt601"])
        if not _is_rgb(picture):
            return self._tags
        matrix: Matrix = "bt709" if self._height >= 720 else "bt601"
        return replace(self._tags, range=RANGE_LIMITED, matrix=MATRIX_NUMBERS[matrix])

    def convert(self, picture: av.VideoFrame) -> av.VideoFrame:
        """A yuv420p (or, when only the size differs, same-format) picture with the same time and the right tags."""
        tags = self.output_tags(picture)
        pixel_format = picture.format.name
        colour, _ = colour_of(tags, pixel_format, self._height)
        space = SWSCALE[colour.matrix]
        target_range = ColorRange.JPEG if colour.full_range else ColorRange.MPEG
        # Grey is full range to swscale whatever is asked; equal ranges on both sides leave the codes alone.
        source_range = ColorRange.JPEG if _is_rgb(picture) else target_range
        if _is_grey(picture):
            source_range = target_range = ColorRange.JPEG
        put_tags(
            picture, replace(tags_of(picture), primaries=UNSPECIFIED, transfer=UNSPECIFIED)
        )  # not swscale's business
        converted = self._reformatter.reformat(
            picture,
            width=self._width,
            height=self._height,
            format=pixel_format if pixel_format in FRAME_FORMATS else "yuv420p",
            src_colorspace=space,
            dst_colorspace=space,
            src_color_range=source_range,
            dst_color_range=target_range,
            interpolation=QUALITY,
            threads=1,
        )
        put_tags(converted, tags)
        return converted


class Repacker:
    """Brings finished pictures into a pixel format that an encoder takes, matrix and range unchanged."""

    def __init__(self, pixel_format: str, colour: Colour) -> None:
        self._format, self._colour = pixel_format, colour
        self._reformatter = VideoReformatter()

    def repack(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture in the format; itself where it has it already."""
        if picture.format.name == self._format:
            return picture
        span = ColorRange.JPEG if self._colour.full_range else ColorRange.MPEG
        space, tags = SWSCALE[self._colour.matrix], tags_of(picture)
        put_tags(picture, replace(tags, primaries=UNSPECIFIED, transfer=UNSPECIFIED))  # not swscale's business
        packed = self._reformatter.reformat(
            picture,
            format=self._format,
            src_colorspace=space,
            dst_colorspace=space,
            src_color_range=span,
            dst_color_range=span,
            interpolation=QUALITY,
            threads=1,
        )
        put_tags(packed, replace(tags, range=RANGE_FULL) if self._colour.full_range else tags)
        return packed


def _is_grey(picture: av.VideoFrame) -> bool:
    return picture.format.name.startswith(("gray", "ya"))


def _is_rgb(picture: av.VideoFrame) -> bool:
    return bool(picture.format.is_rgb) or picture.format.name == "pal8" or int(picture.colorspace) == MATRIX_RGB
