"""Views on the planes of one decoded 8-bit 4:2:0 picture, planar (I420) or semi-planar (NV12)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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
                f"4:2:0 planes of a {width}x{height} picture need chroma {chroma}, got {self.u.shape} and {self.v.shape}"
            )

    @property
    def width(self) -> int:
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        return int(self.y.shape[0])
