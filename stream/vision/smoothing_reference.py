"""What ``smoothing`` and ``carry`` do with every node, in plain NumPy; their compiled loops agree but for rounding."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import CurveGrid, Floats
from stream.vision.backdrop import curve_at
from stream.vision.carry import SURE, Flow
from stream.vision.hold import allowed, codes_between, established, pulled, settled
from stream.vision.smoothing import State
from stream.vision.smoothing_kernels import CLEARLY_CHANGED, CLEARLY_DARKER, PASSING, UNCHANGED


def stepped(
    state: State,
    wish: CurveGrid,
    luma: Floats,
    seconds: float,
    *,
    brightening_s: float = 0.4,
    darkening_s: float = 0.1,
    steady_s: float = 2.0,
) -> State:
    """The state after ``seconds`` in which nothing was carried along; as ``GridSmoother.step``."""
    before, backdrop = state.grid.coefficients, state.backdrop
    changed = _changed(luma, state.luma)
    steady = (state.steady_s + np.float32(seconds)) * (1 - changed)
    unlike = _changed(luma, backdrop.luma)
    # What covers something that is known has to stay for longer to become the scene itself.
    held = established(steady / (1 + (PASSING - 1) * backdrop.covered(unlike))) * state.settled
    free = held < 1
    back = backdrop.returning(unlike) * free
    wanted = np.where(free[..., None], backdrop.behind(wish.coefficients, luma, unlike), wish.coefficients)
    wanted += back[..., None] * (backdrop.coefficients - wanted)

    fast = 1 - math.exp(-seconds / darkening_s)
    darker = np.clip((curve_at(before, luma) - curve_at(wanted, luma)) / CLEARLY_DARKER, 0, 1)
    slow = 1 - np.exp(-seconds / np.clip(steady, brightening_s, max(steady_s, brightening_s)))
    alpha = slow + np.maximum(fast - slow, 0) * darker * changed
    codes, direction = codes_between(before, wanted, luma)
    # What is known already need not be felt for: it comes back as fast as light is dimmed.
    alpha += np.maximum(fast - alpha, 0) * back
    share = allowed(alpha * codes, held, state.pulled_s, seconds)
    alpha = alpha * share
    moved = before + alpha[..., None] * (wanted - before)
    grid = CurveGrid(np.where(free[..., None], backdrop.behind(moved, luma, unlike, fast), moved))
    return State(
        grid,
        state.luma + alpha * (luma - state.luma),
        steady,
        settled(state.settled, codes, steady),
        pulled(state.pulled_s, share, direction, seconds),
        backdrop.after(grid.coefficients, state.luma, unlike, held, seconds),
        state.travelled,
        state.camera,
    )


def _changed(luma: Floats, before: Floats) -> Floats:
    """How far the scene at each node is another one, 0..1."""
    apart = np.abs(np.sqrt(luma) - np.sqrt(before))
    changed: Floats = np.clip((apart - UNCHANGED) / (CLEARLY_CHANGED - UNCHANGED), 0, 1)
    return changed


def cell_means(picture: Floats, rows: int, cols: int) -> Floats:
    """Mean of each cell of a picture [h, w]: [rows, cols]."""
    height, width = picture.shape
    means: Floats = picture.reshape(rows, height // rows, cols, width // cols).mean(axis=(1, 3))
    return means


def cell_motion(motion: Flow, rows: int, cols: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Mean motion of each cell in cells, [rows, cols, 2], zero where it is not sure, and where it is, [rows, cols]."""
    height, width = motion.confidence.shape
    down, across = height // rows, width // cols
    weights = motion.confidence.reshape(rows, down, cols, across)
    total = weights.sum(axis=(1, 3))
    summed = np.einsum("rdcak,rdca->rck", motion.flow.reshape(rows, down, cols, across, 2), weights)
    sure = total >= SURE * down * across
    mean = summed / np.maximum(total, 1e-6)[..., None] / np.array([across, down], np.float32)
    return np.where(sure[..., None], mean, 0).astype(np.float32), sure


def carried(field: Floats, distance: Floats) -> Floats:
    """``field`` [rows, cols, k] read at node + ``distance`` [rows, cols, 2] (dx, dy in cells), bilinear, clamped."""
    rows, cols = field.shape[:2]
    down, across = np.indices((rows, cols), dtype=np.float32)
    x = np.clip(across + distance[..., 0], 0, cols - 1)
    y = np.clip(down + distance[..., 1], 0, rows - 1)
    left, top = x.astype(np.intp), y.astype(np.intp)
    right, bottom = np.minimum(left + 1, cols - 1), np.minimum(top + 1, rows - 1)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    above = field[top, left] * (1 - fx) + field[top, right] * fx
    below = field[bottom, left] * (1 - fx) + field[bottom, right] * fx
    found: Floats = above * (1 - fy) + below * fy
    return found
