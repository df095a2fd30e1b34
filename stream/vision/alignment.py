"""Whether two small pictures show the same place, when one of them is laid over the other where it fits best.

What is compared is the detail of the rank pictures (the order of brightness, less its mean around each pixel), by its
correlation over the part that both show, for every shift up to 30 % of either side, all at once by Fourier transform.
Detail that is the same however light falls, found again wherever a pan has put it, tells a change of light and a fast
motion of the camera from another scene. Normalised correlation with masks is Padfield's (2012, "Masked object
registration in the Fourier domain").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_REACH = 0.3
_SURROUNDING = 0.2
"""Radius of the mean that is taken off, as a share of the shorter side."""
_FLAT = 1e-6
"""Variance below which a part shows nothing that could be found again."""


def best_match(first: Floats, second: Floats) -> float:
    """Correlation of the detail of two pictures [h, w] in 0..1 at the best shift, -1..1; 0 where one has no detail."""
    one, other = _detail(first), _detail(second)
    size = (2 * one.shape[0], 2 * one.shape[1])

    def spectrum(picture: Doubles) -> NDArray[np.complex128]:
        return np.fft.rfft2(picture, size)

    def over_shifts(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> Doubles:
        return np.fft.irfft2(a * b.conj(), size)

    everywhere = spectrum(np.ones_like(one))
    f, g = spectrum(one), spectrum(other)
    ff, gg = spectrum(one * one), spectrum(other * other)
    shared = np.maximum(over_shifts(everywhere, everywhere), 1)
    means = over_shifts(f, everywhere) / shared, over_shifts(everywhere, g) / shared
    squares = over_shifts(ff, everywhere) / shared, over_shifts(everywhere, gg) / shared
    spreads = [square - mean * mean for square, mean in zip(squares, means, strict=True)]
    common = over_shifts(f, g) / shared - means[0] * means[1]
    match = np.where(np.minimum(*spreads) > _FLAT, common, 0) / np.sqrt(np.maximum(spreads[0] * spreads[1], _FLAT**2))
    down, across = (round(_REACH * side) for side in one.shape)
    rows, columns = np.r_[: down + 1, -down:0], np.r_[: across + 1, -across:0]
    return float(match[np.ix_(rows, columns)].max())


def own_detail(picture: Floats) -> float:
    """How much of the detail of a picture [h, w], even sides, is its own and not noise: about 1 down to 0.

    It is the correlation of its even rows with its odd ones, which noise has none of.
    """
    rows = (picture[:, 0::2] + picture[:, 1::2]) * np.float32(0.5)
    even, odd = _detail(rows[0::2]), _detail(rows[1::2])
    spread = float(np.sqrt((even * even).mean() * (odd * odd).mean()))
    return float((even * odd).mean()) / spread if spread > _FLAT else 0.0


def _detail(picture: Floats) -> Doubles:
    """The picture less the mean of the square around each pixel."""
    radius = max(1, round(_SURROUNDING * min(picture.shape)))
    means = picture.astype(np.float64)
    for axis in (0, 1):
        padding = [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)]
        sums = np.cumsum(np.pad(means, padding, mode="symmetric"), axis=axis)
        count = picture.shape[axis]
        ends = np.take(sums, np.arange(count) + 2 * radius + 1, axis), np.take(sums, np.arange(count), axis)
        means = (ends[0] - ends[1]) / (2 * radius + 1)
    detail: Doubles = picture - means
    return detail
