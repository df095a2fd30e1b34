"""The tone operator that a method used in a frame, as a function that can be applied to any other frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.temporal.frames import Floats, luma_codes
from engines.curve.fit import fit
from engines.curve.grid import CurveGrid
from engines.planes import Planes
from engines.thumbnail import sample
from stream.vision.scene import preview

Operator = Callable[[Planes], Floats]
"""Luma that a frame would get, 0..255 unrounded, [H, W]."""


def grid_operator(grid: CurveGrid) -> Operator:
    """The luma curves of a grid."""

    def applied(planes: Planes) -> Floats:
        luma: Floats = np.clip(preview(luma_codes(planes) / np.float32(255), grid) * np.float32(255), 0, 255)
        return luma

    return applied


def table_operator(table: Floats) -> Operator:
    """The same curve everywhere: ``table`` [256] gives luma 0..255 for every code of the luma plane."""

    def applied(planes: Planes) -> Floats:
        return table[planes.y]

    return applied


def fitted_operator(before: Planes, after: Planes) -> Operator:
    """For methods that do not say what they do: the grid that best maps the one thumbnail to the other."""
    return grid_operator(fit(sample(before), sample(after)))
