"""Enhances one RGB picture held in a NumPy array, with the thumbnail, model and grid that video uses, or in mode full.

A still picture has a chroma sample at every pixel and nobody waits for the next one, so the grid is evaluated in
float at every pixel: no chroma is lost to 4:2:0 and only the result is rounded.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from engines.bundle import load_bundle
from engines.curve.grid import CurveGrid, tents
from engines.full_picture import TILE, open_full, redraw
from engines.network_inputs import Extra
from engines.picture_network import PictureNetwork
from engines.planes import Bytes
from engines.thumbnail import Thumbnail, sample_rgb
from engines.tone_model import ToneModel

Mode = Literal["fused", "full"]

_ROWS_AT_ONCE = 64


def enhance_picture(
    rgb: Bytes,
    bundle: str | Path = "curve",
    strength: float = 1.0,
    mode: Mode = "fused",
    *,
    tile: int = TILE,
    extra: Extra | None = None,
) -> Bytes:
    """The enhanced picture, uint8 [height, width, 3] like ``rgb``; ``strength`` 0 (every byte as it was) to 1.

    Mode ``fused`` applies tone curves, mode ``full`` lets the network draw the whole picture, in tiles of ``tile``
    pixels (0 = in one piece). ``extra`` gives a model's further inputs, float32 by name; zeros where left out.
    Raises ``BundleError`` for an unknown bundle or one that ``mode`` cannot use, ``NotFiniteError`` if the model gives
    NaN for this picture, ``ModelError`` for extra arrays that it does not take.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [height, width, 3], got {rgb.dtype} {list(rgb.shape)}")
    if mode not in get_args(Mode):
        raise ValueError(f"mode is one of {', '.join(get_args(Mode))}, not '{mode}'")
    if mode == "full":
        return redraw(rgb, _full(str(bundle), tile), strength, extra)
    return map_picture(rgb, _model(str(bundle))(sample_rgb(rgb), extra).blend(strength))


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
        after = before.through(np.asarray((down[:, rows].T @ nodes) @ across, np.float32))
        out[rows] = np.moveaxis(np.clip(np.floor(after.to_rgb() * 255 + np.float32(0.5)), 0, 255), 0, 2)
    return out


@lru_cache(maxsize=2)
def _model(bundle: str) -> ToneModel:
    return ToneModel(load_bundle(bundle))


@lru_cache(maxsize=1)
def _full(bundle: str, tile: int) -> PictureNetwork:
    return open_full(load_bundle(bundle), tile=tile)
