"""Weighted sums of products over the tents of a grid: all that the least squares of ``engines.curve.fit`` needs.

One pass over the thumbnail in double precision, rows first and columns last, without BLAS, whose threads would cost
more than the sums themselves.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from engines.compiled import compiled
from engines.curve.grid import CELL, Doubles
from engines.thumbnail import Thumbnail

_Y, _ROOT, _U, _V, _ONE, _DY, _DU, _DV = range(8)
_PAIRS = np.array(
    [
        *((_Y, _Y), (_Y, _ROOT), (_Y, _ONE), (_ROOT, _ONE), (_ONE, _ONE)),
        *((_U, _U), (_U, _Y), (_U, _ONE), (_V, _V), (_V, _Y), (_V, _ONE)),
        *((_DY, _Y), (_DY, _ROOT), (_DY, _ONE)),
        *((_DU, _U), (_DU, _Y), (_DU, _ONE), (_DV, _V), (_DV, _Y), (_DV, _ONE)),
    ]
)
_YY, _YR, _Y1, _R1, _11, _UU, _UY, _U1, _VV, _VY, _V1 = range(11)
_PLANE = nb.types.Array(nb.float32, 2, "C", readonly=True)


def moments(before: Thumbnail, after: Thumbnail) -> tuple[Doubles, Doubles]:
    """Normal matrices and right sides of the change from ``before`` to ``after`` in y, u and v.

    Returns the upper triangles (00, 01, 02, 11, 12, 22) [3, 6, rows, cols] in the bases (y, sqrt(y), 1), (u, y, 1) and
    (v, y, 1), and [3, 3, rows, cols].
    """
    height, width = before.y.shape
    planes = (before.y, before.u, before.v, after.y, after.u, after.v)
    if any(plane.shape != (height, width) for plane in planes) or height % CELL or width % CELL:
        raise ValueError(
            f"thumbnails have sides of multiples of {CELL} and equal shapes, got {[p.shape for p in planes]}"
        )
    sums = np.zeros((len(_PAIRS), height // CELL, width // CELL))
    b, a = ([np.ascontiguousarray(p, dtype=np.float32) for p in (t.y, t.u, t.v)] for t in (before, after))
    _sums(b[0], b[1], b[2], a[0], a[1], a[2], sums)
    matrices = [[_YY, _YR, _Y1, _Y1, _R1, _11], [_UU, _UY, _U1, _YY, _Y1, _11], [_VV, _VY, _V1, _YY, _Y1, _11]]
    return sums[matrices], sums[11:].reshape(3, 3, *sums.shape[1:])


def warm() -> None:
    """Loads the compiled sums, from the compiler the first time on a machine, then from its cache."""
    plane = np.zeros((CELL, CELL), np.float32)
    blank = Thumbnail(plane, plane, plane, "bt709")
    moments(blank, blank)


@compiled(nb.void(_PLANE, _PLANE, _PLANE, _PLANE, _PLANE, _PLANE, nb.float64[:, :, ::1]), fastmath={"contract"})
def _sums(y, u, v, y_after, u_after, v_after, out):  # type: ignore[no-untyped-def]
    pairs, rows, cols = out.shape
    height, width = y.shape
    factors = np.ones((8, width))
    upper, lower = np.zeros((pairs, width)), np.zeros((pairs, width))
    for segment in range(rows + 1):
        first = segment * CELL - CELL // 2
        for i in range(max(first, 0), min(first + CELL, height)):
            for x in range(width):
                luma = np.float64(y[i, x])
                factors[_Y, x] = luma
                factors[_ROOT, x] = np.sqrt(luma)
                factors[_U, x] = u[i, x]
                factors[_V, x] = v[i, x]
                factors[_DY, x] = np.float64(y_after[i, x]) - luma
                factors[_DU, x] = np.float64(u_after[i, x]) - np.float64(u[i, x])
                factors[_DV, x] = np.float64(v_after[i, x]) - np.float64(v[i, x])
            below = (i - first + 0.5) / CELL
            if segment == 0 or segment == rows:
                below = 1.0 if segment == 0 else 0.0
            for k in range(pairs):
                p, q = factors[_PAIRS[k, 0]], factors[_PAIRS[k, 1]]
                above_row, below_row = upper[k], lower[k]
                for x in range(width):
                    product = p[x] * q[x]
                    above_row[x] += (1 - below) * product
                    below_row[x] += below * product
        if segment > 0:
            for k in range(pairs):
                for x in range(width):
                    left = (x + CELL // 2) // CELL - 1
                    right = ((x + CELL // 2) % CELL + 0.5) / CELL
                    out[k, segment - 1, max(left, 0)] += (1 - right) * upper[k, x]
                    out[k, segment - 1, min(left + 1, cols - 1)] += right * upper[k, x]
        upper, lower = lower, upper
        lower[:] = 0
