"""Applies a grid on the CPU: planes in, planes out, no full-size RGB or float picture in between.

The picture is cut into bands of rows, one per thread, and a band into tiles that stay in the first-level cache. The
node coefficients of a tile are spread along the columns once per row of cells; a pixel row is then a blend of two
such rows, and the loops run over contiguous numbers only, which is what lets the compiler use the vector unit. A
temporal denoiser belongs into the same visit of the pixels.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from engines.colour import Colour
from engines.curve.grid import COEFFICIENTS, CurveGrid, Doubles, Floats
from engines.curve.kernels import apply_band
from engines.planes import Bytes, Planes, interleaved, pitched

DEFAULT_THREADS = 2 if (os.cpu_count() or 1) >= 4 else 1
"""Two bands shorten the wait for a frame where cores are idle. On a machine that decoding and encoding fill, the second
band waits for its turn instead, and all costs a little more."""
_PIXELS_WORTH_A_THREAD = 400_000


def apply(planes: Planes, grid: CurveGrid, out: Planes, threads: int = DEFAULT_THREADS) -> None:
    """Writes the enhanced picture into ``out``: same size and colour, other memory than ``planes``, any layout.

    ``threads`` bounds the bands that run at once; small pictures use fewer. Raises ``ValueError`` for other planes.
    """
    if out.y.shape != planes.y.shape or out.colour != planes.colour:
        raise ValueError(
            f"the output is {out.width}x{out.height} {out.colour}, "
            f"the input {planes.width}x{planes.height} {planes.colour}"
        )
    if grid.is_identity:
        _copy(planes, out)
        return
    inputs, outputs = (planes.y, planes.u, planes.v), (out.y, out.u, out.v)
    if any(np.may_share_memory(target, source) for target in outputs for source in inputs):
        raise ValueError("the output shares memory with the input; give it planes of its own")
    source, target = _rows(planes), _rows(out)
    if source is None:
        source = planes.y.copy(), planes.u.copy(), planes.v.copy(), 1
    if target is None:
        y, u, v = (np.empty(plane.shape, np.uint8) for plane in outputs)
        fresh = Planes(y, u, v, out.colour)
        apply(planes, grid, fresh, threads)
        _copy(fresh, out)
        return
    colour, width, height = planes.colour, planes.width, planes.height
    tables = (
        _scaled(grid, colour),
        *_segments((width, 1, width), grid.cols),
        *_segments((planes.u.shape[1], 2, width), grid.cols),
    )
    limits = _limits(colour)
    bands = max(1, min(threads, width * height // _PIXELS_WORTH_A_THREAD))
    cuts = [2 * round(height * i / bands / 2) for i in range(bands)] + [height]

    def run(i: int) -> None:
        base, slope = np.empty((2, COEFFICIENTS, width), np.float32)
        sums, codes = np.empty(width + width % 2, np.uint16), np.empty((2, planes.u.shape[1]), np.uint8)
        scratch = base, slope, sums, sums.view(np.uint32), codes
        apply_band(*source, *target, *tables, cuts[i], cuts[i + 1], width, height, limits, *scratch)

    others = [_workers(threads - 1).submit(run, i) for i in range(1, bands)]
    run(0)
    for other in others:
        other.result()


def warm() -> None:
    """Loads the pass (compiles it the first time on a machine, then takes it from a cache) and starts its threads."""
    luma, chroma = np.zeros((2, 1024, 1024), np.uint8), np.zeros((4, 512, 512), np.uint8)
    before, after = (Planes(luma[i], chroma[i], chroma[i + 2], Colour()) for i in range(2))
    apply(before, CurveGrid(2 * CurveGrid.identity(2, 2).coefficients), after)


@cache
def _workers(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="apply")


def _copy(planes: Planes, out: Planes) -> None:
    for target, source in ((out.y, planes.y), (out.u, planes.u), (out.v, planes.v)):
        np.copyto(target, source)


def _rows(planes: Planes) -> tuple[Bytes, Bytes, Bytes, int] | None:
    """What the loops take: rows of y, u, v and the chroma step; None for a layout that they do not know."""
    y, both = pitched(planes.y), interleaved(planes.u, planes.v)
    if y is not None and both is not None:
        return y, both, both, 2
    u, v = pitched(planes.u), pitched(planes.v)
    return None if y is None or u is None or v is None else (y, u, v, 1)


def _scaled(grid: CurveGrid, colour: Colour) -> Floats:
    """Coefficients [rows, 9, cols] that give codes plus a half, from clipped normalised luma and from chroma codes."""
    nodes = grid.coefficients.transpose(0, 2, 1).copy()
    nodes[:, :3] *= np.float32(colour.luma_range)
    nodes[:, 2] += np.float32(colour.luma_offset + 0.5)
    for c in (3, 6):
        nodes[:, c + 1 : c + 3] *= np.float32(colour.chroma_range)
        nodes[:, c + 2] += np.float32(colour.chroma_offset + 0.5) - np.float32(colour.chroma_offset) * nodes[:, c]
    return nodes


@cache
def _limits(colour: Colour) -> Floats:
    scale, half = 1 / colour.luma_range, 0.5
    limits = [scale, -colour.luma_offset * scale]
    limits += [low_or_high + half for low_or_high in (*colour.luma_limits, *colour.chroma_limits)]
    return np.array(limits, dtype=np.float32)


@lru_cache(maxsize=32)
def _segments(samples: tuple[int, int, int], cols: int) -> tuple[NDArray[np.int64], Floats]:
    """Where along a row the pair of nodes changes [cols + 2], and how far each sample is from the left one [n].

    ``samples`` says how many there are, how many pixels each spans, and the pixels of the row.
    """
    count, span, width = samples
    position: Doubles = (np.arange(count) + 0.5) * span * cols / width - 0.5
    left = np.floor(position)
    edges = np.searchsorted(left, np.arange(-1, cols + 1)).astype(np.int64)
    edges[-1] = count
    return edges, (position - left).astype(np.float32)
