"""The compiled loops of ``engines.curve.cpu``: one band of rows of the fused pass.

Coefficients arrive scaled to codes (see ``cpu``), so a luma code is ``a*y + s*sqrt(y) + b`` truncated and a chroma
code is ``c*code + d*y + e`` truncated, where y is the clipped normalised luma.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np

TILE = 512
"""Luma columns of a tile: its 12 spread coefficient rows take 24 kB."""

_F = np.float32
_OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": True, "error_model": "numpy"}
_BYTES_IN = nb.types.Array(nb.uint8, 2, "C", readonly=True)
_BYTES_OUT = nb.types.Array(nb.uint8, 2, "C")
_NODES = nb.types.Array(nb.float32, 3, "C", readonly=True)
_EDGES = nb.types.Array(nb.int64, 1, "C", readonly=True)
_FLOATS = nb.types.Array(nb.float32, 1, "C", readonly=True)
_SIGNATURE = nb.void(
    *(_BYTES_IN, _BYTES_IN, _BYTES_IN, nb.int64),
    *(_BYTES_OUT, _BYTES_OUT, _BYTES_OUT, nb.int64),
    *(_NODES, _EDGES, _FLOATS, _EDGES, _FLOATS),
    *(nb.int64, nb.int64, nb.int64, nb.int64, _FLOATS),
)


@nb.njit(**_OPTIONS)
def _spread(nodes, first, k, edges, fraction, x0, n, base, slope):  # type: ignore[no-untyped-def]
    """Coefficients from ``first`` on: at node row k, and their change until row k+1, for the columns x0..x0+n."""
    cols = nodes.shape[2]
    below = min(k + 1, nodes.shape[0] - 1)
    for segment in range(cols + 1):
        start, stop = max(edges[segment] - x0, 0), min(edges[segment + 1] - x0, n)
        if start < stop:
            left, right = max(segment - 1, 0), min(segment, cols - 1)
            part = fraction[x0 + start : x0 + stop]
            for c in range(first, first + base.shape[0]):
                b0, b1 = nodes[k, c, left], nodes[k, c, right] - nodes[k, c, left]
                s0 = nodes[below, c, left] - b0
                s1 = nodes[below, c, right] - nodes[k, c, right] - s0
                base_row, slope_row = base[c - first, start:stop], slope[c - first, start:stop]
                for x in range(part.shape[0]):
                    base_row[x] = b0 + b1 * part[x]
                    slope_row[x] = s0 + s1 * part[x]


@nb.njit(**_OPTIONS)
def _luma_rows(in0, in1, out0, out1, a, s, b, da, ds, db, f0, step, scale, offset, low, high):  # type: ignore[no-untyped-def]
    """Two rows at once, ``f0`` and ``f0 + step`` of the way to the next node row: they share the coefficient loads."""
    for x in range(in0.shape[0]):
        at, st, bt = a[x] + f0 * da[x], s[x] + f0 * ds[x], b[x] + f0 * db[x]
        y = min(max(_F(in0[x]) * scale + offset, _F(0)), _F(1))
        out0[x] = np.uint8(np.int32(min(max(at * y + st * math.sqrt(y) + bt, low), high)))
        y = min(max(_F(in1[x]) * scale + offset, _F(0)), _F(1))
        bt = (at + step * da[x]) * y + (st + step * ds[x]) * math.sqrt(y) + (bt + step * db[x])
        out1[x] = np.uint8(np.int32(min(max(bt, low), high)))


@nb.njit(**_OPTIONS)
def _sum_2x2(row0, row1, total):  # type: ignore[no-untyped-def]
    """Sum of the four luma codes under each chroma sample; an odd last column counts twice."""
    pairs = row0.shape[0] // 2
    for x in range(pairs):
        total[x] = (
            np.uint16(row0[2 * x]) + np.uint16(row0[2 * x + 1]) + np.uint16(row1[2 * x]) + np.uint16(row1[2 * x + 1])
        )
    if pairs < total.shape[0]:
        total[pairs] = 2 * (np.uint16(row0[2 * pairs]) + np.uint16(row1[2 * pairs]))


@nb.njit(**_OPTIONS)
def _chroma_row(codes, total, c, d, e, dc, dd, de, f, scale, offset, low, high):  # type: ignore[no-untyped-def]
    """Maps ``codes`` in place."""
    for x in range(codes.shape[0]):
        y = min(max(_F(total[x]) * scale + offset, _F(0)), _F(1))
        value = (c[x] + f * dc[x]) * _F(codes[x]) + (d[x] + f * dd[x]) * y + (e[x] + f * de[x])
        codes[x] = np.uint8(np.int32(min(max(value, low), high)))


@nb.njit(**_OPTIONS)
def _between(centre, extent, rows):  # type: ignore[no-untyped-def]
    """The node row above a centre (in units of ``extent``) and how far it is to the next one, 0..1."""
    position = min(max(centre * rows / extent - 0.5, 0.0), rows - 1.0)
    k = min(int(position), max(rows - 2, 0))
    return k, _F(position - k)


@nb.njit(_SIGNATURE, cache=True, **_OPTIONS)
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
):
    """Luma rows ``first`` (even) to ``last`` and the chroma rows over them.

    A chroma step of 2 means that ``u`` holds both planes interleaved and ``v`` is not looked at. ``limits`` holds scale
    and offset of luma codes to 0..1, then the lowest and highest value before truncation, of luma and of chroma.
    """
    rows = nodes.shape[0]
    scale, offset, low, high, chroma_low, chroma_high = limits
    base, slope = np.empty((3, TILE), _F), np.empty((3, TILE), _F)
    chroma_base, chroma_slope = np.empty((6, TILE // 2), _F), np.empty((6, TILE // 2), _F)
    sums, us, vs = np.empty(TILE // 2, np.uint16), np.empty(TILE // 2, np.uint8), np.empty(TILE // 2, np.uint8)
    for x0 in range(0, width, TILE):
        n = min(TILE, width - x0)
        c0, half = x0 // 2, (n + 1) // 2
        a, s, b = base[0, :n], base[1, :n], base[2, :n]
        da, ds, db = slope[0, :n], slope[1, :n], slope[2, :n]
        cu, du, eu = chroma_base[0, :half], chroma_base[1, :half], chroma_base[2, :half]
        cv, dv, ev = chroma_base[3, :half], chroma_base[4, :half], chroma_base[5, :half]
        dcu, ddu, deu = chroma_slope[0, :half], chroma_slope[1, :half], chroma_slope[2, :half]
        dcv, ddv, dev = chroma_slope[3, :half], chroma_slope[4, :half], chroma_slope[5, :half]
        total, row_u, row_v = sums[:half], us[:half], vs[:half]
        r, chroma_r, chroma_last = first, first // 2, (last + 1) // 2
        while r < last or chroma_r < chroma_last:
            k = rows
            if r < last:
                k = _between(r + 0.5, height, rows)[0]
            if chroma_r < chroma_last:
                k = min(k, _between(2 * chroma_r + 1, height, rows)[0])
            _spread(nodes, 0, k, edges, fraction, x0, n, base, slope)
            _spread(nodes, 3, k, chroma_edges, chroma_fraction, c0, half, chroma_base, chroma_slope)
            while r < last:
                at, f0 = _between(r + 0.5, height, rows)
                if at != k:
                    break
                below, f1 = _between(r + 1.5, height, rows)
                second = r + 1
                if second == last or below != k:
                    second, f1 = r, f0
                in0, in1 = y[r, x0 : x0 + n], y[second, x0 : x0 + n]
                out0, out1 = y_out[r, x0 : x0 + n], y_out[second, x0 : x0 + n]
                _luma_rows(in0, in1, out0, out1, a, s, b, da, ds, db, f0, f1 - f0, scale, offset, low, high)
                r = second + 1
            while chroma_r < chroma_last:
                at, f0 = _between(2 * chroma_r + 1, height, rows)
                if at != k:
                    break
                _sum_2x2(y[2 * chroma_r, x0 : x0 + n], y[min(2 * chroma_r + 1, height - 1), x0 : x0 + n], total)
                if step == 1:
                    row_u[:] = u[chroma_r, c0 : c0 + half]
                    row_v[:] = v[chroma_r, c0 : c0 + half]
                else:
                    both = u[chroma_r, x0 : x0 + 2 * half]
                    for x in range(half):
                        row_u[x] = both[2 * x]
                        row_v[x] = both[2 * x + 1]
                quarter = scale * _F(0.25)
                _chroma_row(row_u, total, cu, du, eu, dcu, ddu, deu, f0, quarter, offset, chroma_low, chroma_high)
                _chroma_row(row_v, total, cv, dv, ev, dcv, ddv, dev, f0, quarter, offset, chroma_low, chroma_high)
                if step_out == 1:
                    u_out[chroma_r, c0 : c0 + half] = row_u
                    v_out[chroma_r, c0 : c0 + half] = row_v
                else:
                    both_out = u_out[chroma_r, x0 : x0 + 2 * half]
                    for x in range(half):
                        both_out[2 * x] = row_u[x]
                        both_out[2 * x + 1] = row_v[x]
                chroma_r += 1
