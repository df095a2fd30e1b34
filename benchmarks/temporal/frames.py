"""Between the clips of the generator, the frames of the product and pictures of RGB."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.night import NightClip
from engines.planes import Bytes, Planes
from engines.rgb_planes import rgb_of
from stream.media import Frame, open_source, planes_of

Floats = NDArray[np.float32]


def frames_of(clip: NightClip) -> Iterator[Frame]:
    """The dark frames as the product gets them; from the file where there is one, so that key frames are known."""
    if clip.encoded is None or not clip.encoded.is_file():
        for seq, planes in enumerate(clip.dark):
            yield as_frame(planes, seq, clip.fps)
        return
    source = open_source(clip.encoded)
    try:
        yield from (item for item in source if isinstance(item, Frame))
    finally:
        source.close()


def as_frame(planes: Planes, seq: int, fps: int) -> Frame:
    """A frame that holds a copy of the planes, tagged with their range and BT.709."""
    picture = av.VideoFrame(planes.width, planes.height, "yuv420p")
    picture.pts, picture.time_base = seq, Fraction(1, fps)
    picture.color_range = 2 if planes.colour.full_range else 1
    picture.colorspace = picture.color_primaries = picture.color_trc = 1
    copied = planes_of(picture, planes.colour)
    for target, source in ((copied.y, planes.y), (copied.u, planes.u), (copied.v, planes.v)):
        np.copyto(target, source)
    return Frame(picture, copied, seq, Fraction(1, fps), seq, time.monotonic())


def kept(planes: Planes) -> Planes:
    """A copy with memory of its own."""
    return Planes(planes.y.copy(), planes.u.copy(), planes.v.copy(), planes.colour)


def to_rgb(planes: Planes) -> Bytes:
    """R'G'B' uint8 [H, W, 3], chroma repeated for its 2x2 pixels."""
    codes: Bytes = (rgb_of(planes).transpose(1, 2, 0) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return codes


def from_rgb(rgb: Bytes, like: Planes) -> Planes:
    """Planes of a picture [H, W, 3] in the colour of others, by FFmpeg's scaler."""
    whole = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    made = whole.reformat(
        format="yuv420p",
        dst_colorspace="ITU709",
        src_color_range="JPEG",
        dst_color_range="JPEG" if like.colour.full_range else "MPEG",
    )
    return kept(planes_of(made, like.colour))


def luma_codes(planes: Planes) -> Floats:
    """Luma with black at 0 and white at 255, whatever the range of the planes; unrounded, float32 [H, W]."""
    colour = planes.colour
    scaled = (planes.y.astype(np.float32) - np.float32(colour.luma_offset)) * np.float32(255 / colour.luma_range)
    codes: Floats = np.clip(scaled, 0, 255)
    return codes


def rgb_luma(rgb: Bytes) -> Floats:
    """BT.709 luma of R'G'B' codes [..., 3], 0..255."""
    luma: Floats = rgb.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return luma
