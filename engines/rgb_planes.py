"""Whole frames in R'G'B' and back, for networks that redraw them: 8-bit 4:2:0 planes <-> float pictures.

On the way there every chroma sample stands for the luma samples that it covers (2x2, less at odd edges). On the way
back planes get the *change* that a network made, its chroma averaged over the same samples: where nothing changes every
code stays as it is, colours outside R'G'B' included, detail of the chroma planes is never filtered, and wherever the
chroma samples lie it is the same there and back. Matrix equations: BT.601-7, BT.709-6, BT.2020-2.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray

from engines.colour import Colour
from engines.compiled import compiled
from engines.curve.grid import Floats
from engines.planes import Bytes, Planes, pitched

_BYTES_IN = nb.types.Array(nb.uint8, 2, "C", readonly=True)
_PICTURE_IN = nb.types.Array(nb.float32, 3, "C", readonly=True)
_PICTURE, _PLANE, _NUMBERS = nb.float32[:, :, ::1], nb.uint8[:, ::1], nb.float32[::1]


def rgb_of(planes: Planes) -> Floats:
    """R'G'B' float32 [3, height, width] by the planes' own matrix and range, clipped to 0..1."""
    rgb = np.empty((3, planes.height, planes.width), np.float32)
    _to_rgb(_rows(planes.y), *_chroma(planes), _numbers(planes.colour), rgb)
    return rgb


def apply_change(planes: Planes, before: Floats, after: Floats, strength: float, out: Planes) -> None:
    """Writes ``planes`` plus ``strength`` (0..1) times the change from ``before`` to ``after`` into ``out``.

    ``before`` is ``rgb_of(planes)`` and ``after`` what became of it, finite and in 0..1. ``out`` has the same size and
    colour; it may be of any layout. Codes are clamped to the legal range, or to the input's code where that is outside.
    """
    if out.y.shape != planes.y.shape or out.colour != planes.colour:
        raise ValueError("the output has another size or colour than the input")
    if before.shape != (3, *planes.y.shape) or after.shape != before.shape:
        raise ValueError(f"pictures of {list(before.shape)} and {list(after.shape)} do not belong to these planes")
    fresh = tuple(np.empty(plane.shape, np.uint8) for plane in (out.y, out.u, out.v))
    pictures = np.ascontiguousarray(before, np.float32), np.ascontiguousarray(after, np.float32)
    _add(_rows(planes.y), *_chroma(planes), *pictures, strength, _numbers(planes.colour), *fresh)
    for target, source in zip((out.y, out.u, out.v), fresh, strict=True):
        np.copyto(target, source)


def warm() -> None:
    """Loads both loops, from the compiler the first time on a machine, then from its cache."""
    luma, chroma = np.full((2, 2), 128, np.uint8), np.full((1, 1), 128, np.uint8)
    planes = Planes(luma, chroma, chroma, Colour())
    rgb = rgb_of(planes)
    apply_change(planes, rgb, rgb, 1.0, Planes(luma.copy(), chroma.copy(), chroma.copy(), Colour()))


def _rows(plane: Bytes) -> Bytes:
    rows = pitched(plane)
    return np.ascontiguousarray(plane) if rows is None else rows


def _chroma(planes: Planes) -> tuple[Bytes, Bytes]:
    return np.ascontiguousarray(planes.u), np.ascontiguousarray(planes.v)


def _numbers(colour: Colour) -> Floats:
    """Luma weights, chroma factors, then zero, range and legal limits of luma and of chroma codes."""
    kr, kb = colour.kr_kb
    luma = colour.luma_offset, colour.luma_range, *colour.luma_limits
    chroma = colour.chroma_offset, colour.chroma_range, *colour.chroma_limits
    numbers: NDArray[np.float32] = np.array(
        [kr, 1 - kr - kb, kb, 2 * (1 - kr), 2 * (1 - kb), *luma, *chroma], np.float32
    )
    return numbers


@compiled(nb.void(_BYTES_IN, _BYTES_IN, _BYTES_IN, _NUMBERS, _PICTURE))
def _to_rgb(y, u, v, numbers, rgb):  # type: ignore[no-untyped-def]
    kr, kg, kb, to_red, to_blue = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    low, high = np.float32(0), np.float32(1)
    zero, scale, chroma_zero, chroma_scale = numbers[5], high / numbers[6], numbers[9], high / numbers[10]
    for i in range(rgb.shape[1]):
        for j in range(rgb.shape[2]):
            luma = (np.float32(y[i, j]) - zero) * scale
            red = luma + to_red * chroma_scale * (np.float32(v[i // 2, j // 2]) - chroma_zero)
            blue = luma + to_blue * chroma_scale * (np.float32(u[i // 2, j // 2]) - chroma_zero)
            green = (luma - kr * red - kb * blue) / kg
            rgb[0, i, j] = min(max(red, low), high)
            rgb[1, i, j] = min(max(green, low), high)
            rgb[2, i, j] = min(max(blue, low), high)


@compiled(
    nb.void(
        _BYTES_IN,
        _BYTES_IN,
        _BYTES_IN,
        _PICTURE_IN,
        _PICTURE_IN,
        nb.float32,
        _NUMBERS,
        _PLANE,
        _PLANE,
        _PLANE,
    )
)
def _add(y, u, v, before, after, strength, numbers, out_y, out_u, out_v):  # type: ignore[no-untyped-def]
    kr, kg, kb, to_red, to_blue = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    scale, low, high = strength * numbers[6], numbers[7], numbers[8]
    chroma_scale, chroma_low, chroma_high = strength * numbers[10], numbers[11], numbers[12]
    half, one = np.float32(0.5), np.float32(1)
    height, width = out_y.shape
    for ci in range(out_u.shape[0]):
        for cj in range(out_u.shape[1]):
            sum_u, sum_v, count = np.float32(0), np.float32(0), np.float32(0)
            for i in range(2 * ci, min(2 * ci + 2, height)):
                for j in range(2 * cj, min(2 * cj + 2, width)):
                    red = after[0, i, j] - before[0, i, j]
                    blue = after[2, i, j] - before[2, i, j]
                    luma = kr * red + kg * (after[1, i, j] - before[1, i, j]) + kb * blue
                    sum_u += (blue - luma) / to_blue
                    sum_v += (red - luma) / to_red
                    count += one
                    code = np.float32(y[i, j])
                    out_y[i, j] = min(max(code + scale * luma, min(code, low)), max(code, high)) + half
            code = np.float32(u[ci, cj])
            out_u[ci, cj] = (
                min(max(code + chroma_scale * sum_u / count, min(code, chroma_low)), max(code, chroma_high)) + half
            )
            code = np.float32(v[ci, cj])
            out_v[ci, cj] = (
                min(max(code + chroma_scale * sum_v / count, min(code, chroma_low)), max(code, chroma_high)) + half
            )
