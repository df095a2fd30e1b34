"""Views on the planes of one decoded 8-bit 4:2:0 picture, planar (I420) or semi-planar (NV12)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from engines.colour import Colour

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Planes:
    """Strided views, never copies.

    ``y`` is [height, width]; ``u`` and ``v`` are [ceil(height/2), ceil(width/2)]. Rows may be padded (line pitch larger
    than the width). For NV12, ``u`` and ``v`` are views with a column stride of 2 into one interleaved plane.
    """

    y: Bytes
    u: Bytes
    v: Bytes
    colour: Colour

    def __post_init__(self) -> None:
        height, width = self.y.shape
        chroma = ((height + 1) // 2, (width + 1) // 2)
        if self.u.shape != chroma or self.v.shape != chroma:
            raise ValueError(
                f"4:2:0 planes of a {width}x{height} picture need chroma {chroma}, "
                f"got {self.u.shape} and {self.v.shape}"
            )

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])


def pitched(plane: Bytes) -> Bytes | None:
    """The rows of a plane with their padding, C-contiguous [height, pitch]; None if its columns are not one byte apart.

    Compiled loops need to know at compile time that neighbours are adjacent. Columns past the plane's width belong to
    nobody, and in the last row may not even exist: never touch them.
    """
    if plane.flags.c_contiguous:
        return plane
    height, width = plane.shape
    pitch = plane.strides[0] if height > 1 else width
    if (width > 1 and plane.strides[1] != 1) or pitch < width:
        return None
    return as_strided(plane, (height, pitch), (pitch, 1))


def interleaved(u: Bytes, v: Bytes) -> Bytes | None:
    """The rows u0 v0 u1 v1 ... that hold both chroma planes, [height, pitch] as in ``pitched``; None if they do not."""
    height, width = u.shape
    together = u.strides == v.strides and u.strides[1] == 2 and v.ctypes.data - u.ctypes.data == 1
    if not together or u.strides[0] < 2 * width:
        return None
    return as_strided(u, (height, u.strides[0]), (u.strides[0], 1))
