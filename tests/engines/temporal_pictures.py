"""Pictures and grids for the tests of the pass, with the denoiser and without."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.colour import Colour
from engines.curve.grid import CurveGrid
from engines.planes import Planes

LAYOUTS = ("planar", "interleaved", "swapped", "odd strides")


def random_planes(rng: np.random.Generator, width: int, height: int, layout: str, pad: int, full: bool) -> Planes:
    """Random bytes in the layouts that decoders and croppers produce; ``pad`` bytes lie after every row."""
    rows, cols = (height + 1) // 2, (width + 1) // 2
    y = rng.integers(0, 256, (height, width + pad), dtype=np.uint8)[:, :width]
    both = rng.integers(0, 256, (rows, 2 * cols + pad), dtype=np.uint8)
    u, v = both[:, : 2 * cols : 2], both[:, 1 : 2 * cols : 2]
    if layout == "planar":
        u, v = (rng.integers(0, 256, (rows, cols + pad), dtype=np.uint8)[:, :cols] for _ in range(2))
    elif layout == "swapped":
        u, v = v, u
    elif layout == "odd strides":
        y = rng.integers(0, 256, (height, 3 * width), dtype=np.uint8)[::-1, ::3]
        u = rng.integers(0, 256, (rows, 3 * cols), dtype=np.uint8)[:, ::3]
    return Planes(y, u, v, Colour("bt709", full))


def rising_grid(rng: np.random.Generator, rows: int, cols: int) -> CurveGrid:
    """Random monotone curves and chroma maps from moderate to wild."""
    values = rng.normal(0, 1, (rows, cols, 9)) * np.array([3, 1, 0.1, 2, 0.3, 0.1, 2, 0.3, 0.1])
    return CurveGrid(values.astype(np.float32)).made_monotone(np.full((rows * 8, cols * 8), 0.2, np.float32))


def gain_grid(gain: float) -> CurveGrid:
    """Luma and chroma times ``gain``, the same everywhere."""
    grid = CurveGrid.identity(4, 4).coefficients.copy()
    grid[..., [0, 3, 6]] = gain
    return CurveGrid(grid)


def blank(planes: Planes) -> Planes:
    """Planes of the same size, C-contiguous, all zero."""
    y, u, v = (np.zeros(plane.shape, np.uint8) for plane in (planes.y, planes.u, planes.v))
    return Planes(y, u, v, planes.colour)


def like(rng: np.random.Generator, planes: Planes, before: Planes) -> None:
    """Makes most of ``before`` nearly ``planes``, as the frame before a frame is, and leaves the rest as it is."""
    for new, old in ((planes.y, before.y), (planes.u, before.u), (planes.v, before.v)):
        near = np.clip(new + rng.normal(0, rng.choice([1, 5, 20]), new.shape), 0, 255).astype(np.uint8)
        old[...] = np.where(rng.random(new.shape) < 0.9, near, old)


def grey(y: NDArray[np.floating] | NDArray[np.integer]) -> Planes:
    """Rounded luma codes with neutral chroma, full range."""
    rows, cols = (y.shape[0] + 1) // 2, (y.shape[1] + 1) // 2
    u, v = np.full((2, rows, cols), 128, np.uint8)
    return Planes(np.clip(np.rint(y), 0, 255).astype(np.uint8), u, v, Colour("bt709", True))


def worst(one: Planes, other: Planes) -> int:
    """Largest difference in codes."""
    pairs = ((one.y, other.y), (one.u, other.u), (one.v, other.v))
    return max(int(np.abs(p.astype(int) - q.astype(int)).max()) for p, q in pairs)
