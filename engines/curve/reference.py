"""What applying a grid means, in plain NumPy and double precision; faster implementations agree within one code.

Codes are normalised with the picture's own range and clipped (``y`` to 0..1), mapped, scaled back, rounded half up
and clamped to the legal range. A chroma sample takes the mean luma code of the samples under it and the coefficients
at their centre. The exact identity is no arithmetic at all: every byte stays, out-of-range codes included.
"""

from __future__ import annotations

import numpy as np

from engines.curve.grid import CurveGrid, Doubles, Floats, tents, tents_at
from engines.planes import Bytes, Planes


def apply(planes: Planes, grid: CurveGrid) -> Planes:
    """The enhanced picture in fresh planar planes; the input stays untouched."""
    if grid.is_identity:
        return Planes(planes.y.copy(), planes.u.copy(), planes.v.copy(), planes.colour)
    colour = planes.colour
    across, down = tents(planes.width, grid.cols), tents(planes.height, grid.rows)
    a, s, b = _spread(grid.coefficients[..., :3], down, across)
    y = _normalised_luma(planes, planes.y)
    luma = _codes((a * y + s * np.sqrt(y) + b) * colour.luma_range + colour.luma_offset, colour.luma_limits)

    across = tents_at((2 * np.arange(planes.u.shape[1]) + 1) / planes.width, grid.cols)
    down = tents_at((2 * np.arange(planes.u.shape[0]) + 1) / planes.height, grid.rows)
    y = _normalised_luma(planes, luma_under_chroma(planes.y))
    chroma = []
    for plane, first in ((planes.u, 3), (planes.v, 6)):
        c, d, e = _spread(grid.coefficients[..., first : first + 3], down, across)
        x = (plane - float(colour.chroma_offset)) / colour.chroma_range
        codes = (c * x + d * y + e) * colour.chroma_range + colour.chroma_offset
        chroma.append(_codes(codes, colour.chroma_limits))
    return Planes(luma, chroma[0], chroma[1], colour)


def luma_under_chroma(y: Bytes) -> Doubles:
    """Mean of the (up to) 2x2 luma samples under each chroma sample of a 4:2:0 picture."""
    height, width = y.shape
    even = np.pad(y.astype(np.float64), ((0, height % 2), (0, width % 2)), mode="edge")
    mean: Doubles = (even[0::2, 0::2] + even[0::2, 1::2] + even[1::2, 0::2] + even[1::2, 1::2]) / 4
    return mean


def _normalised_luma(planes: Planes, codes: Bytes | Doubles) -> Doubles:
    y: Doubles = np.clip((codes - float(planes.colour.luma_offset)) / planes.colour.luma_range, 0, 1)
    return y


def _spread(coefficients: Floats, down: Doubles, across: Doubles) -> Doubles:
    """Node coefficients [rows, cols, k] to pixels [k, height, width]."""
    pixels: Doubles = down.T @ np.moveaxis(coefficients.astype(np.float64), 2, 0) @ across
    return pixels


def _codes(values: Doubles, limits: tuple[int, int]) -> Bytes:
    return np.clip(np.floor(values + 0.5), *limits).astype(np.uint8)
