"""Applies a grid on the CPU: planes in, planes out, no full-size RGB or float picture in between.

The picture is cut into bands of rows, one per thread, and a band into tiles that stay in the first-level cache. The
node coefficients of a tile are spread along the columns once per row of cells; a pixel row is then a blend of two
such rows, and the loops run over contiguous numbers only, which is what lets the compiler use the vector unit. A
temporal denoiser belongs into the same visit of the pixels.
"""

from __future__ import annotations

import os

import numpy as np

from engines.colour import Colour
from engines.curve.grid import COEFFICIENTS, CurveGrid
from engines.curve.kernels import apply_band
from engines.curve.operands import code_limits, code_nodes, copy_planes, plane_rows, segments, workers
from engines.planes import Planes

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
        copy_planes(planes, out)
        return
    inputs, outputs = (planes.y, planes.u, planes.v), (out.y, out.u, out.v)
    if any(np.may_share_memory(target, source) for target in outputs for source in inputs):
        raise ValueError("the output shares memory with the input; give it planes of its own")
    source, target = plane_rows(planes), plane_rows(out)
    if source is None:
        source = planes.y.copy(), planes.u.copy(), planes.v.copy(), 1
    if target is None:
        y, u, v = (np.empty(plane.shape, np.uint8) for plane in outputs)
        fresh = Planes(y, u, v, out.colour)
        apply(planes, grid, fresh, threads)
        copy_planes(fresh, out)
        return
    colour, width, height = planes.colour, planes.width, planes.height
    tables = (
        code_nodes(grid, colour),
        *segments((width, 1, width), grid.cols),
        *segments((planes.u.shape[1], 2, width), grid.cols),
    )
    limits = code_limits(colour)
    bands = max(1, min(threads, width * height // _PIXELS_WORTH_A_THREAD))
    cuts = [2 * round(height * i / bands / 2) for i in range(bands)] + [height]

    def run(i: int) -> None:
        base, slope = np.empty((2, COEFFICIENTS, width), np.float32)
        sums, codes = np.empty(width + width % 2, np.uint16), np.empty((2, planes.u.shape[1]), np.uint8)
        scratch = base, slope, sums, sums.view(np.uint32), codes
        apply_band(*source, *target, *tables, cuts[i], cuts[i + 1], width, height, limits, *scratch)

    others = [workers(threads - 1).submit(run, i) for i in range(1, bands)]
    run(0)
    for other in others:
        other.result()


def warm() -> None:
    """Loads the pass (compiles it the first time on a machine, then takes it from a cache) and starts its threads."""
    luma, chroma = np.zeros((2, 1024, 1024), np.uint8), np.zeros((4, 512, 512), np.uint8)
    before, after = (Planes(luma[i], chroma[i], chroma[i + 2], Colour()) for i in range(2))
    apply(before, CurveGrid(2 * CurveGrid.identity(2, 2).coefficients), after)
