"""OpenCV, loaded when it is first needed: that takes longer than starting the program to show its help."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_THREADS = 1
"""On pictures as small as thumbnails two threads were no faster than one, and decoder and encoder need the others."""


@lru_cache(maxsize=1)
def opencv() -> Any:
    """The module ``cv2``, for all of the process on one thread."""
    import cv2

    cv2.setNumThreads(_THREADS)
    return cv2


@lru_cache(maxsize=8)
def places(shape: tuple[int, int]) -> Floats:
    """Every pixel's own place (x, y): [h, w, 2], shared and read-only."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    own = np.dstack([x, y])
    own.setflags(write=False)
    return own


def looked_up(picture: Floats, where: Floats) -> Floats:
    """``picture`` [h, w] or [h, w, c] at the places ``where`` [h', w', 2], bilinear, its edges repeated."""
    cv2 = opencv()
    found: Floats = cv2.remap(picture, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found
