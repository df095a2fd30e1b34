"""A small-sensor night camera: exposure, noise in linear light, warm balance, tone curve, 8-bit limited BT.709 planes.

Noise follows ``variance = shot * signal + read^2`` in the sensor's own colours, before white balance, as in raw-noise
models of the low-light literature; a slight blur stands for demosaicing, so that grain is not white.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.street import Array

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sensor:
    """``exposure`` scales radiance to full well = 1; ``shot``, ``read``: the noise law; ``gains``: white balance."""

    exposure: float = 0.11
    shot: float = 2.2e-4
    read: float = 1.1e-3
    gains: tuple[float, float, float] = (1.12, 1.0, 0.90)
    seed: int = 7


class NightCamera:
    """Turns linear light into yuv420p planes; noise is drawn per frame index, so frames can be made in any order."""

    def __init__(self, width: int, height: int, sensor: Sensor | None = None) -> None:
        self.width, self.height, self.sensor = width, height, sensor or Sensor()
        rng = np.random.default_rng(self.sensor.seed)
        raw = rng.standard_normal((height + 256, width + 256), np.float32)
        smooth = 0.5 * raw + 0.3 * np.roll(raw, 1, 0) + 0.3 * np.roll(raw, 1, 1)
        self._grain = smooth / smooth.std()

    def _noise(self, frame: int) -> Array:
        """Grain of unit variance [height, width, 3], cut from one large field at offsets drawn for this frame."""
        rng = np.random.default_rng((self.sensor.seed, frame))
        offsets = rng.integers(0, 256, (3, 2))
        signs = rng.choice(np.array([-1.0, 1.0], np.float32), 3)
        channels = [
            sign * self._grain[y : y + self.height, x : x + self.width]
            for (y, x), sign in zip(offsets, signs, strict=True)
        ]
        return np.stack(channels, -1)

    def expose(self, light: Array, frame: int) -> Array:
        """Gamma-coded RGB in 0..1 as the camera would deliver it."""
        signal = light * np.float32(self.sensor.exposure)
        signal += self._noise(frame) * np.sqrt(self.sensor.shot * signal + self.sensor.read**2)
        signal *= np.asarray(self.sensor.gains, np.float32)
        np.clip(signal, 0, 1, out=signal)
        return np.asarray(
            np.where(signal < 0.0031308, 12.92 * signal, 1.055 * np.power(signal, 1 / 2.4) - 0.055), np.float32
        )

    def planes(self, light: Array, frame: int) -> tuple[Bytes, Bytes, Bytes]:
        """Y [h, w], U and V [h/2, w/2] codes, limited range, BT.709; even sizes only."""
        rgb = self.expose(light, frame)
        r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
        y = 0.2126 * r + 0.7152 * g + 0.0722 * b
        mean = rgb.reshape(self.height // 2, 2, self.width // 2, 2, 3).mean((1, 3))
        low = 0.2126 * mean[..., 0] + 0.7152 * mean[..., 1] + 0.0722 * mean[..., 2]
        u, v = (mean[..., 2] - low) / 1.8556, (mean[..., 0] - low) / 1.5748
        return _codes(16 + 219 * y), _codes(128 + 224 * u), _codes(128 + 224 * v)


def _codes(plane: Array) -> Bytes:
    return np.round(plane).astype(np.uint8)
