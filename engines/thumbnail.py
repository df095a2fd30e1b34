"""The small picture that networks look at: a strided box sample of the planes, and its way to RGB and back in float.

Each thumbnail pixel is the mean of 4x4 samples spread evenly over the region it covers, so the cost hardly grows with
the resolution and noise is averaged. Matrix equations: ITU-R BT.601-7, BT.709-6, BT.2020-2 (non-constant luminance).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numba as nb
import numpy as np
from numpy.typing import NDArray

from engines.colour import Colour, Matrix
from engines.compiled import compiled
from engines.curve.grid import Floats, thumbnail_shape
from engines.planes import Bytes, Planes, interleaved, pitched

_TAPS = 4
_ROWS_IN = nb.types.Array(nb.uint8, 2, "C", readonly=True)
_TAPS_IN = nb.types.Array(nb.int32, 2, "C", readonly=True)


@dataclass(frozen=True, slots=True, eq=False)
class Thumbnail:
    """Float32 planes [h, w]: ``y`` in 0..1, ``u`` and ``v`` in about -0.5..0.5; ``matrix`` is the picture's own."""

    y: Floats
    u: Floats
    v: Floats
    matrix: Matrix

    def to_rgb(self) -> Floats:
        """RGB [3, h, w] of the thumbnail; colours outside RGB fall outside 0..1, nothing is clipped."""
        kr, kb = Colour(self.matrix).kr_kb
        rgb = np.empty((3, *self.y.shape), dtype=np.float32)
        rgb[0] = self.y + np.float32(2 * (1 - kr)) * self.v
        rgb[2] = self.y + np.float32(2 * (1 - kb)) * self.u
        rgb[1] = (self.y - np.float32(kr) * rgb[0] - np.float32(kb) * rgb[2]) * np.float32(1 / (1 - kr - kb))
        return rgb

    def through(self, curves: Floats) -> Thumbnail:
        """What tone curves make of it: coefficients [9, h, w] as in ``CurveGrid``, luma clipped to 0..1."""
        a, s, b, cu, du, eu, cv, dv, ev = curves
        y = np.clip(self.y, 0, 1)
        luma = np.clip(a * y + s * np.sqrt(y) + b, 0, 1)
        return Thumbnail(luma, cu * self.u + du * y + eu, cv * self.v + dv * y + ev, self.matrix)

    @staticmethod
    def from_rgb(rgb: NDArray[np.floating], matrix: Matrix) -> Thumbnail:
        """The thumbnail of an RGB picture [3, h, w] in 0..1; inverse of ``to_rgb``."""
        kr, kb = Colour(matrix).kr_kb
        red, green, blue = rgb.astype(np.float32, copy=False)
        y = np.float32(kr) * red + np.float32(1 - kr - kb) * green + np.float32(kb) * blue
        return Thumbnail(y, (blue - y) * np.float32(0.5 / (1 - kb)), (red - y) * np.float32(0.5 / (1 - kr)), matrix)


def sample(planes: Planes) -> Thumbnail:
    """The thumbnail of a picture of any size and layout; smaller pictures are enlarged by repetition."""
    colour = planes.colour
    both = interleaved(planes.u, planes.v)
    u, v, step = (planes.u, planes.v, 1) if both is None else (both, both, 2)
    small = np.empty((3, *thumbnail_shape(planes.width, planes.height)), dtype=np.float32)
    _sample_plane(planes.y, planes.y.shape, 1, 0, (colour.luma_offset, colour.luma_range, 0), small[0])
    chroma = (colour.chroma_offset, colour.chroma_range, -1)
    _sample_plane(u, planes.u.shape, step, 0, chroma, small[1])
    _sample_plane(v, planes.v.shape, step, step - 1, chroma, small[2])
    return Thumbnail(small[0], small[1], small[2], colour.matrix)


def sample_rgb(rgb: Bytes, matrix: Matrix = "bt709") -> Thumbnail:
    """The thumbnail of an RGB picture, uint8 [height, width, 3]."""
    small = np.empty((3, *thumbnail_shape(rgb.shape[1], rgb.shape[0])), dtype=np.float32)
    for channel in range(3):
        _sample_plane(rgb[..., channel], rgb.shape[:2], 1, 0, (0, 255, 0), small[channel])
    return Thumbnail.from_rgb(small, matrix)


def warm() -> None:
    """Loads the compiled sampler, from the compiler the first time on a machine, then from its cache."""
    sample_rgb(np.zeros((8, 8, 3), np.uint8))


def _sample_plane(
    plane: Bytes, shape: tuple[int, ...], step: int, first: int, codes: tuple[int, int, int], out: Floats
) -> None:
    """Samples the columns ``first``, ``first + step`` ... of a plane; ``codes`` is (zero, range, lowest result)."""
    rows = pitched(plane)
    rows = np.ascontiguousarray(plane) if rows is None else rows
    down, across = _taps(shape[0], out.shape[0], 1, 0), _taps(shape[1], out.shape[1], step, first)
    zero, extent, lowest = codes
    _box(rows, down, across, 1 / extent, -zero / extent, lowest, np.empty(shape[1] * step, np.uint16), out)


@lru_cache(maxsize=64)
def _taps(samples: int, pixels: int, step: int, first: int) -> NDArray[np.int32]:
    """Which samples each thumbnail pixel averages along one axis: int32 [pixels, 4]."""
    centres = (np.arange(pixels * _TAPS) + 0.5) * samples / (pixels * _TAPS)
    taps = (np.minimum(centres.astype(np.int32), samples - 1) * step + first).astype(np.int32).reshape(pixels, _TAPS)
    taps.setflags(write=False)
    return taps


@compiled(nb.void(_ROWS_IN, _TAPS_IN, _TAPS_IN, nb.float32, nb.float32, nb.float32, nb.uint16[::1], nb.float32[:, ::1]))
def _box(plane, down, across, scale, offset, lowest, total, out):  # type: ignore[no-untyped-def]
    """Means of 4x4 samples, scaled, clipped to ``lowest``..1. Sums whole rows first, because that vectorises."""
    columns = across[-1, -1] + 1
    scale = scale * np.float32(1 / 16)
    for i in range(out.shape[0]):
        r0, r1, r2, r3 = down[i, 0], down[i, 1], down[i, 2], down[i, 3]
        for x in range(columns):
            total[x] = (
                np.uint16(plane[r0, x]) + np.uint16(plane[r1, x]) + np.uint16(plane[r2, x]) + np.uint16(plane[r3, x])
            )
        for j in range(out.shape[1]):
            box = total[across[j, 0]] + total[across[j, 1]] + total[across[j, 2]] + total[across[j, 3]]
            out[i, j] = min(max(np.float32(box) * scale + offset, lowest), np.float32(1))
