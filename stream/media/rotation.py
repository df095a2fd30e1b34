"""The display matrix: how far a player turns or mirrors the picture. Pixels are never turned, the matrix is kept."""

from __future__ import annotations

import struct

import av
from av.sidedata.sidedata import Type


def display_matrix(picture: av.VideoFrame) -> tuple[tuple[int, ...] | None, int]:
    """The nine 16.16 fixed-point numbers of a decoded picture (None: not turned), and degrees counter-clockwise."""
    if len(picture.side_data) == 0:
        return None, 0
    data = picture.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if data is None:
        return None, 0
    return struct.unpack("=9i", bytes(data)), int(picture.rotation)
