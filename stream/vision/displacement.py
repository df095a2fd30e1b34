"""How far everything has moved since an earlier picture, composed of the motions in between.

Remapping a map of ids frame by frame rounds its edges to whole pixels every time, and slow motion never moves them at
all. So the way back to the key frame is kept as a float field, d_t(x) = f_t(x) + d_(t-1)(x + f_t(x)), and whatever is
known of the key frame is looked up once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.vision.opencv import looked_up, opencv, places

Floats = NDArray[np.float32]

_HIDDEN = np.float32(0.15)
"""Confidence below which a pixel was not there in the picture before: a way there and back that is 1.9 pixels off, or
0.7 where the brightness differs. On moving discs 0.3 cost 0.12 of the overlap with the truth after 15 frames."""
_WORST = np.float32(0.01)


class Displacement:
    """The way from a picture back to an earlier one of the same size. Begins as none at all."""

    def __init__(self, h: int, w: int) -> None:
        # dx, dy, the sum of errors in pixels on the way, and 1 where the way is lost: one remap moves all four.
        self._way = np.zeros((h, w, 4), np.float32)
        self.steps = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self._way.shape[0], self._way.shape[1]

    @property
    def lost(self) -> NDArray[np.bool_]:
        """[h, w]: True where what is seen now was hidden or outside at some time since."""
        lost: NDArray[np.bool_] = self._way[..., 3] > 0.5
        return lost

    @property
    def error(self) -> Floats:
        """[h, w]: the mean disagreement of the motions there and back per step, in pixels."""
        error: Floats = self._way[..., 2] / np.float32(max(self.steps, 1))
        return error

    def add(self, flow: Floats, confidence: Floats) -> None:
        """One picture on: the motion [h, w, 2] from the new picture to the last, and its confidence [h, w]."""
        before = looked_up(self._way, places(self.shape) + flow)
        before[..., :2] += flow
        before[..., 2] -= np.log(np.maximum(confidence, _WORST))
        before[..., 3][confidence < _HIDDEN] = 1
        self._way = before
        self.steps += 1

    def carried(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A map [sh, sw] of the earlier picture, any size, as it looks now: [h, w], 0 where the way is lost."""
        (h, w), (sh, sw) = self.shape, ids.shape
        where = places((h, w)) + self._way[..., :2]
        if (sh, sw) != (h, w):
            where = (where + np.float32(0.5)) * np.array([sw / w, sh / h], np.float32) - np.float32(0.5)
        cv2 = opencv()
        now = cv2.remap(ids, where, None, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        now[self.lost] = 0
        return np.asarray(now, np.uint8)

    def coarse(self, rows: int, columns: int) -> NDArray[np.intp]:
        """For each cell of a coarse grid over the picture the cell, as a flat index [rows, columns], that it came from.

        Where the way is lost, or leads outside, it is the nearest guess.
        """
        h, w = self.shape
        cv2 = opencv()
        way = cv2.resize(self._way, (columns, rows), interpolation=cv2.INTER_AREA)
        x = np.rint(np.arange(columns) + way[..., 0] * (columns / w)).astype(np.intp)
        y = np.rint(np.arange(rows)[:, None] + way[..., 1] * (rows / h)).astype(np.intp)
        return np.asarray(np.clip(y, 0, rows - 1) * columns + np.clip(x, 0, columns - 1))
