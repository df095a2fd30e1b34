"""Applies grids to the frames of one video, each blended with the output before along the motion between them.

``auto`` asks the noise: where, amplified by the grid, it stays below what an eye or an encoder notices, the plain pass
does the same for less. The output before is kept by reference; pictures come from a pool, which gives out no memory
that is still referred to, and nobody writes to a picture that left here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from engines.curve.cpu import DEFAULT_THREADS, apply
from engines.curve.grid import CurveGrid
from engines.curve.temporal import denoise
from engines.curve.temporal_history import History
from engines.curve.temporal_motion import BlockMotion
from engines.noise import NoiseModel
from stream.media import Frame, fresh_like

if TYPE_CHECKING:
    from stream.vision.motion import Motion

Amount = float | Literal["auto", "off"]

NOTICED, UNNOTICED = 0.6, 0.4
"""Standard deviation of the amplified luma noise, in codes of 255, above which ``auto`` begins, and below which it
ends."""
_DARKEST = 0.02
"""Luma from which noise is judged: darker pixels are black whatever happens."""


class Denoiser:
    """Call it with the frames of one video, in order; ``forget`` at every cut."""

    def __init__(self, amount: Amount = "auto", threads: int | None = None) -> None:
        """``amount`` 0..1, or ``auto``; ``off`` is 0 and leaves the plain pass. ``threads``: None = what pays off."""
        self._amount = {"auto": 1.0, "off": 0.0}[amount] if isinstance(amount, str) else amount
        self._ask_noise = amount == "auto"
        self._threads = threads or DEFAULT_THREADS
        self._history = History()
        self._previous: Frame | None = None
        self._noticed = False
        self.noise = NoiseModel()
        """Of the input, as far as it is known."""

    @property
    def wants_motion(self) -> bool:
        """Whether motion would be of use."""
        return self._amount > 0 and (self._noticed or not self._ask_noise)

    def forget(self) -> None:
        """A cut: nothing of the pictures so far leads into the next one. What is known of the noise stays."""
        self._previous = None
        self.noise.forget_picture()

    def __call__(self, frame: Frame, grid: CurveGrid, motion: Motion | None) -> Frame:
        """The frame through ``grid``, in a picture of its own. ``motion`` since the frame before; None: none known."""
        enhanced = fresh_like(frame)
        if not self._amount:
            apply(frame.planes, grid, enhanced.planes, self._threads)
            return enhanced
        self.noise.update(frame.planes, frame.key_frame)
        if not self._is_noticed(grid):
            apply(frame.planes, grid, enhanced.planes, self._threads)
            self._previous = None
            return enhanced
        previous = self._previous
        if previous is not None and (
            previous.planes.y.shape != frame.planes.y.shape or previous.planes.colour != frame.planes.colour
        ):
            previous = None
        blocks = None
        if motion is not None and previous is not None:
            size = frame.planes.width, frame.planes.height
            blocks = BlockMotion.from_flow(motion.flow, motion.confidence, *size)
        denoise(
            *(frame.planes, grid, enhanced.planes, None if previous is None else previous.planes, blocks),
            *(self._history, self.noise, self._amount, self._threads, frame.key_frame),
        )
        self._previous = enhanced
        return enhanced

    def _is_noticed(self, grid: CurveGrid) -> bool:
        """Whether the noise is worth a filter once the grid has amplified it; always, unless ``auto``."""
        if self._ask_noise:
            strongest = amplified(self.noise, grid)
            self._noticed = strongest > (UNNOTICED if self._noticed else NOTICED)
        return self._noticed or not self._ask_noise


def amplified(noise: NoiseModel, grid: CurveGrid) -> float:
    """Standard deviation of luma noise at the output, in codes of 255: the 90th percentile over nodes and shades."""
    shades = np.geomspace(_DARKEST, 0.5, 6).astype(np.float32)
    a, s = grid.coefficients[..., 0, None], grid.coefficients[..., 1, None]
    deviation = (a + s / (2 * np.sqrt(shades))) * np.sqrt(noise.variance(shades))
    return float(np.percentile(deviation, 90)) * 255
