"""Motion as the temporal denoiser takes it: one displacement a block of 16x16 luma pixels, and how far to trust it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import Floats

Shorts = NDArray[np.int16]

BLOCK = 16
_QUARTERS = 4
_FARTHEST = 8000


@dataclass(frozen=True, slots=True, eq=False)
class BlockMotion:
    """``dx``, ``dy`` int16 [bh, bw] in quarter luma pixels: what is at x now was at x + d in the picture before.

    ``confidence`` uint8 [bh, bw]: from 128 on the displacement is trusted, below the new picture weighs more, and 0
    says that there is no history. Block (i, j) covers rows 16i.. and columns 16j.. of the full picture.
    """

    dx: Shorts
    dy: Shorts
    confidence: NDArray[np.uint8]

    def __post_init__(self) -> None:
        if not self.dx.shape == self.dy.shape == self.confidence.shape or self.dx.ndim != 2:
            raise ValueError(
                f"block motion needs three equal shapes, got {self.dx.shape}, {self.dy.shape}, {self.confidence.shape}"
            )

    @staticmethod
    def still(width: int, height: int) -> BlockMotion:
        """Nothing moves, and that is certain."""
        shape = blocks(width, height)
        return BlockMotion(np.zeros(shape, np.int16), np.zeros(shape, np.int16), np.full(shape, 255, np.uint8))

    @staticmethod
    def from_flow(flow: Floats, confidence: Floats, width: int, height: int) -> BlockMotion:
        """From the flow of a small picture, float32 [h, w, 2] in its own pixels, and ``confidence`` [h, w] 0..1.

        Takes the flow at the centre of every block; what is not finite has no history.
        """
        h, w = confidence.shape
        if flow.shape != (h, w, 2):
            raise ValueError(f"the flow is {flow.shape}, its confidence {confidence.shape}")
        down, across = _centres(height, h), _centres(width, w)
        picked, trust = flow[down[:, None], across], confidence[down[:, None], across]
        known = np.isfinite(picked).all(axis=-1) & np.isfinite(trust)
        scale = np.array([width / w, height / h], np.float32) * np.float32(_QUARTERS)
        quarters = np.clip(np.rint(np.where(known[..., None], picked, 0) * scale), -_FARTHEST, _FARTHEST)
        codes = np.rint(np.clip(np.where(known, trust, 0), 0, 1) * 255)
        return BlockMotion(
            np.ascontiguousarray(quarters[..., 0], np.int16),
            np.ascontiguousarray(quarters[..., 1], np.int16),
            codes.astype(np.uint8),
        )


def blocks(width: int, height: int) -> tuple[int, int]:
    """(bh, bw): blocks of a picture; those at the right and the bottom may be smaller."""
    return -(-height // BLOCK), -(-width // BLOCK)


@lru_cache(maxsize=32)
def _centres(pixels: int, small: int) -> NDArray[np.intp]:
    """The pixel of the small picture under the centre of every block along one axis."""
    count = -(-pixels // BLOCK)
    starts = np.arange(count) * BLOCK
    centres = (starts + np.minimum(starts + BLOCK, pixels)) / 2
    return np.minimum((centres * small / pixels).astype(np.intp), small - 1)
