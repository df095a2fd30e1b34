"""Halves a picture the way NIQE's authors do: MATLAB's ``imresize(picture, 0.5)``, bicubic and antialiased.

Keys' cubic (1981, a = -1/2) stretched to twice its width, so eight samples around each new pixel's centre, which lies
between two old ones; weights sum to 1, and beyond the border the picture is mirrored with its edge repeated.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.abs(x)
    inner = 1.5 * x**3 - 2.5 * x**2 + 1
    outer = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, inner, np.where(x <= 2, outer, 0.0))


_OFFSETS = np.arange(-3, 5)
"""Old pixels that new pixel 0 is made of; its centre is at 0.5 in old coordinates."""
_WEIGHTS = _cubic((_OFFSETS - 0.5) / 2)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def halve(plane: Plane) -> Plane:
    """[h, w] with even h and w -> [h/2, w/2]. Raises ``ValueError`` for odd ones."""
    if plane.shape[0] % 2 or plane.shape[1] % 2:
        raise ValueError(f"a plane of {plane.shape[1]}x{plane.shape[0]} cannot be halved")
    return _halve_rows(_halve_rows(plane).T).T


def _halve_rows(plane: Plane) -> Plane:
    padded = np.pad(plane, ((3, 4), (0, 0)), mode="symmetric")
    size = plane.shape[0]
    found: Plane = sum(
        weight * padded[3 + offset : 3 + offset + size : 2] for offset, weight in zip(_OFFSETS, _WEIGHTS, strict=True)
    )
    return found
