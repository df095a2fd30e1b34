"""A number burned into a picture, and read back at the far end: which frame is this, and how long was it on its way?

A band at the lower edge holds 32 columns of two cells, one bright and one dark; which of them is above is one bit. Only
the two cells of a column are compared, so any change of brightness that keeps their order keeps the number: encoders,
noise, and the enhancement itself. 24 bits are the number, 8 a checksum.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.planes import Bytes

LARGEST = (1 << 24) - 1
SMALLEST_WIDTH, SMALLEST_HEIGHT = 256, 128
DARK, BRIGHT = 24, 104
"""Luma of the cells: far enough apart to survive coarse quantisation, not so bright that the band outshines a night."""
_COLUMNS = 32
_POLYNOMIAL = 0x07
_FEWEST_LEVELS = 6.0
"""Between the cells of a column; below that it is no cell of ours, or nothing is left of it."""
_SMALLEST_SHARE = 0.2
"""Of the usual difference of all columns, that each has to show."""


def cell_height(height: int) -> int:
    """Rows of one cell in a picture of that height; the band is twice as high."""
    return max(8, height // 30 // 2 * 2)


def draw(luma: Bytes, number: int) -> None:
    """Write ``number`` (0 to ``LARGEST``, larger ones wrap around) into the lower edge of a luma plane.

    Raises ValueError for planes below ``SMALLEST_WIDTH`` x ``SMALLEST_HEIGHT``.
    """
    height, width = luma.shape
    if width < SMALLEST_WIDTH or height < SMALLEST_HEIGHT:
        raise ValueError(f"{width}x{height} is too small for a frame code")
    rows = cell_height(height)
    bits = _bits(number & LARGEST)
    edges = _edges(width)
    above = np.repeat(np.where(bits, BRIGHT, DARK).astype(np.uint8), np.diff(edges))
    luma[height - 2 * rows : height - rows] = above
    luma[height - rows :] = (DARK + BRIGHT) - above


def read(luma: Bytes) -> int | None:
    """The number in a luma plane; None where none can be read with certainty."""
    height, width = luma.shape
    if width < SMALLEST_WIDTH or height < SMALLEST_HEIGHT:
        return None
    rows = cell_height(height)
    difference = _means(luma, height - 2 * rows, rows) - _means(luma, height - rows, rows)
    contrast = np.abs(difference)
    if contrast.min() < max(_FEWEST_LEVELS, _SMALLEST_SHARE * float(np.median(contrast))):
        return None
    word = int("".join("1" if one else "0" for one in difference > 0), 2)
    number, check = word >> 8, word & 0xFF
    return number if check == _checksum(number) else None


def _edges(width: int) -> NDArray[np.intp]:
    """Where the columns begin, and the end of the last."""
    return (np.arange(_COLUMNS + 1) * width) // _COLUMNS


def _means(luma: Bytes, top: int, rows: int) -> NDArray[np.float64]:
    """Mean luma in the middle of the cells of one row, away from edges that a codec smears."""
    strip = luma[top + rows // 4 : top + rows - rows // 4]
    columns = strip.mean(axis=0, dtype=np.float64)
    edges = _edges(luma.shape[1])
    inset = (luma.shape[1] // _COLUMNS) // 4
    return np.array([columns[a + inset : b - inset].mean() for a, b in pairwise(edges)])


def _bits(number: int) -> NDArray[np.bool_]:
    word = number << 8 | _checksum(number)
    return np.array([word >> shift & 1 for shift in range(_COLUMNS - 1, -1, -1)], bool)


def _checksum(number: int) -> int:
    """CRC-8 over three bytes, begun with all ones, so that zero has no empty checksum."""
    remainder = 0xFF
    for byte in number.to_bytes(3, "big"):
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1 ^ _POLYNOMIAL) & 0xFF if remainder & 0x80 else remainder << 1
    return remainder
