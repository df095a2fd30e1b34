"""Views on the planes of a decoded picture, and fresh pictures to write results into."""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
from numpy.typing import NDArray

from engines.colour import Colour
from engines.planes import Planes
from stream.media.captions import writable_copy
from stream.media.frame import Frame
from stream.media.pool import PicturePool

PLANAR = ("yuv420p", "yuvj420p")
SEMI_PLANAR = "nv12"
_POOL = PicturePool()
FRAME_FORMATS = (*PLANAR, SEMI_PLANAR)
"""Pixel formats whose planes are processed as they are; all others are converted first."""


def _rows(picture: av.VideoFrame, index: int) -> NDArray[np.uint8]:
    """One plane as [height, pitch] bytes, padding included."""
    plane = picture.planes[index]
    memory: NDArray[np.uint8] = np.frombuffer(cast(Any, plane), np.uint8)
    rows = memory.reshape(plane.height, abs(plane.line_size))
    return rows if plane.line_size > 0 else rows[::-1]


def planes_of(picture: av.VideoFrame, colour: Colour) -> Planes:
    """Views, never copies, on an 8-bit 4:2:0 picture. The views keep the picture's memory alive.

    Raises ValueError for any other pixel format.
    """
    width, chroma_width = picture.width, (picture.width + 1) // 2
    name = picture.format.name
    if name in PLANAR:
        return Planes(
            _rows(picture, 0)[:, :width],
            _rows(picture, 1)[:, :chroma_width],
            _rows(picture, 2)[:, :chroma_width],
            colour,
        )
    if name == SEMI_PLANAR:
        chroma = _rows(picture, 1)
        return Planes(
            _rows(picture, 0)[:, :width],
            chroma[:, 0 : 2 * chroma_width : 2],
            chroma[:, 1 : 2 * chroma_width : 2],
            colour,
        )
    raise ValueError(f"8-bit 4:2:0 planes are needed, got {name}")


def fresh_picture(like: av.VideoFrame, width: int | None = None, height: int | None = None) -> av.VideoFrame:
    """An unwritten picture with the format, time and colour tags of another, by default also its size."""
    picture = _POOL.take(width or like.width, height or like.height, like.format.name)
    picture.pts, picture.duration = like.pts, like.duration
    if like.time_base is not None:
        picture.time_base = like.time_base
    picture.color_range, picture.colorspace = like.color_range, like.colorspace
    picture.color_primaries, picture.color_trc = like.color_primaries, like.color_trc
    return picture


def padded_to_even(picture: av.VideoFrame) -> av.VideoFrame:
    """The picture with its last column and row repeated where a side is odd; itself where none is.

    Chroma of an odd size covers the added luma already: only luma grows.
    """
    width, height = picture.width + picture.width % 2, picture.height + picture.height % 2
    if (width, height) == (picture.width, picture.height):
        return picture
    padded = fresh_picture(picture, width, height)
    source, target = planes_of(picture, Colour()), planes_of(padded, Colour())
    target.y[: picture.height, : picture.width] = source.y
    target.y[:, picture.width :] = target.y[:, picture.width - 1 : picture.width]
    target.y[picture.height :] = target.y[picture.height - 1]
    target.u[:], target.v[:] = source.u, source.v
    return padded


def fresh_like(frame: Frame) -> Frame:
    """The same moment with an unwritten, writable picture of the same size, format and tags.

    Its memory is used again once nobody refers to the picture or its planes, encoders included.
    """
    # The encoder writes captions from the picture that it gets: they must ride on the new one too.
    picture = writable_copy(frame.picture) if frame.captions else fresh_picture(frame.picture)
    return frame.with_picture(picture, planes_of(picture, frame.planes.colour))
