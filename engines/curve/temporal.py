"""The fused pass with the temporal denoiser: the grid and a recursion over outputs in one visit of the pixels.

    e = the picture through the grid          p = the output before, moved to where it is now
    out = p + k*(e - p) + dither              k small where e and p differ by no more than noise does

The recursion runs in the domain of the output, so that the state is the output itself; the noise a pixel may have is
the input's (``engines.noise``) times the slope of its curve. ``temporal_reference`` defines every step in NumPy. Motion
compensation with weights by differences is as old as Dubois and Sabri 1984; the smoothing stands in where there is no
history to average over, after the edge-keeping influence functions of robust diffusion (Black et al. 1998).
"""

from __future__ import annotations

import math

import numpy as np

from engines.colour import Colour
from engines.curve.cpu import DEFAULT_THREADS, apply
from engines.curve.grid import SLOPE_AT_BLACK, CurveGrid, Floats
from engines.curve.operands import code_limits, code_nodes, copy_planes, plane_rows, segments, workers
from engines.curve.temporal_history import History
from engines.curve.temporal_kernels import denoise_band
from engines.curve.temporal_motion import BLOCK, BlockMotion, blocks
from engines.curve.temporal_search import search_blocks
from engines.noise import LEAST, NoiseModel
from engines.planes import Planes

_PIXELS_WORTH_A_THREAD = 400_000

LEAST_WEIGHT = 1 / 8
"""Of a new luma picture: leaves 1/15 of the variance of the noise."""
LEAST_CHROMA_WEIGHT = 1 / 16
_ROUNDING = 0.25
"""Variance in codes^2 that rounding adds to a difference."""
_TOLERATED, _CERTAIN = 1.05, 1.85
"""Mean absolute difference around a pixel in standard deviations: noise alone makes 0.83 +- 0.11."""
_TOLERATED_SHIFT, _CERTAIN_SHIFT = 0.55, 1.35
"""Mean difference around a pixel: noise alone makes 0 +- 0.2."""
_REACH = 2.0
_GUARDED_WEIGHT = 0.5


def denoise(
    planes: Planes,
    grid: CurveGrid,
    out: Planes,
    previous: Planes | None,
    motion: BlockMotion | None,
    history: History,
    noise: NoiseModel,
    amount: float = 1.0,
    threads: int = DEFAULT_THREADS,
    pulse: bool = False,
) -> None:
    """Writes the enhanced picture, averaged over time, into ``out``: same size and colour, memory of its own.

    ``previous`` is the output of the frame before, not touched; None starts anew, at a scene cut or another size.
    ``motion`` None means that nothing is known to move. ``amount`` scales the effect from 0, exactly ``cpu.apply``, to
    1; ``pulse`` says that the frame is a key frame of the codec, whose noise differs all at once. The identity grid is
    treated like any other: codes come out in the legal range. Raises ``ValueError`` for other planes.
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"amount is 0..1, got {amount}")
    amount = round(128 * amount) / 128
    width, height, colour = planes.width, planes.height, planes.colour
    for name, other in (("output", out), ("previous output", previous)):
        if other is not None and (other.y.shape != planes.y.shape or other.colour != colour):
            raise ValueError(
                f"the {name} is {other.width}x{other.height} {other.colour}, the input {width}x{height} {colour}"
            )
    if motion is not None and motion.dx.shape != blocks(width, height):
        raise ValueError(f"a {width}x{height} picture has {blocks(width, height)} blocks, got {motion.dx.shape}")
    if (history.width, history.height) != (width, height):
        history.start(width, height)
    history.step(pulse)
    if amount == 0:
        apply(planes, grid, out, threads)
        history.weights.fill(64)
        return
    if previous is None:
        history.lose_pictures()
    outputs, inputs = (out.y, out.u, out.v), (planes.y, planes.u, planes.v)
    before = planes if previous is None else previous
    kept = (before.y, before.u, before.v)
    if any(np.may_share_memory(target, source) for target in outputs for source in (*inputs, *kept)):
        raise ValueError("the output shares memory with the input or the previous output; give it planes of its own")
    target = plane_rows(out)
    if target is None:
        y, u, v = (np.empty(plane.shape, np.uint8) for plane in outputs)
        fresh = Planes(y, u, v, colour)
        target = y, u, v, 1
    source = plane_rows(planes) or (*(plane.copy() for plane in inputs), 1)
    old = plane_rows(before) or (*(plane.copy() for plane in kept), 1)

    tables = (
        code_nodes(grid, colour),
        *segments((width, 1, width), grid.cols),
        *segments((planes.u.shape[1], 2, width), grid.cols),
    )
    limits, settings = code_limits(colour), rule(noise, colour, amount, history.guard)
    searched = motion is not None and previous is not None
    if not searched:
        history.moves.fill(0)
        history.trust.fill(0)
    rows = blocks(width, height)[0]
    bands = max(1, min(threads, rows, width * height // _PIXELS_WORTH_A_THREAD))
    cuts = [round(rows * i / bands) for i in range(bands + 1)]
    scratches = history.scratch(bands)

    def search(i: int) -> None:
        assert motion is not None
        search_blocks(
            *(source[0], old[0], *tables[:3], cuts[i], cuts[i + 1], width, height, limits, settings),
            *(motion.dx, motion.dy, motion.confidence),
            *(history.moves, history.trust, *scratches[i].rows, scratches[i].sampled),
        )

    def write(i: int) -> None:
        denoise_band(
            *(*source, *target, *old, previous is not None, *tables),
            *(cuts[i] * BLOCK, min(cuts[i + 1] * BLOCK, height), width, height, limits, settings),
            *(history.moves, history.trust, history.weights_old, history.weights, history.pattern, history.dither),
            *scratches[i].all,
        )

    # A band reads the moves of its neighbours' nearest blocks: all are found before any is used.
    for part in (search, write) if searched else (write,):
        running = [workers(threads - 1).submit(part, i) for i in range(1, bands)]
        part(0)
        for band in running:
            band.result()
    if target[0] is not out.y and not np.may_share_memory(target[0], out.y):
        copy_planes(fresh, out)


def rule(noise: NoiseModel, colour: Colour, amount: float, guard: float) -> Floats:
    """The numbers by which pixels are weighed, in units of codes and 128ths; ``guard`` 0..1 is for key frames.

    Shot and read variance; least y for slopes; chroma noise per luma noise in codes; variance of rounding; where
    weights begin to grow with the mean absolute difference and how fast; likewise with the mean difference; least
    weight of luma and of chroma; amount; reach of the smoothing in standard deviations; least
    variance.
    """
    jump = (1 + guard * (noise.pulse - 1)) ** 2
    least = 1 - (1 - _GUARDED_WEIGHT) * guard
    return np.array(
        [
            *(noise.shot * jump, noise.read * jump, 0.25 / SLOPE_AT_BLACK**2),
            *(math.sqrt(noise.chroma) * colour.chroma_range, _ROUNDING),
            *(_TOLERATED, 128 / (_CERTAIN - _TOLERATED), _TOLERATED_SHIFT, 128 / (_CERTAIN_SHIFT - _TOLERATED_SHIFT)),
            *(128 * LEAST_WEIGHT * least, 128 * LEAST_CHROMA_WEIGHT * least, amount, _REACH),
            min(noise.read, LEAST) * jump,
        ],
        dtype=np.float32,
    )


def warm() -> None:
    """Loads the pass and the search, from the compiler the first time on a machine, then from its cache."""
    luma, chroma = np.zeros((2, 32, 32), np.uint8), np.zeros((4, 16, 16), np.uint8)
    before, after = (Planes(luma[i], chroma[i], chroma[i + 2], Colour()) for i in range(2))
    last = Planes(luma[0].copy(), chroma[0].copy(), chroma[0].copy(), Colour())
    denoise(before, CurveGrid.identity(2, 2), after, last, BlockMotion.still(32, 32), History(), NoiseModel())
