"""The sound of the night scene: distant town, a car that passes, footsteps. Mono, computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from demo.scene import CADENCE, car_distance
from demo.street import Array

RATE = 48_000


def _low_pass(noise: NDArray[np.floating], cutoff: float) -> Array:
    """Noise without what lies above ``cutoff`` Hz (6 dB an octave), unit variance."""
    spectrum = np.fft.rfft(noise)
    frequency = np.fft.rfftfreq(noise.size, 1 / RATE)
    shaped = np.fft.irfft(spectrum / np.sqrt(1 + (frequency / cutoff) ** 2), noise.size)
    return np.asarray(shaped / shaped.std(), np.float32)


def ambience(seconds: float, seed: int = 7) -> Array:
    """Samples in -1..1 at ``RATE``."""
    count = int(seconds * RATE)
    rng = np.random.default_rng(seed)
    time = np.arange(count, dtype=np.float32) / RATE
    town = 0.012 * _low_pass(rng.standard_normal(count), 90)
    distance = np.abs(np.interp(time, (0, seconds), (car_distance(0), car_distance(seconds))))
    tyres = 0.10 * _low_pass(rng.standard_normal(count), 700) / (1 + (distance / 6) ** 2)
    hum = 0.05 * np.sin(2 * np.pi * 62 * time) * np.sin(2 * np.pi * 31 * time) / (1 + (distance / 8) ** 2)
    click = rng.standard_normal(2400) * np.exp(-np.arange(2400) / 260)
    steps = np.zeros(count, np.float32)
    for start in np.arange(0.2, seconds - 0.1, np.pi / CADENCE):
        at = int(start * RATE)
        steps[at : at + 2400] += (0.02 * click[: max(0, min(2400, count - at))]).astype(np.float32)
    return np.asarray(np.clip(town + tyres + hum + steps, -1, 1), np.float32)
