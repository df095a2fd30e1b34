"""NIQE, how far a picture's statistics are from those of pristine photographs; lower is better, no reference needed.

Mittal, Soundararajan, Bovik, "Making a Completely Blind Image Quality Analyzer", IEEE SPL 2013. Numbers depend on the
code, so this is one frozen variant: the procedure of the authors' release with the authors' pristine parameters
(``niqe_pristine.txt``), on BT.601 luma that is not rounded, while their ``rgb2gray`` rounds it to 8 bits. MATLAB's
built-in ``niqe`` has other parameters and gives other numbers. Compare published tables within about 0.3.

Compared on 60 photographs with basicsr 1.4.2 (NumPy 2.4.6, SciPy 1.17.1) on the same luma: median difference 0.0005
on well-exposed ones and 0.009 on dark ones, largest 0.06 and 0.15. All of it is single precision in its halving, and
rounding noise on flat areas that it counts as texture; with both taken out, the largest difference is 8e-13.
"""

from __future__ import annotations

from functools import cache
from math import gamma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.metrics.halve import halve

BLOCK = 96
_PRISTINE = Path(__file__).with_name("niqe_pristine.txt")
_SMALLEST_SHAPE = 0.2
_NOTHING = 1e-9
"""Below this a normalised pixel is 0: on flat areas it would be rounding noise, whose sign the fit would believe."""
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
Numbers = NDArray[np.float64]


def niqe(picture: NDArray[np.uint8]) -> float:
    """NIQE of an 8-bit RGB picture [h, w, 3]; what is left of whole blocks of 96 at the right and bottom is not seen.

    NaN where fewer than two blocks have any texture (a black picture, say). Below 192 pixels on a side there are too
    few blocks for a steady figure. Raises ``ValueError`` for a picture without a whole block.
    """
    rows, cols = (size // BLOCK * BLOCK for size in picture.shape[:2])
    if not rows or not cols:
        raise ValueError(f"NIQE needs {BLOCK}x{BLOCK} pixels, the picture has {picture.shape[1]}x{picture.shape[0]}")
    found = features(picture[:rows, :cols].astype(np.float64) @ (0.299, 0.587, 0.114))
    complete = found[~np.isnan(found).any(1)]
    if len(complete) < 2:
        return float("nan")
    mean, covariance = pristine()
    apart = mean - np.nanmean(found, 0)
    pooled = np.linalg.pinv((covariance + np.cov(complete.T)) / 2)
    return float(np.sqrt(apart @ pooled @ apart))


@cache
def pristine() -> tuple[Numbers, Numbers]:
    """Mean [36] and covariance [36, 36] of the features of pristine photographs."""
    table = np.loadtxt(_PRISTINE)
    return table[0], table[1:]


def features(luma: Numbers) -> Numbers:
    """[blocks, 36] of luma [h, w] in 0..255, h and w multiples of 96: 18 numbers at full size, 18 at half."""
    fine = _of_blocks(normalised(luma), BLOCK)
    return np.concatenate((fine, _of_blocks(normalised(halve(luma)), BLOCK // 2)), 1)


def normalised(luma: Numbers) -> Numbers:
    """Each pixel less its local mean, over its local deviation plus 1; Gaussian 7x7 of sigma 7/6, borders repeated."""
    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    line /= line.sum()

    def local(plane: Numbers) -> Numbers:
        for axis in (0, 1):
            padded = np.pad(plane, [(3, 3) if at == axis else (0, 0) for at in (0, 1)], mode="edge")
            plane = np.asarray(
                sum(weight * np.take(padded, range(k, k + plane.shape[axis]), axis) for k, weight in enumerate(line))
            )
        return plane

    mean = local(luma)
    deviation = np.sqrt(np.abs(local(luma * luma) - mean * mean))
    found = (luma - mean) / (deviation + 1)
    return np.where(np.abs(found) < _NOTHING, 0.0, found)


def _of_blocks(field: Numbers, size: int) -> Numbers:
    rows, cols = field.shape
    return np.array(
        [
            _of_block(field[top : top + size, left : left + size])
            for top in range(0, rows, size)
            for left in range(0, cols, size)
        ]
    )


def _of_block(block: Numbers) -> list[float]:
    shape, left, right = fit_aggd(block)
    found = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        shape, left, right = fit_aggd(block * np.roll(block, shift, (0, 1)))
        found += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
    return found


@cache
def _shapes() -> tuple[Numbers, Numbers]:
    """Shapes 0.2, 0.201, ..., 10 and what the ratio of moments is for each."""
    shapes = np.arange(200, 10_001) / 1000
    return shapes, np.array([gamma(2 / a) ** 2 / (gamma(1 / a) * gamma(3 / a)) for a in shapes])


def fit_aggd(samples: Numbers) -> tuple[float, float, float]:
    """Shape, left and right scale of the asymmetric generalised Gaussian that has the moments of ``samples``.

    A side of zero without samples has scale NaN, and the shape is then the first of the grid, as in the release.
    """
    flat = samples.ravel()
    left, right = (_root_mean_square(flat[side]) for side in (flat < 0, flat > 0))
    if np.isnan(left + right):
        scale = _scale(_SMALLEST_SHAPE)
        return _SMALLEST_SHAPE, left * scale, right * scale
    ratio, skew = np.mean(np.abs(flat)) ** 2 / np.mean(flat**2), left / right
    wanted = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios = _shapes()
    shape = float(shapes[np.argmin((ratios - wanted) ** 2)])
    return shape, left * _scale(shape), right * _scale(shape)


def _root_mean_square(samples: Numbers) -> float:
    return float(np.sqrt(np.mean(samples**2))) if samples.size else float("nan")


def _scale(shape: float) -> float:
    return float(np.sqrt(gamma(1 / shape) / gamma(3 / shape)))
