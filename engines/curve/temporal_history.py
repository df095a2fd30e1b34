"""What the temporal denoiser keeps from frame to frame beside the previous output, and the memory it works in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import COEFFICIENTS
from engines.curve.temporal_motion import blocks

_ONE_PICTURE = 64
_ROW_DITHER = 49472
_GUARD_DECAY = 0.75


def _dithers() -> list[int]:
    """Eighths in random order, eight times over: even in time at rest, and in step with no motion for long."""
    rng = np.random.default_rng(8)
    eighths = rng.permuted(np.tile(np.arange(8), (8, 1)), axis=1).ravel()
    return [int(phase) for phase in (eighths + rng.random(64)) * (1 << 13)]


_DITHERS = _dithers()


class History:
    """State of one stream of pictures; a new size starts anew.

    ``weights`` uint8 [ceil(height/2), ceil(width/2)]: the share, in 128ths, that the next picture needs at each site
    for the output to be the plain mean of the pictures seen there. ``guard`` 0..1: how recently a key frame came.
    """

    def __init__(self) -> None:
        self.width = self.height = 0
        self.frame = 0
        self.guard = 0.0
        self._was_pulse = False

    @property
    def dither(self) -> int:
        """Moves the dither of this frame."""
        return _DITHERS[self.frame % len(_DITHERS)]

    def start(self, width: int, height: int) -> None:
        """Memory for pictures of this size; a previous output, where there is one, counts as one picture."""
        half, chroma_height = (width + 1) // 2, (height + 1) // 2
        self.width, self.height = width, height
        self.weights_old, self.weights = np.full((2, chroma_height, half), _ONE_PICTURE, np.uint8)
        self.moves = np.zeros((*blocks(width, height), 2), np.int16)
        self.trust = np.zeros(blocks(width, height), np.uint8)
        self.pattern = (np.arange(2 * half, dtype=np.uint32) * _ROW_DITHER & 0xFFFF).astype(np.uint16)
        self._scratch: list[Scratch] = []

    def scratch(self, bands: int) -> list[Scratch]:
        """Working memory of as many bands."""
        while len(self._scratch) < bands:
            self._scratch.append(Scratch(self.width))
        return self._scratch

    def step(self, pulse: bool) -> None:
        """Turns to the next frame; call it before the pass. Where every frame is a key frame none is a pulse."""
        self.frame += 1
        sudden = pulse and not self._was_pulse
        self.guard, self._was_pulse = (1.0 if sudden else self.guard * _GUARD_DECAY), pulse
        self.weights_old, self.weights = self.weights, self.weights_old

    def lose_pictures(self) -> None:
        """A scene cut: no motion of before leads into this picture."""
        self.guard = 0.0


class Scratch:
    """Working memory of one band."""

    def __init__(self, width: int) -> None:
        half = (width + 1) // 2
        even = 2 * half
        base, slope = np.empty((2, COEFFICIENTS, width), np.float32)
        site_base, site_slope = np.empty((2, COEFFICIENTS, half), np.float32)
        sums, signed = np.empty(even, np.uint16), np.empty(even, np.uint16)
        pixels, far = np.empty((2, half), np.uint32), np.empty(half, np.uint16)
        self.rows: tuple[NDArray[np.float32], NDArray[np.float32]] = (base, slope)
        self.sampled = np.empty((8, width), np.uint8)
        self.all = (
            *(base, slope, site_base, site_slope, np.empty((4, 2, half), np.float32)),
            *(sums, sums.view(np.uint32), signed, signed.view(np.uint32)),
            *(np.empty((3, 3, half + 2), np.uint16), np.empty((3, half + 2), np.uint16)),
            *(np.empty((2, 6, even + 2), np.uint8), np.empty((2, 6, half + 2), np.uint8)),
            *(np.empty((3, half), np.uint8), np.empty((2, half), np.uint8), np.empty((1, even), np.uint8)),
            *(
                np.empty((2, half), np.float32),
                pixels,
                pixels.view(np.int16),
                np.empty((2, half), np.int16),
            ),
            *(far, far.view(np.uint8), np.empty(half, np.uint8), np.empty(even + 4, np.int16)),
        )
