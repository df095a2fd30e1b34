"""The display matrix: how far a player turns or mirrors the picture. Pixels are never turned, the matrix is kept."""

from __future__ import annotations

import math
import struct
from typing import Any

import av
from av.sidedata.sidedata import Type

_ONE = 1 << 16
"""1.0 in the matrix's 16.16 fixed point; its last number is 2.30."""


def display_matrix(picture: av.VideoFrame) -> tuple[tuple[int, ...] | None, int]:
    """The nine numbers of a decoded picture's matrix (None: not turned), and degrees counter-clockwise."""
    degrees = int(picture.rotation)
    try:
        riding: Any = picture.side_data
    except ValueError:  # PyAV does not list kinds of side data that it does not know
        return (_turn(degrees) if degrees else None), degrees
    found = riding.get(Type.DISPLAYMATRIX) if len(riding) else None
    return (None if found is None else struct.unpack("=9i", bytes(found))), degrees


def _turn(degrees: int) -> tuple[int, ...]:
    cosine, sine = (round(_ONE * part(math.radians(degrees))) for part in (math.cos, math.sin))
    return cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30
