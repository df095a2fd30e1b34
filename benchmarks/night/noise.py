"""Sensor noise in linear light: shot and read noise of every sample, one offset for each row, quantisation.

Shot noise is drawn as a normal variable of the Poisson law's variance, as raw-noise models do; below a handful of
electrons that is an approximation. Light and noise share a pedestal, so noise around black is not cut in half.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.night.clip import Floats
from benchmarks.night.levels import Degradation

PEDESTAL = 1 / 32
"""Light of code 0 is minus this."""


def noisy(light: Floats, camera: Degradation, rng: np.random.Generator) -> Floats:
    """Light [H, W, 3] with noise of variance ``shot * light + read^2`` and row offsets; may be negative."""
    drawn = rng.standard_normal(light.shape, np.float32)
    spread = np.maximum(light, 0)
    spread *= np.float32(camera.shot)
    spread += np.float32(camera.read**2)
    np.sqrt(spread, out=spread)
    drawn *= spread
    drawn += light
    rows = rng.standard_normal((light.shape[0], 1, 1), np.float32)
    drawn += rows * np.float32(camera.row * camera.read)
    return drawn


class CameraFilter:
    """The filter of a cheap camera: half of the frame before, then a mean over 3x3; leaves 1/27 of the variance."""

    def __init__(self) -> None:
        self._kept: Floats | None = None

    def step(self, light: Floats, fresh: bool) -> Floats:
        """The next frame, filtered; ``fresh``: another scene begins, nothing of the last is kept."""
        kept = light if fresh or self._kept is None else np.float32(0.5) * (light + self._kept)
        self._kept = kept
        return np.asarray(cv2.blur(kept, (3, 3)), np.float32)


def quantised(light: Floats, bits: int) -> NDArray[np.uint16]:
    """Sensor codes 0 .. 2^bits - 1; the highest is white, code 0 lies ``PEDESTAL`` below black."""
    top = np.float32(2**bits - 1)
    codes = light + np.float32(PEDESTAL)
    codes *= top / np.float32(1 + PEDESTAL)
    codes += np.float32(0.5)
    return np.asarray(np.clip(codes, 0, top, out=codes).astype(np.uint16))


def light_of_codes(bits: int) -> Floats:
    """Light that each sensor code stands for, float32 [2^bits]."""
    codes = np.arange(2**bits, dtype=np.float32)
    return np.asarray(codes * np.float32((1 + PEDESTAL) / (2**bits - 1)) - np.float32(PEDESTAL), np.float32)
