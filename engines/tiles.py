"""Cuts a length into overlapping tiles and says how much each counts where they overlap.

In an overlap, the quarters next to the tiles' edges count nothing, because a network sees its border there and not the
picture; in the half between them one tile hands over to the next along a smooth ramp. So a network whose output
depends on pixels at most a quarter of an overlap away gives the very picture that it gives as a whole.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import Floats

OVERLAP = 32
"""Pixels that neighbours share, at least; less where tiles are so small that it would be more than half."""
_LATTICE = 8
"""Sizes and starts are multiples of this, which the strides of most networks divide."""


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """Tiles along one axis: where they start, their common size, and how much each of their pixels counts."""

    starts: tuple[int, ...]
    size: int
    """The last tile may reach beyond the picture: pad it then."""
    weights: tuple[Floats, ...]
    """One array [size] a tile; the weights of all tiles at a pixel of the picture sum to 1."""


@lru_cache(maxsize=32)
def cut(length: int, most: int = 0, multiple: int = 1, exact: int | None = None) -> Axis:
    """Tiles of at most ``most`` pixels (0 = one tile), of a size that is a multiple of ``multiple``, or ``exact``.

    As few as possible and of equal size, so that little is computed twice; they spread evenly over ``length``. All
    start at multiples of 8, or of ``multiple``, so that strided networks see the same lattice in each; but the last one
    ends where ``length`` does, or at the next multiple.
    """
    end = math.ceil(length / multiple) * multiple
    step = math.lcm(multiple, _LATTICE)
    if exact is not None:
        size = exact
    elif most == 0 or length <= most:
        size = end
    else:
        size = max(step, most // step * step)
    if size >= length:
        return Axis((0,), size, _weights((0,), size))
    shared = min(OVERLAP + step, size // 2)
    count = math.ceil((end - shared) / (size - shared))
    if exact is None:
        size = min(size, math.ceil((end + (count - 1) * shared) / count / step) * step)
    lattice = step if 2 * step <= shared else 1
    starts = *(i * (end - size) // (count - 1) // lattice * lattice for i in range(count - 1)), end - size
    return Axis(starts, size, _weights(starts, size))


def _weights(starts: tuple[int, ...], size: int) -> tuple[Floats, ...]:
    raw = np.ones((len(starts), size))
    for i in range(1, len(starts)):
        rise = _rise(starts[i - 1] + size - starts[i])
        raw[i, : len(rise)] *= rise
        raw[i - 1, size - len(rise) :] *= 1 - rise
    total = np.zeros(starts[-1] + size)
    for start, weights in zip(starts, raw, strict=True):
        total[start : start + size] += weights
    shares = [
        (weights / total[start : start + size]).astype(np.float32) for start, weights in zip(starts, raw, strict=True)
    ]
    return tuple(shares)


def _rise(overlap: int) -> NDArray[np.float64]:
    """From 0 to 1 over an overlap, constant in its outer quarters, smooth (3t^2 - 2t^3) between them."""
    margin = overlap // 4
    t = np.clip((np.arange(overlap) - margin + 0.5) / (overlap - 2 * margin), 0, 1)
    smooth: NDArray[np.float64] = t * t * (3 - 2 * t)
    return smooth
