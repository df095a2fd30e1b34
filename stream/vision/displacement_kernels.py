"""The loops of ``displacement``, compiled: one motion more on the way, and what a map says at its end."""

from __future__ import annotations

import numba as nb
import numpy as np

from engines.compiled import compiled

_FIELD = nb.float32[:, :, ::1]
_MAP = nb.uint8[:, ::1]


@compiled(nb.float32(nb.float32, nb.float32), fastmath={"contract"})
def _within(place, last):  # type: ignore[no-untyped-def]
    """A place within 0..last, whatever it was, so that no read leaves the map."""
    place = place if place > 0 else np.float32(0)
    return place if place < last else last


@compiled(
    nb.void(
        *(_FIELD, nb.types.Array(nb.float32, 3, "C", readonly=True)),
        *(nb.types.Array(nb.float32, 2, "C", readonly=True), nb.float32, _FIELD),
    ),
    fastmath={"contract"},
)
def compose(way, flow, confidence, hidden, out):  # type: ignore[no-untyped-def]
    """``out`` [ceil(h / 2), ceil(w / 2), 4] is ``way``, looked up where ``flow`` [h, w, 2] leads, and that step.

    Bilinear, edges repeated. A step costs -log(confidence); a block with a pixel of less than ``hidden`` is lost.
    """
    rows, columns = out.shape[:2]
    h, w = confidence.shape
    half = np.float32(0.5)
    right, bottom = np.float32(columns - 1), np.float32(rows - 1)
    for i in range(rows):
        below = min(2 * i + 1, h - 1)
        for j in range(columns):
            beside = min(2 * j + 1, w - 1)
            dx, dy = flow[2 * i, 2 * j, 0], flow[2 * i, 2 * j, 1]
            x, y = _within(np.float32(j) + half * dx, right), _within(np.float32(i) + half * dy, bottom)
            left, top = np.int32(x), np.int32(y)
            next_x, next_y = min(left + 1, columns - 1), min(top + 1, rows - 1)
            p, q = x - np.float32(left), y - np.float32(top)
            for c in range(4):
                upper = way[top, left, c] + p * (way[top, next_x, c] - way[top, left, c])
                lower = way[next_y, left, c] + p * (way[next_y, next_x, c] - way[next_y, left, c])
                out[i, j, c] = upper + q * (lower - upper)
            out[i, j, 0] += dx
            out[i, j, 1] += dy
            trust = min(confidence[2 * i, 2 * j], confidence[2 * i, beside])
            trust = min(trust, min(confidence[below, 2 * j], confidence[below, beside]))
            if trust < 1:
                out[i, j, 2] -= np.log(max(trust, np.float32(0.01)))
            if trust < hidden:
                out[i, j, 3] = 1


@compiled(nb.void(nb.types.Array(nb.uint8, 2, "C", readonly=True), _FIELD, _MAP), fastmath={"contract"})
def look_up(ids, way, out):  # type: ignore[no-untyped-def]
    """``out`` [h, w] is the map ``ids`` of any size where ``way`` leads, the nearest, edges repeated; 0 where lost."""
    h, w = out.shape
    rows, columns = ids.shape
    scale_x, scale_y = np.float32(columns / w), np.float32(rows / h)
    half, right, bottom = np.float32(0.5), np.float32(columns - 1), np.float32(rows - 1)
    for top in range(0, h, 2):
        for left in range(0, w, 2):
            dx, dy = way[top >> 1, left >> 1, 0], way[top >> 1, left >> 1, 1]
            lost = not way[top >> 1, left >> 1, 3] <= half
            x0 = np.uint32(_within((np.float32(left) + half + dx) * scale_x, right))
            x1 = np.uint32(_within((np.float32(left + 1) + half + dx) * scale_x, right))
            for i in range(top, min(top + 2, h)):
                y = np.uint32(_within((np.float32(i) + half + dy) * scale_y, bottom))
                out[i, left] = np.uint8(0) if lost else ids[y, x0]
                if left + 1 < w:
                    out[i, left + 1] = np.uint8(0) if lost else ids[y, x1]


@compiled(nb.void(nb.types.Array(nb.uint8, 2, "C", readonly=True), _FIELD, nb.float64[:, ::1]))
def tally(ids, way, sums):  # type: ignore[no-untyped-def]
    """``sums`` [256, 2] gets, for each id, the number of its pixels and the sum of the errors of their ways."""
    sums[:] = 0
    for i in range(ids.shape[0]):
        # Neighbours mostly have the same id: what they add up to is stored where that ends.
        last, pixels, error = ids[i, 0], 0.0, 0.0
        for j in range(ids.shape[1]):
            if ids[i, j] != last:
                sums[last, 0] += pixels
                sums[last, 1] += error
                last, pixels, error = ids[i, j], 0.0, 0.0
            pixels += 1
            error += way[i >> 1, j >> 1, 2]
        sums[last, 0] += pixels
        sums[last, 1] += error
