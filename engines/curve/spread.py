"""Node coefficients spread over a small picture, on one thread.

A matrix product would do the same, but NumPy's starts threads for it, and on a machine that decoding and encoding fill
each product then waits for its slowest part: hundreds of milliseconds were seen for a thumbnail.
"""

from __future__ import annotations

from functools import lru_cache

import numba as nb
import numpy as np
from numpy.typing import NDArray

from engines.compiled import compiled
from engines.curve.grid import Floats

_WEIGHTS = nb.types.Array(nb.float32, 1, "C", readonly=True)
_LEFT = nb.types.Array(nb.int64, 1, "C", readonly=True)


def spread(coefficients: Floats, h: int, w: int) -> Floats:
    """Bilinear values [k, h, w] at the pixels of a picture, of nodes [rows, cols, k] at the centres of equal cells."""
    rows, cols, count = coefficients.shape
    out = np.empty((count, h, w), np.float32)
    between = np.empty((cols,), np.float32)
    _spread(np.ascontiguousarray(np.moveaxis(coefficients, 2, 0)), *_places(h, rows), *_places(w, cols), between, out)
    return out


def warm() -> None:
    """Loads the compiled loop, from the compiler the first time on a machine, then from its cache."""
    spread(np.zeros((2, 2, 1), np.float32), 4, 4)


@lru_cache(maxsize=16)
def _places(pixels: int, nodes: int) -> tuple[NDArray[np.int64], Floats]:
    """The node before each pixel, and how far the pixel is from it to the next, 0..1."""
    position = np.clip((np.arange(pixels) + 0.5) / pixels * nodes - 0.5, 0, nodes - 1)
    left = np.minimum(position.astype(np.int64), max(nodes - 2, 0))
    return left, (position - left).astype(np.float32)


@compiled(
    nb.void(
        nb.types.Array(nb.float32, 3, "C", readonly=True),
        *(_LEFT, _WEIGHTS, _LEFT, _WEIGHTS),
        *(nb.float32[::1], nb.float32[:, :, ::1]),
    )
)
def _spread(nodes, above, down, left, across, between, out):  # type: ignore[no-untyped-def]
    rows, cols = nodes.shape[1], nodes.shape[2]
    for k in range(nodes.shape[0]):
        for i in range(out.shape[1]):
            upper, lower = above[i], min(above[i] + 1, rows - 1)
            for c in range(cols):
                between[c] = nodes[k, upper, c] + down[i] * (nodes[k, lower, c] - nodes[k, upper, c])
            for j in range(out.shape[2]):
                first = between[left[j]]
                out[k, i, j] = first + across[j] * (between[min(left[j] + 1, cols - 1)] - first)
