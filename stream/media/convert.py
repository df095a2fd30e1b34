"""Brings every pixel format that is not 8-bit 4:2:0 into yuv420p, with the stream's own matrix and range on both sides.

swscale's defaults (BT.601 for RGB, whatever the tags say) are never used: source and destination are always explicit.
"""

from __future__ import annotations

from dataclasses import replace

import av
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from engines.colour import Matrix
from stream.media.colour import MATRIX_NUMBERS, MATRIX_RGB, RANGE_FULL, RANGE_LIMITED, ColourTags, colour_of, put_tags
from stream.media.pictures import FRAME_FORMATS

_SWSCALE: dict[Matrix, Colorspace] = {
    "bt601": Colorspace.ITU601,
    "bt709": Colorspace.ITU709,
    "bt2020nc": Colorspace.BT2020,
}
_QUALITY = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def describe(picture: av.VideoFrame) -> str:
    """``yuv422p10le`` -> ``yuv422p10le (10 bit)``, for notes."""
    bits = max(component.bits for component in picture.format.components)
    return f"{picture.format.name} ({bits} bit)"


class Converter:
    """Converts pictures of one stream; keeps one scaler for all of them.

    The size of the first picture is kept: a stream that changes its size on the way is scaled to it.
    """

    def __init__(self, tags: ColourTags, width: int, height: int, *, full_range_rgb: bool = False) -> None:
        self._tags, self._width, self._height = tags, width, height
        self._rgb_range = RANGE_FULL if full_range_rgb else RANGE_LIMITED
        self._reformatter = VideoReformatter()

    def wants(self, picture: av.VideoFrame) -> bool:
        """True where the planes cannot be used as they are."""
        return (
            picture.format.name not in FRAME_FORMATS or picture.width != self._width or picture.height != self._height
        )

    def output_tags(self, picture: av.VideoFrame) -> ColourTags:
        """The tags of what ``convert`` returns: those of the stream; RGB gets a matrix and a range."""
        if not _is_rgb(picture):
            return self._tags
        matrix: Matrix = "bt709" if self._height >= 720 else "bt601"
        return replace(self._tags, range=self._rgb_range, matrix=MATRIX_NUMBERS[matrix])

    def convert(self, picture: av.VideoFrame) -> av.VideoFrame:
        """A yuv420p (or, when only the size differs, same-format) picture with the same time and the right tags."""
        tags = self.output_tags(picture)
        pixel_format = picture.format.name
        colour, _ = colour_of(tags, pixel_format, self._height)
        space = _SWSCALE[colour.matrix]
        target_range = ColorRange.JPEG if colour.full_range else ColorRange.MPEG
        # Grey is full range to swscale whatever is asked; equal ranges on both sides leave the codes alone.
        source_range = ColorRange.JPEG if _is_rgb(picture) else target_range
        if pixel_format.startswith("gray"):
            source_range = target_range = ColorRange.JPEG
        converted = self._reformatter.reformat(
            picture,
            width=self._width,
            height=self._height,
            format=pixel_format if pixel_format in FRAME_FORMATS else "yuv420p",
            src_colorspace=space,
            dst_colorspace=space,
            src_color_range=source_range,
            dst_color_range=target_range,
            interpolation=_QUALITY,
            threads=1,
        )
        put_tags(converted, tags)
        return converted


def _is_rgb(picture: av.VideoFrame) -> bool:
    return bool(picture.format.is_rgb) or picture.format.name == "pal8" or int(picture.colorspace) == MATRIX_RGB
