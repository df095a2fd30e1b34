"""What the compiled loops take: rows of planes, a grid in units of codes, where the nodes lie along a row, threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from engines.colour import Colour
from engines.curve.grid import CurveGrid, Doubles, Floats
from engines.planes import Bytes, Planes, interleaved, pitched


@cache
def workers(threads: int) -> ThreadPoolExecutor:
    """Threads that work on bands beside the caller's own; started once, for every size of pool."""
    return ThreadPoolExecutor(threads, thread_name_prefix="apply")


def copy_planes(planes: Planes, out: Planes) -> None:
    """Every byte of ``planes`` into ``out``, whatever their layouts."""
    for target, source in ((out.y, planes.y), (out.u, planes.u), (out.v, planes.v)):
        np.copyto(target, source)


def plane_rows(planes: Planes) -> tuple[Bytes, Bytes, Bytes, int] | None:
    """What the loops take: rows of y, u, v and the chroma step; None for a layout that they do not know."""
    y, both = pitched(planes.y), interleaved(planes.u, planes.v)
    if y is not None and both is not None:
        return y, both, both, 2
    u, v = pitched(planes.u), pitched(planes.v)
    return None if y is None or u is None or v is None else (y, u, v, 1)


def code_nodes(grid: CurveGrid, colour: Colour) -> Floats:
    """Coefficients [rows, 9, cols] that give codes plus a half, from clipped normalised luma and from chroma codes."""
    nodes = grid.coefficients.transpose(0, 2, 1).copy()
    nodes[:, :3] *= np.float32(colour.luma_range)
    nodes[:, 2] += np.float32(colour.luma_offset + 0.5)
    for c in (3, 6):
        nodes[:, c + 1 : c + 3] *= np.float32(colour.chroma_range)
        nodes[:, c + 2] += np.float32(colour.chroma_offset + 0.5) - np.float32(colour.chroma_offset) * nodes[:, c]
    return nodes


@cache
def code_limits(colour: Colour) -> Floats:
    """Scale and offset of luma codes to 0..1, then lowest and highest code plus a half, of luma and of chroma."""
    scale, half = 1 / colour.luma_range, 0.5
    limits = [scale, -colour.luma_offset * scale]
    limits += [low_or_high + half for low_or_high in (*colour.luma_limits, *colour.chroma_limits)]
    return np.array(limits, dtype=np.float32)


@lru_cache(maxsize=32)
def segments(samples: tuple[int, int, int], cols: int) -> tuple[NDArray[np.int64], Floats]:
    """Where along a row the pair of nodes changes [cols + 2], and how far each sample is from the left one [n].

    ``samples`` says how many there are, how many pixels each spans, and the pixels of the row.
    """
    count, span, width = samples
    position: Doubles = (np.arange(count) + 0.5) * span * cols / width - 0.5
    left = np.floor(position)
    edges = np.searchsorted(left, np.arange(-1, cols + 1)).astype(np.int64)
    edges[-1] = count
    return edges, (position - left).astype(np.float32)
