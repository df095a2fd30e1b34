"""Carries what is known at each node of a grid along with what the picture shows there.

Content that moves takes its curve, and the time that it has been steady, with it. Steps of less than a quarter of a
cell are summed up first: each step resamples between nodes, and many small ones would blur.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stream.vision.carry_kernels import average, average_motion, carry

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


def cell_means(picture: Floats, rows: int, cols: int) -> Floats:
    """Mean of each cell of a picture [h, w]: [rows, cols]. Raises ``ValueError`` where the cells do not divide it."""
    _check(picture, rows, cols)
    means = np.empty((rows, cols), np.float32)
    average(np.ascontiguousarray(picture, np.float32), means)
    return means


def cell_motion(motion: Flow, rows: int, cols: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean motion of each cell in cells, [rows, cols, 2], zero where it is not sure, and where it is, [rows, cols].

    Pixels count by their confidence. Raises ``ValueError`` for a field that the cells do not divide.
    """
    if motion.flow.shape != (*motion.confidence.shape, 2):
        raise ValueError(f"the flow is {motion.flow.shape}, its confidence {motion.confidence.shape}")
    _check(motion.confidence, rows, cols)
    means, sure = np.empty((rows, cols, 2), np.float32), np.empty((rows, cols), np.bool_)
    flow, confidence = (np.ascontiguousarray(field, np.float32) for field in (motion.flow, motion.confidence))
    average_motion(flow, confidence, SURE, means, sure)
    return means, sure


def due(travelled: Floats) -> Floats:
    """The part of the distances ``travelled`` [..., 2], in cells, that is to be carried now: all, or nothing yet."""
    across, down = np.abs(travelled[..., 0]), np.abs(travelled[..., 1])
    far: Floats = np.where((np.maximum(across, down) > _LEAST)[..., None], travelled, np.float32(0))
    return far


def carried(field: Floats, distance: Floats) -> Floats:
    """``field`` [rows, cols, k] read at node + ``distance`` [rows, cols, 2] (dx, dy in cells), bilinear, clamped.

    Every value is a convex combination of four nodes. Raises ``ValueError`` where there is not one distance a node.
    """
    if distance.shape != (*field.shape[:2], 2):
        raise ValueError(f"a field of {field.shape} cannot be carried by distances {distance.shape}")
    found: Floats = np.empty(field.shape, np.float32)
    carry(np.ascontiguousarray(field, np.float32), np.ascontiguousarray(distance, np.float32), found)
    return found


def _check(picture: Floats, rows: int, cols: int) -> None:
    height, width = picture.shape
    if height % rows or width % cols:
        raise ValueError(f"a field of {width}x{height} does not divide into {cols}x{rows} cells")
