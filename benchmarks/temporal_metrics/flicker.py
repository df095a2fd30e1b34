"""Flicker: the spectrum of mean log-luma, and its energy between 1 and 10 Hz, where eyes are most annoyed.

In the logarithm a change of exposure by 10 % counts alike in dark and bright scenes. Energies are variances: a sinusoid
of amplitude A has A^2 / 2.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Doubles
from benchmarks.temporal_metrics.scenes import scenes

_DARKEST = 1 / 255


def mean_log_luma(luma: Array) -> Doubles:
    """Mean natural logarithm of luma [n, H, W] in 0..1 of every frame, [n]; black counts as 1/255."""
    return np.array([np.log(np.maximum(frame.astype(np.float64), _DARKEST)).mean() for frame in luma])


def spectrum(series: Array, fps: float) -> tuple[Doubles, Doubles]:
    """Frequencies in Hz and the power at each, of a series without its mean and trend, under a Hann window.

    The powers add up to the variance of a series that is spread evenly over time.
    """
    count = len(series)
    if count < 3:
        raise ValueError(f"a spectrum needs three frames or more, not {count}")
    time = np.arange(count)
    given = series.astype(np.float64)
    level: Doubles = given - np.polyval(np.polyfit(time, given, 1), time)
    window = np.sin(np.pi * (time + 0.5) / count) ** 2
    power: Doubles = np.abs(np.fft.rfft(level * window)) ** 2 / (count * (window**2).sum())
    power[1 : (count + 1) // 2] *= 2
    return np.asarray(np.fft.rfftfreq(count, 1 / fps), np.float64), power


def flicker_energy(
    series: Array, fps: float, cuts: Iterable[int] = (), low: float = 1.0, high: float = 10.0
) -> float | None:
    """Energy from ``low`` to ``high`` Hz: mean over scenes of a second or more, by length; None without any."""
    found = scenes(len(series), cuts, shortest=max(round(fps), 3))
    if not found:
        return None
    energies, lengths = [], []
    for scene in found:
        frequencies, power = spectrum(series[scene], fps)
        energies.append(float(power[(frequencies >= low) & (frequencies <= high)].sum()))
        lengths.append(scene.stop - scene.start)
    return float(np.average(energies, weights=lengths))
