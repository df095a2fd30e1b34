"""Enhances one RGB picture held in a NumPy array, with the thumbnail, model and grid that video uses.

A still picture has a chroma sample at every pixel and nobody waits for the next one, so the grid is evaluated in
float at every pixel: no chroma is lost to 4:2:0 and only the result is rounded.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.bundle import load_bundle
from engines.curve.grid import CurveGrid, tents
from engines.planes import Bytes
from engines.thumbnail import Thumbnail, sample_rgb
from engines.tone_model import ToneModel

_ROWS_AT_ONCE = 64


def enhance_picture(rgb: Bytes, bundle: str | Path = "curve", strength: float = 1.0) -> Bytes:
    """The enhanced picture, uint8 [height, width, 3] like ``rgb``; ``strength`` 0 (every byte as it was) to 1.

    Raises ``BundleError`` for an unknown bundle, ``NotFiniteError`` if the model gives NaN for this picture.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [height, width, 3], got {rgb.dtype} {list(rgb.shape)}")
    return map_picture(rgb, _model(str(bundle))(sample_rgb(rgb)).blend(strength))


def map_picture(rgb: Bytes, grid: CurveGrid) -> Bytes:
    """Applies a grid to an RGB picture, uint8 [height, width, 3]."""
    if grid.is_identity:
        return rgb.copy()
    height, width = rgb.shape[:2]
    down, across = tents(height, grid.rows).astype(np.float32), tents(width, grid.cols).astype(np.float32)
    nodes = np.moveaxis(grid.coefficients, 2, 0)
    out = np.empty_like(rgb)
    for first in range(0, height, _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        channels: NDArray[np.float32] = np.moveaxis(rgb[rows], 2, 0) * np.float32(1 / 255)
        before = Thumbnail.from_rgb(channels, "bt709")
        a, s, b, cu, du, eu, cv, dv, ev = (down[:, rows].T @ nodes) @ across
        y = np.clip(before.y, 0, 1)
        after = Thumbnail(
            np.clip(a * y + s * np.sqrt(y) + b, 0, 1), cu * before.u + du * y + eu, cv * before.v + dv * y + ev, "bt709"
        )
        out[rows] = np.moveaxis(np.clip(np.floor(after.to_rgb() * 255 + np.float32(0.5)), 0, 255), 0, 2)
    return out


@lru_cache(maxsize=2)
def _model(bundle: str) -> ToneModel:
    return ToneModel(load_bundle(bundle))
