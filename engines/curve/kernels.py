"""The compiled loops of ``engines.curve.cpu``: one band of rows of the fused pass.

Coefficients arrive scaled to codes (see ``cpu``), so a luma code is ``a*y + s*sqrt(y) + b`` truncated and a chroma
code is ``c*code + d*y + e`` truncated, where y is the clipped normalised luma. Nothing is allocated in here, rows are
named by number instead of being sliced, and the parts are inlined before compilation: that halves the time to
compile, which is the wait of the first run on a machine.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np

from engines.compiled import compiled

_F = np.float32
PART: dict[str, Any] = {"fastmath": True, "error_model": "numpy", "inline": "always"}
BYTES_IN = nb.types.Array(nb.uint8, 2, "C", readonly=True)
BYTES_OUT = nb.types.Array(nb.uint8, 2, "C")
EDGES = nb.types.Array(nb.int64, 1, "C", readonly=True)
FLOATS = nb.types.Array(nb.float32, 1, "C", readonly=True)
_SIGNATURE = nb.void(
    *(BYTES_IN, BYTES_IN, BYTES_IN, nb.int64),
    *(BYTES_OUT, BYTES_OUT, BYTES_OUT, nb.int64),
    *(nb.types.Array(nb.float32, 3, "C", readonly=True), EDGES, FLOATS, EDGES, FLOATS),
    *(nb.int64, nb.int64, nb.int64, nb.int64, FLOATS),
    *(nb.float32[:, ::1], nb.float32[:, ::1], nb.uint16[::1], nb.uint32[::1], nb.uint8[:, ::1]),
)


@nb.njit(**PART)
def between(centre, extent, rows):  # type: ignore[no-untyped-def]
    """The node row above a centre (in units of ``extent``) and how far it is to the next one, 0..1."""
    position = min(max(centre * rows / extent - 0.5, 0.0), rows - 1.0)
    k = min(int(position), max(rows - 2, 0))
    return k, _F(position - k)


@nb.njit(**PART)
def spread(nodes, first, last, k, edges, fraction, base, slope):  # type: ignore[no-untyped-def]
    """Coefficients ``first``..``last`` of every column at node row k, and their change until row k+1."""
    cols = nodes.shape[2]
    below = min(k + 1, nodes.shape[0] - 1)
    for c in range(first, last):
        for segment in range(cols + 1):
            left, right = max(segment - 1, 0), min(segment, cols - 1)
            b0, b1 = nodes[k, c, left], nodes[k, c, right] - nodes[k, c, left]
            s0 = nodes[below, c, left] - b0
            s1 = nodes[below, c, right] - nodes[k, c, right] - s0
            start = max(edges[segment], 0)
            for n in range(edges[segment + 1] - start):
                x = np.uintp(start + n)  # an index that cannot be negative is what lets this loop be vectorised
                base[c, x] = b0 + b1 * fraction[x]
                slope[c, x] = s0 + s1 * fraction[x]


@nb.njit(**PART)
def _luma_rows(y, y_out, r0, r1, width, base, slope, f0, step, scale, offset, low, high):  # type: ignore[no-untyped-def]
    """Two rows at once, ``f0`` and ``f0 + step`` of the way to the next node row: they share the coefficients."""
    for x in range(width):
        at, st, bt = base[0, x] + f0 * slope[0, x], base[1, x] + f0 * slope[1, x], base[2, x] + f0 * slope[2, x]
        luma = min(max(_F(y[r0, x]) * scale + offset, _F(0)), _F(1))
        value = at * luma + st * math.sqrt(luma) + bt
        y_out[r0, x] = np.uint8(np.int32(min(max(value, low), high)))
        luma = min(max(_F(y[r1, x]) * scale + offset, _F(0)), _F(1))
        at, st, bt = at + step * slope[0, x], st + step * slope[1, x], bt + step * slope[2, x]
        value = at * luma + st * math.sqrt(luma) + bt
        y_out[r1, x] = np.uint8(np.int32(min(max(value, low), high)))


@nb.njit(**PART)
def add_rows(y, r0, r1, width, sums):  # type: ignore[no-untyped-def]
    """Sums of two luma rows, the odd last one twice so that chroma finds pairs."""
    for x in range(width):
        sums[x] = np.uint16(y[r0, x]) + np.uint16(y[r1, x])
    if width % 2:
        sums[width] = sums[width - 1]


@nb.njit(**PART)
def chroma_rows(codes, half, pairs, base, slope, f, scale, offset, low, high):  # type: ignore[no-untyped-def]
    """Maps a row of u and one of v in place; a number of ``pairs`` holds two sums of two luma codes, side by side."""
    for x in range(half):
        total = np.int32((pairs[x] & np.uint32(0xFFFF)) + (pairs[x] >> np.uint32(16)))
        luma = min(max(_F(total) * scale + offset, _F(0)), _F(1))
        c, d, e = base[3, x] + f * slope[3, x], base[4, x] + f * slope[4, x], base[5, x] + f * slope[5, x]
        codes[0, x] = np.uint8(np.int32(min(max(c * _F(codes[0, x]) + d * luma + e, low), high)))
        c, d, e = base[6, x] + f * slope[6, x], base[7, x] + f * slope[7, x], base[8, x] + f * slope[8, x]
        codes[1, x] = np.uint8(np.int32(min(max(c * _F(codes[1, x]) + d * luma + e, low), high)))


@nb.njit(**PART)
def load_chroma(u, v, step, r, half, codes):  # type: ignore[no-untyped-def]
    if step == 1:
        for x in range(half):
            codes[0, x] = u[r, x]
        for x in range(half):
            codes[1, x] = v[r, x]
    else:
        for x in range(half):
            codes[0, x] = u[r, 2 * x]
            codes[1, x] = u[r, 2 * x + 1]


@nb.njit(**PART)
def store_chroma(codes, half, r, u, v, step):  # type: ignore[no-untyped-def]
    if step == 1:
        for x in range(half):
            u[r, x] = codes[0, x]
        for x in range(half):
            v[r, x] = codes[1, x]
    else:
        for x in range(half):
            u[r, 2 * x] = codes[0, x]
            u[r, 2 * x + 1] = codes[1, x]


@compiled(_SIGNATURE)
def apply_band(  # type: ignore[no-untyped-def]
    y,
    u,
    v,
    step,
    y_out,
    u_out,
    v_out,
    step_out,
    nodes,
    edges,
    fraction,
    chroma_edges,
    chroma_fraction,
    first,
    last,
    width,
    height,
    limits,
    base,
    slope,
    sums,
    pairs,
    codes,
):
    """Luma rows ``first`` (even) to ``last`` and the chroma rows over them.

    A chroma step of 2 means that ``u`` holds both planes interleaved and ``v`` is not looked at. ``limits`` holds
    scale and offset of luma codes to 0..1, then the lowest and highest value before truncation, of luma and of
    chroma. The last five are scratch: ``base`` and ``slope`` [9, width], ``sums`` [width or one more] and the same
    memory as ``pairs``, ``codes`` [2, chroma width].
    """
    rows, half = nodes.shape[0], codes.shape[1]
    r, chroma_r, chroma_last = first, first // 2, (last + 1) // 2
    while r < last or chroma_r < chroma_last:
        k = rows
        if r < last:
            k = between(r + 0.5, height, rows)[0]
        if chroma_r < chroma_last:
            k = min(k, between(2.0 * chroma_r + 1, height, rows)[0])
        spread(nodes, 0, 3, k, edges, fraction, base, slope)
        spread(nodes, 3, 9, k, chroma_edges, chroma_fraction, base, slope)
        while r < last:
            at, f0 = between(r + 0.5, height, rows)
            if at != k:
                break
            below, f1 = between(r + 1.5, height, rows)
            second = r + 1
            if second == last or below != k:
                second, f1 = r, f0
            _luma_rows(y, y_out, r, second, width, base, slope, f0, f1 - f0, limits[0], limits[1], limits[2], limits[3])
            r = second + 1
        while chroma_r < chroma_last:
            at, f0 = between(2.0 * chroma_r + 1, height, rows)
            if at != k:
                break
            add_rows(y, 2 * chroma_r, min(2 * chroma_r + 1, height - 1), width, sums)
            load_chroma(u, v, step, chroma_r, half, codes)
            chroma_rows(codes, half, pairs, base, slope, f0, limits[0] * _F(0.25), limits[1], limits[4], limits[5])
            store_chroma(codes, half, chroma_r, u_out, v_out, step_out)
            chroma_r += 1
