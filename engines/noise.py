"""How noisy the input is, learned from the frames themselves: variance A*Y + B of shot and read noise.

Blocks on a fixed lattice are compared with the frame before. Where nothing moves the difference is noise, and a lower
quartile over the blocks of a luma bin finds it among those that move. Blocks that did not change by a single code are
left out (encoders skip them), and so are clipped ones. Before there is a frame to compare with, the second derivative
inside each block tells (Immerkaer 1996, "Fast noise variance estimation"); it also bounds what motion may pretend.
Every frame adds its evidence to weighted least squares that forget slowly.
"""

from __future__ import annotations

from itertools import pairwise

import numba as nb
import numpy as np

from engines.compiled import compiled
from engines.curve.grid import Doubles, Floats
from engines.planes import Planes, interleaved, pitched

_SIDE = 8
_BLOCKS = (16, 24)
_BINS = 16
_FEW = 5
_FORGET = 0.08
_SPREAD = 1e-4
"""Variance of luma over the evidence below which it is all of one shade, and tells no slope."""
_QUARTILE_TO_MEAN = 1.13
"""The lower quartile of variances of 63 differences each lies this far below their mean."""

_CLIPPED = _SIDE * _SIDE // 8
_STRONGEST_PULSE = 4.0
LEAST = (0.3 / 255) ** 2
"""Variance of the rounding to 8 bits, the least that B becomes."""

_ROWS = nb.types.Array(nb.uint8, 2, "C", readonly=True)
_STARTS = nb.types.Array(nb.int64, 1, "C", readonly=True)


class NoiseModel:
    """Variance of the input's luma noise, ``shot * y + read`` with y in 0..1 but never below ``LEAST``.

    After the gamma of a camera the noise of dark pixels is the larger one, so ``shot`` may well be negative.

    ``chroma`` is the variance of chroma noise (in units of chroma, about -0.5..0.5) per variance of luma noise, and
    ``pulse`` how many times larger the jump at codec key frames is than the noise (standard deviations, 1..4).
    """

    def __init__(self, shot: float = 0.0, read: float = LEAST, chroma: float = 0.5) -> None:
        self.shot, self.read, self.chroma, self.pulse = shot, read, chroma, 1.0
        self._size = (0, 0)
        self._has_previous = self._was_pulse = False
        self._evidence = np.zeros(5)
        self._lessons = self._colours = 0

    def variance(self, y: Floats | Doubles | float) -> Doubles:
        """Of luma noise at luma ``y``, both in units of 0..1."""
        return np.maximum(self.shot * np.asarray(y, np.float64) + self.read, LEAST)

    def forget_picture(self) -> None:
        """Call it at a scene cut: the next frame is compared with none. What is known of the noise stays."""
        self._has_previous = False

    def update(self, planes: Planes, pulse: bool = False) -> None:
        """Learns from one frame of the input; ``pulse`` says that it is a key frame of the codec.

        Costs the same for every size. Raises nothing: blank, clipped and tiny pictures teach nothing.
        """
        if planes.height < _SIDE or planes.width < _SIDE:
            return
        if self._size != (planes.width, planes.height):
            self._start(planes.width, planes.height)
        y = pitched(planes.y)
        both = interleaved(planes.u, planes.v)
        u = pitched(planes.u) if both is None else both
        colour = planes.colour
        black, white = colour.luma_limits
        _measure(
            *(planes.y.copy() if y is None else y, planes.u.copy() if u is None else u, 1 if both is None else 2),
            *(self._down, self._across, black, white, self._luma, self._chroma, self._found),
        )
        had, self._has_previous = self._has_previous, True
        sudden, self._was_pulse = pulse and not self._was_pulse, pulse
        mean, temporal, spatial, colours, clipped = self._found
        unit = 1 / colour.luma_range**2
        luma = (mean - colour.luma_offset) / colour.luma_range
        usable = clipped <= _CLIPPED
        if not had:
            if not self._evidence[0]:
                self._learn(luma[usable], spatial[usable] * unit)
            return
        changed = usable & (temporal > 0)
        if 16 * int(changed.sum()) >= int(usable.sum()):
            usable = changed
        if not usable.any():
            return
        seen = np.minimum(temporal, 4 * spatial + 1)[usable] * unit
        if sudden:
            jump = float(np.quantile(seen / self.variance(luma[usable]), 0.25)) * _QUARTILE_TO_MEAN
            self.pulse += 0.5 * (min(max(jump, 1.0) ** 0.5, _STRONGEST_PULSE) - self.pulse)
            return
        self._lessons += 1
        self._learn(luma[usable], seen)
        level = float(np.quantile(seen, 0.25))
        if level > 2 * LEAST:
            ratio = float(np.quantile(colours[usable], 0.25)) / colour.chroma_range**2 / level
            self._colours += 1
            self.chroma += max(_FORGET, 1 / self._colours) * (min(max(ratio, 0.02), 2.0) - self.chroma)

    def _start(self, width: int, height: int) -> None:
        rows, cols = min(_BLOCKS[0], height // _SIDE), min(_BLOCKS[1], width // _SIDE)
        self._down = np.linspace(0, height - _SIDE, rows).astype(np.int64) & ~1
        self._across = np.linspace(0, width - _SIDE, cols).astype(np.int64) & ~1
        self._luma = np.zeros((rows * cols, _SIDE, _SIDE), np.uint8)
        self._chroma = np.zeros((rows * cols, _SIDE // 2, _SIDE // 2), np.uint8)
        self._found = np.zeros((5, rows * cols))
        self._size, self._has_previous = (width, height), False

    def _learn(self, luma: Doubles, variance: Doubles) -> None:
        """Adds the quartile of every bin that has enough blocks to the evidence, and fits the line anew."""
        bins = (np.sqrt(np.clip(luma, 0, 1)) * (_BINS - 1e-6)).astype(np.intp)
        order = np.argsort(bins, kind="stable")
        cuts = np.searchsorted(bins[order], np.arange(_BINS + 1))
        added = np.zeros(5)
        for first, last in pairwise(cuts):
            if last - first < _FEW:
                continue
            members = order[first:last]
            values = np.sort(variance[members])
            low = values[(last - first) // 4] * _QUARTILE_TO_MEAN
            centre, trust = float(luma[members].mean()), float(last - first) / (low + LEAST)
            added += trust * np.array([1, centre, centre * centre, low, low * centre])
        if not added[0]:
            return
        # Every frame counts alike: by trust alone, a minute of clean pictures would outweigh the noise that follows.
        added /= added[0]
        self._evidence += (1.0 if not self._lessons else max(_FORGET, 1 / self._lessons)) * (added - self._evidence)
        n, y, yy, v, vy = self._evidence
        spread = n * yy - y * y
        shot: float = (n * vy - y * v) / spread if spread > _SPREAD * n * n else 0.0
        read: float = (v - shot * y) / n
        if read < LEAST:
            shot, read = max((vy - LEAST * y) / yy, 0.0), LEAST
        self.shot, self.read = float(shot), float(read)


def warm() -> None:
    """Loads the compiled measurement, from the compiler the first time on a machine, then from its cache."""
    from engines.colour import Colour

    luma, chroma = np.zeros((16, 16), np.uint8), np.zeros((8, 8), np.uint8)
    NoiseModel().update(Planes(luma, chroma, chroma, Colour()))


@compiled(
    nb.void(
        *(_ROWS, _ROWS, nb.int64, _STARTS, _STARTS, nb.int64, nb.int64),
        *(nb.uint8[:, :, ::1], nb.uint8[:, :, ::1], nb.float64[:, ::1]),
    )
)
def _measure(y, u, step, down, across, black, white, luma, chroma, found):  # type: ignore[no-untyped-def]
    """Per block: mean, variance of one frame's noise by time and by space (codes^2), of chroma by time, clipped pixels.

    ``luma`` and ``chroma`` hold the blocks of the frame before and get those of this one.
    """
    for i in range(down.shape[0]):
        for j in range(across.shape[0]):
            n, top, left = i * across.shape[0] + j, down[i], across[j]
            total, change, square, clipped = 0, 0, 0, 0
            for r in range(8):
                for x in range(8):
                    code = int(y[top + r, left + x])
                    apart = code - int(luma[n, r, x])
                    luma[n, r, x] = np.uint8(code)
                    total += code
                    change += apart
                    square += apart * apart
                    clipped += (code <= black) | (code >= white)
            curvature = 0
            for r in range(1, 7):
                for x in range(1, 7):
                    side = int(luma[n, r, x - 1]) + luma[n, r, x + 1] + luma[n, r - 1, x] + luma[n, r + 1, x]
                    corner = int(luma[n, r - 1, x - 1]) + luma[n, r - 1, x + 1]
                    corner += int(luma[n, r + 1, x - 1]) + luma[n, r + 1, x + 1]
                    curvature += abs(4 * int(luma[n, r, x]) - 2 * side + corner)
            colour_change, colour_square = 0, 0
            for r in range(4):
                for x in range(4):
                    code = int(u[top // 2 + r, (left // 2 + x) * step])
                    apart = code - int(chroma[n, r, x])
                    chroma[n, r, x] = np.uint8(code)
                    colour_change += apart
                    colour_square += apart * apart
            found[0, n] = total / 64
            found[1, n] = (square - change * change / 64) / 126
            found[2, n] = (curvature / 216) ** 2 * 1.5707963
            found[3, n] = (colour_square - colour_change * colour_change / 16) / 30
            found[4, n] = clipped
