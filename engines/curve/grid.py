"""The tone-curve grid: what an enhancement is, apart from any network and any resolution.

Each node holds one tone curve and two chroma maps. With luma ``y`` in 0..1 and chroma ``u``, ``v`` in about -0.5..0.5:

    y' = a*y + s*sqrt(y) + b        u' = c_u*u + d_u*y + e_u        v' = c_v*v + d_v*y + e_v

sqrt(y) is the variance-stabilising coordinate of shot noise. Nodes sit at cell centres; between them the coefficients
are interpolated bilinearly, beyond the outermost ones they stay constant, so the weights of every pixel sum to 1.
This is bilateral guided upsampling (Chen, Adams, Wadhwa, Hasinoff 2016) with a curve in the place of the range axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from engines.errors import NotFiniteError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

COEFFICIENTS = 9
"""Per node, in the order a, s, b, c_u, d_u, e_u, c_v, d_v, e_v."""

CELL = 8
"""Thumbnail pixels per cell along each axis; finer thumbnails do not improve the fit."""

NODES = 576
"""Nodes of a grid, about: 18 x 32 at 16:9."""

SLOPE_AT_WHITE = 0.5
SLOPE_AT_BLACK = math.sqrt(255.0)
"""A curve steps by ``a + s*z`` from one 8-bit code to the next, in units of the step of y, and z falls from
sqrt(codes) at black to 1/2 at white. It is linear in z, so a curve that rises at both ends rises at every code. The
full range has the larger z at black, so its condition covers the limited range too."""

_MOST_ELONGATED = 8.0
_IDENTITY = np.array([1, 0, 0] * 3, dtype=np.float32)


def grid_shape(width: int, height: int) -> tuple[int, int]:
    """(rows, cols) of the grid for a picture: near-square cells, about ``NODES`` of them; 8:1 bounds the elongation."""
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width}x{height} has no grid")
    aspect = min(max(width / height, 1 / _MOST_ELONGATED), _MOST_ELONGATED)
    return round(math.sqrt(NODES / aspect)), round(math.sqrt(NODES * aspect))


def thumbnail_shape(width: int, height: int) -> tuple[int, int]:
    """(h, w) of the thumbnail for a picture: ``CELL`` pixels a cell, 144 x 256 at 16:9."""
    rows, cols = grid_shape(width, height)
    return rows * CELL, cols * CELL


def tents_at(centres: Doubles, nodes: int) -> Doubles:
    """Weights [nodes, n] of every node at ``centres`` (0..1 across the picture); each column sums to 1."""
    position = np.clip(centres * nodes - 0.5, 0, nodes - 1)
    left = np.minimum(position.astype(np.intp), max(nodes - 2, 0))
    right = np.minimum(left + 1, nodes - 1)
    fraction = position - left
    weights = np.zeros((nodes, len(centres)))
    pixels = np.arange(len(centres))
    weights[left, pixels] = 1 - fraction
    weights[right, pixels] += fraction
    return weights


@lru_cache(maxsize=16)
def tents(pixels: int, nodes: int) -> Doubles:
    """Weights [nodes, pixels] of every node at the pixel centres, read-only."""
    weights = tents_at((np.arange(pixels) + 0.5) / pixels, nodes)
    weights.setflags(write=False)
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class CurveGrid:
    """Immutable grid of curves; ``coefficients`` is float32 [rows, cols, 9], finite, read-only.

    Raises ``ValueError`` for another shape and ``NotFiniteError`` for NaN or infinity.
    """

    coefficients: Floats

    def __post_init__(self) -> None:
        values = np.array(self.coefficients, dtype=np.float32, order="C")
        if values.ndim != 3 or values.shape[2] != COEFFICIENTS or 0 in values.shape:
            raise ValueError(f"a grid is [rows, cols, {COEFFICIENTS}], got {list(values.shape)}")
        if not np.isfinite(values).all():
            raise NotFiniteError("the tone-curve grid holds NaN or infinity; keep the previous grid")
        values.setflags(write=False)
        object.__setattr__(self, "coefficients", values)

    @classmethod
    def identity(cls, rows: int, cols: int) -> CurveGrid:
        """The grid that changes nothing."""
        return cls(np.broadcast_to(_IDENTITY, (rows, cols, COEFFICIENTS)))

    @property
    def rows(self) -> int:
        return int(self.coefficients.shape[0])

    @property
    def cols(self) -> int:
        return int(self.coefficients.shape[1])

    @property
    def is_identity(self) -> bool:
        """True for the exact identity only: then every byte stays as it is."""
        return bool((self.coefficients == _IDENTITY).all())

    def blend(self, strength: float) -> CurveGrid:
        """From the identity (0, exactly) to this grid (1, exactly), linear in the coefficients."""
        if not 0 <= strength <= 1:
            raise ValueError(f"strength is 0..1, got {strength}")
        return self if strength == 1 else CurveGrid(_IDENTITY + np.float32(strength) * (self.coefficients - _IDENTITY))

    @property
    def slopes(self) -> tuple[Floats, Floats]:
        """Slope of every luma curve at white and at black, both [rows, cols]; negative where the curve falls."""
        a, s = self.coefficients[..., 0], self.coefficients[..., 1]
        return a + np.float32(SLOPE_AT_WHITE) * s, a + np.float32(SLOPE_AT_BLACK) * s

    def is_monotone(self, tolerance: float = 1e-4) -> bool:
        """True if no luma curve falls anywhere: blends of monotone nodes are monotone, so the nodes decide."""
        return all(bool((slope >= -tolerance).all()) for slope in self.slopes)

    def made_monotone(self, luma: Floats) -> CurveGrid:
        """This grid with every falling luma curve replaced by a near one that rises.

        (a, s) is projected onto the two conditions in turn, and b moved so that the mean brightness of the node's own
        cell stays; ``luma`` is the thumbnail's y [rows*8, cols*8]. For grids that a network predicts: the fit repairs
        with more.
        """
        if self.is_monotone():
            return self
        blocks = luma.reshape(self.rows, CELL, self.cols, CELL)
        values = self.coefficients.astype(np.float64)
        a, s = values[..., 0].copy(), values[..., 1].copy()
        for z in (SLOPE_AT_WHITE, SLOPE_AT_BLACK):
            lack = np.minimum(a + z * s, 0) / (1 + z * z)
            a, s = a - lack, s - z * lack
        change = (values[..., 0] - a) * blocks.mean(axis=(1, 3)) + (values[..., 1] - s) * np.sqrt(blocks).mean(
            axis=(1, 3)
        )
        values[..., 0], values[..., 1] = a, s
        values[..., 2] += change
        return CurveGrid(values.astype(np.float32))
