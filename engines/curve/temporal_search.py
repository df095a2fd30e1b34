"""Where every block really came from: small steps around the displacement that the flow of a small picture gives.

A tenth of a pixel of the thumbnail is most of a pixel at 1080p, far too much to average over. So the enhanced block,
every fifth row of it, is held against the previous output at the predicted place, at its neighbours and at rest; the
steps are whole pixels, because interpolating the recursion's own output again and again would blur it. Comparing with
that output closes the loop: what is left of a pixel in one frame is found in the next. A difference that noise
explains ends the search, and every step has to pay more than noise does, or the search would follow the noise.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from engines.compiled import compiled
from engines.curve.kernels import BYTES_IN, EDGES, FLOATS, between, spread
from engines.curve.temporal_kernels import luma_pair

_F = np.float32
_SHORTS = nb.types.Array(nb.int16, 2, "C", readonly=True)
_CODES = nb.types.Array(nb.uint8, 2, "C", readonly=True)
_FAR = 1 << 30
STEPS = 4
"""Most steps of one pixel from the better of rest and prediction."""

PAYS = 0.08
"""A step has to lower the difference by this share of what noise alone makes."""


@nb.njit(fastmath=True, error_model="numpy", nogil=True)
def _apart(codes, y_old, top, left, wide, width, height, dx, dy):  # type: ignore[no-untyped-def]
    """Sum of absolute differences of the sampled rows to the previous output at (dx, dy); far beyond the borders."""
    total = np.int32(_FAR)
    if left + dx >= 0 and left + wide + dx <= width and top + dy >= 0 and min(top + 15, height - 1) + dy < height:
        total = np.int32(0)
        for i in range(4):
            row = min(top + 5 * i, height - 1) + dy
            if wide == 16:
                for x in range(16):
                    here = np.int32(codes[i, np.uintp(left + x)])
                    total += np.int32(abs(np.int32(here - np.int32(y_old[row, np.uintp(left + dx + x)]))))
            else:
                for x in range(wide):
                    here = np.int32(codes[i, np.uintp(left + x)])
                    total += np.int32(abs(np.int32(here - np.int32(y_old[row, np.uintp(left + dx + x)]))))
    return total


@compiled(
    nb.void(
        *(BYTES_IN, BYTES_IN, nb.types.Array(nb.float32, 3, "C", readonly=True), EDGES, FLOATS),
        *(nb.int64, nb.int64, nb.int64, nb.int64, FLOATS, FLOATS),
        *(_SHORTS, _SHORTS, _CODES, nb.uint8[:, ::1], nb.uint8[:, ::1], nb.int16[:, :, ::1], nb.uint8[:, ::1]),
        *(nb.float32[:, ::1], nb.float32[:, ::1], nb.uint8[:, ::1]),
    )
)
def search_blocks(  # type: ignore[no-untyped-def]
    y,
    y_old,
    nodes,
    edges,
    fraction,
    first,
    last,
    width,
    height,
    limits,
    rule,
    dx,
    dy,
    confidence,
    halves_old,
    halves,
    moves,
    trust,
    base,
    slope,
    codes,
):
    """Block rows ``first`` to ``last``: ``moves`` [bh, bw, 4] in whole pixels of luma, then of chroma.

    Half a pixel of chroma that a move leaves over is kept in ``halves`` (bit 0 across, bit 1 down) at the place it
    leads to, and added to the next move: a steady pan by odd numbers of pixels does not drift.
    """
    rows, count = nodes.shape[0], moves.shape[1]
    at = -1
    for b in range(first, last):
        top = 16 * b
        for q in range(0, 4, 2):
            r0, r1 = min(top + 5 * q, height - 1), min(top + 5 * q + 5, height - 1)
            # Both rows between the same nodes, those of the first: a search needs no better, and twice the same row
            # would look to the compiled loop like memory that overlaps.
            k, f0 = between(r0 + 0.5, height, rows)
            if k != at:
                spread(nodes, 0, 3, k, edges, fraction, base, slope)
            at = k
            f1 = min(_F((r1 + 0.5) * rows / height - 0.5 - k), _F(1))
            luma_pair(y, r0, r1, codes, q, q + 1, 0, width, base, slope, f0, max(f1, f0), limits)
        middle = min(top + 8, height - 1)
        k, f = between(middle + 0.5, height, rows)
        if k != at:
            spread(nodes, 0, 3, k, edges, fraction, base, slope)
        at = k
        for j in range(count):
            left = 16 * j
            wide = min(16, width - left)
            total = np.int32(0)
            for i in range(4):
                for x in range(wide):
                    total += np.int32(y[min(top + 5 * i, height - 1), np.uintp(left + x)])
            samples = _F(4 * wide)
            luma = min(max(_F(total) / samples * limits[0] + limits[1], _F(0)), _F(1))
            x = left + wide // 2
            curve = base[0, x] + f * slope[0, x]
            curve += (base[1, x] + f * slope[1, x]) * _F(0.5) / math.sqrt(max(luma, rule[2]))
            noise = math.sqrt(curve * curve * max(rule[0] * luma + rule[1], rule[13]) + rule[4])
            enough = np.int32(samples * noise)
            pays = np.int32(samples * noise * _F(PAYS)) + 1

            px, py = (np.int64(dx[b, j]) + 2) >> 2, (np.int64(dy[b, j]) + 2) >> 2
            if confidence[b, j] > 0:
                best = _apart(codes, y_old, top, left, wide, width, height, px, py)
                if px != 0 or py != 0:
                    rest = _apart(codes, y_old, top, left, wide, width, height, 0, 0)
                    little = abs(px) <= 1 and abs(py) <= 1
                    if (little and rest <= best + pays) or rest + pays < best:
                        px, py, best = np.int64(0), np.int64(0), rest
                for _ in range(STEPS):
                    if best <= enough:
                        break
                    sx, sy, found = px, py, best - pays
                    for q in range(4):
                        tx, ty = px + (q == 0) - (q == 1), py + (q == 2) - (q == 3)
                        apart = _apart(codes, y_old, top, left, wide, width, height, tx, ty)
                        if apart < found:
                            sx, sy, found = tx, ty, apart
                    if sx == px and sy == py:
                        break
                    px, py, best = sx, sy, found
            from_b = min(max((top + 8 + py) >> 4, 0), moves.shape[0] - 1)
            from_j = min(max((left + 8 + px) >> 4, 0), count - 1)
            half = np.int64(halves_old[from_b, from_j])
            cx, cy = px + (half & 1), py + (half >> 1)
            halves[b, j] = np.uint8((cx & 1) + 2 * (cy & 1))
            moves[b, j, 0], moves[b, j, 1], moves[b, j, 2], moves[b, j, 3] = px, py, cx >> 1, cy >> 1
            trust[b, j] = np.uint8(max(128 - np.int64(confidence[b, j]), 0))
