"""Day or night, by the luma of the input: with ``--when dark``, daylight passes through as it came.

Brightness is the trimean of the thumbnail's luma (half its median, a quarter each of its quartiles), which lamps in a
night scene and dark corners of a bright one hardly move. It is smoothed over seconds, judged against two thresholds,
and has to stay beyond one for a while: dusk, clouds and headlights do not make the gate flap. A switch fades the
enhancement in or out, so that nothing jumps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from engines.curve.grid import Floats
from stream.media import Frame

GateState = Literal["dark", "fading in", "fading out", "bright"]

DARK, BRIGHT = 0.20, 0.28
"""Smoothed trimean of luma (0..1, gamma-coded) below which it is night, and above which it is day.

Of 80 bracketed scenes, no well-exposed picture lay below the first and 2.5 % below the second; no underexposed one
(mean luma under 0.15) lay above the first.
"""
DWELL_S = 5.0
"""Seconds beyond a threshold after which the gate switches."""
SMOOTHING_S = 2.0
FADE_S = 1.0
LOOK_EVERY_S = 0.25


class LumaGate:
    """Call it with every frame of one source, in order; it tells how much of the enhancement the frame gets."""

    def __init__(
        self,
        luma: Callable[[Frame], Floats] | None = None,
        *,
        dark: float = DARK,
        bright: float = BRIGHT,
        dwell_s: float = DWELL_S,
        fade_s: float = FADE_S,
    ) -> None:
        """``luma`` gives float planes in 0..1 of a frame; by default its thumbnail's."""
        if not 0 <= dark < bright <= 1:
            raise ValueError(f"the thresholds rise within 0..1, not {dark}, {bright}")
        self._luma = luma or _thumbnail_luma
        self._middle = (dark + bright) / 2
        self._dark, self._bright, self._dwell, self._fade = dark, bright, dwell_s, fade_s
        self._looked_at = -math.inf
        self._beyond_since: float | None = None
        self._before = 0.0
        self._amount = 0.0
        self.night = False
        """What the gate has decided for."""
        self.brightness: float | None = None
        """Smoothed, 0..1; None before the first frame."""
        self.switches = 0
        """Between day and night, the first decision not counted."""

    @property
    def state(self) -> GateState:
        """Day, night, or on the way."""
        if self.night:
            return "dark" if self._amount == 1.0 else "fading in"
        return "bright" if self._amount == 0.0 else "fading out"

    def __call__(self, frame: Frame) -> float:
        """0 (leave it as it is) to 1 (the full enhancement), by ``frame.captured_at``."""
        now = frame.captured_at
        if self.brightness is None:
            self.brightness = trimean(self._luma(frame))
            self.night = self.brightness < self._middle
            self._amount = float(self.night)
            self._looked_at = self._before = now
            return self._amount
        if now - self._looked_at >= LOOK_EVERY_S:
            self._look(trimean(self._luma(frame)), now)
        self._step(max(0.0, now - self._before))
        self._before = now
        return self._amount

    def _look(self, brightness: float, now: float) -> None:
        assert self.brightness is not None
        weight = 1.0 - math.exp(-(now - self._looked_at) / SMOOTHING_S)
        self.brightness += weight * (brightness - self.brightness)
        self._looked_at = now
        beyond = self.brightness > self._bright if self.night else self.brightness < self._dark
        if not beyond:
            self._beyond_since = None
        elif self._beyond_since is None:
            self._beyond_since = now
        elif now - self._beyond_since >= self._dwell:
            self.night, self._beyond_since = not self.night, None
            self.switches += 1

    def _step(self, seconds: float) -> None:
        change = seconds / self._fade if self._fade > 0 else 1.0
        self._amount = min(1.0, self._amount + change) if self.night else max(0.0, self._amount - change)


def trimean(luma: Floats) -> float:
    """Tukey's: (lower quartile + 2 * median + upper quartile) / 4."""
    lower, median, upper = np.percentile(luma, (25, 50, 75))
    return float(lower + 2 * median + upper) / 4


def _thumbnail_luma(frame: Frame) -> Floats:
    from engines.thumbnail import sample

    return sample(frame.planes).y
