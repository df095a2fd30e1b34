"""The loops of ``carry``, compiled: means over the cells of a grid, and nodes read between nodes."""

from __future__ import annotations

import numba as nb
import numpy as np

from engines.compiled import compiled

_FIELD = nb.types.Array(nb.float32, 3, "C", readonly=True)
_PICTURE = nb.types.Array(nb.float32, 2, "C", readonly=True)
_F = np.float32


@compiled(nb.void(_PICTURE, nb.float32[:, ::1]), fastmath={"contract", "reassoc"})
def average(picture, means):  # type: ignore[no-untyped-def]
    """``means`` [rows, cols] over the equal cells of a ``picture`` [h, w]."""
    rows, cols = means.shape
    down, across = picture.shape[0] // rows, picture.shape[1] // cols
    share, sums = _F(1) / _F(down * across), np.empty(picture.shape[1], np.float32)
    for i in range(rows):
        sums[:] = 0
        for y in range(i * down, (i + 1) * down):
            for x in range(sums.size):
                sums[x] += picture[y, x]
        for j in range(cols):
            total = _F(0)
            for x in range(j * across, (j + 1) * across):
                total += sums[x]
            means[i, j] = total * share


@compiled(
    nb.void(_FIELD, _PICTURE, nb.float32, nb.float32[:, :, ::1], nb.boolean[:, ::1]), fastmath={"contract", "reassoc"}
)
def average_motion(flow, confidence, least, means, sure):  # type: ignore[no-untyped-def]
    """``means`` [rows, cols, 2] in cells of ``flow`` [h, w, 2] in pixels by ``confidence`` [h, w], and where ``sure``.

    Zero where the mean confidence is below ``least``.
    """
    rows, cols = sure.shape
    height, width = confidence.shape
    down, across = height // rows, width // cols
    weights, summed_x, summed_y = np.empty(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(rows):
        # Down whole rows first: the columns are what the compiler makes vectors of.
        weights[:], summed_x[:], summed_y[:] = 0, 0, 0
        for y in range(i * down, (i + 1) * down):
            for x in range(width):
                weight = confidence[y, x]
                weights[x] += weight
                summed_x[x] += weight * flow[y, x, 0]
                summed_y[x] += weight * flow[y, x, 1]
        for j in range(cols):
            total, dx, dy = _F(0), _F(0), _F(0)
            for x in range(j * across, (j + 1) * across):
                total, dx, dy = total + weights[x], dx + summed_x[x], dy + summed_y[x]
            sure[i, j] = total >= least * _F(down * across)
            weight = max(total, _F(1e-6))
            means[i, j, 0] = dx / weight / _F(across) if sure[i, j] else _F(0)
            means[i, j, 1] = dy / weight / _F(down) if sure[i, j] else _F(0)


@nb.njit(error_model="numpy", nogil=True)
def _inside(place, last):  # type: ignore[no-untyped-def]
    """A place within 0..last, whatever it was, so that no read leaves the field."""
    place = place if place > 0 else _F(0)
    return place if place < last else last


@compiled(nb.void(_FIELD, _FIELD, nb.float32[:, :, ::1]), fastmath=False)
def carry(field, distance, out):  # type: ignore[no-untyped-def]
    """``out`` is ``field`` [rows, cols, k] read at node + ``distance`` [rows, cols, 2], bilinear, clamped."""
    rows, cols, count = field.shape
    for i in range(rows):
        for j in range(cols):
            x, y = _inside(_F(j) + distance[i, j, 0], _F(cols - 1)), _inside(_F(i) + distance[i, j, 1], _F(rows - 1))
            left, top = int(x), int(y)
            right, bottom = min(left + 1, cols - 1), min(top + 1, rows - 1)
            fx, fy = x - _F(left), y - _F(top)
            for k in range(count):
                above = field[top, left, k] * (_F(1) - fx) + field[top, right, k] * fx
                below = field[bottom, left, k] * (_F(1) - fx) + field[bottom, right, k] * fx
                out[i, j, k] = above * (_F(1) - fy) + below * fy
