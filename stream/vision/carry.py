"""Carries what is known at each node of a grid along with what the picture shows there.

Content that moves takes its curve, and the time that it has been steady, with it. Steps of less than a quarter of a
cell are summed up first: each step resamples between nodes, and many small ones would blur.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SURE = 0.3
"""Mean confidence of a cell below which its motion is not known, and nothing is carried."""
_LEAST = np.float32(0.25)


class Flow(Protocol):
    """What is at x in this frame was at x + ``flow`` [h, w, 2] (dx, dy, in pixels of the field) in the frame before.

    ``confidence`` [h, w] in 0..1.
    """

    @property
    def flow(self) -> Floats: ...

    @property
    def confidence(self) -> Floats: ...


def cell_motion(motion: Flow, rows: int, cols: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean motion of each cell in cells, [rows, cols, 2], zero where it is not sure, and where it is, [rows, cols].

    Pixels count by their confidence. Raises ``ValueError`` for a field that the cells do not divide.
    """
    height, width = motion.confidence.shape
    if height % rows or width % cols:
        raise ValueError(f"a field of {width}x{height} does not divide into {cols}x{rows} cells")
    down, across = height // rows, width // cols
    weights = motion.confidence.reshape(rows, down, cols, across)
    total = weights.sum(axis=(1, 3))
    summed = np.einsum("rdcak,rdca->rck", motion.flow.reshape(rows, down, cols, across, 2), weights)
    sure = total >= SURE * down * across
    mean = summed / np.maximum(total, 1e-6)[..., None] / np.array([across, down], np.float32)
    return np.where(sure[..., None], mean, 0).astype(np.float32), sure


def due(travelled: Floats) -> Floats:
    """The part of the distances ``travelled`` [..., 2], in cells, that is to be carried now: all, or nothing yet."""
    far: Floats = np.where(np.abs(travelled).max(axis=-1, keepdims=True) > _LEAST, travelled, np.float32(0))
    return far


def carried(field: Floats, distance: Floats) -> Floats:
    """``field`` [rows, cols, k] read at node + ``distance`` [rows, cols, 2] (dx, dy in cells), bilinear, clamped.

    Every value is a convex combination of four nodes.
    """
    rows, cols = field.shape[:2]
    down, across = np.indices((rows, cols), dtype=np.float32)
    x = np.clip(across + distance[..., 0], 0, cols - 1)
    y = np.clip(down + distance[..., 1], 0, rows - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, bottom = np.minimum(left + 1, cols - 1), np.minimum(top + 1, rows - 1)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    above = field[top, left] * (1 - fx) + field[top, right] * fx
    below = field[bottom, left] * (1 - fx) + field[bottom, right] * fx
    found: Floats = above * (1 - fy) + below * fy
    return found
