"""How dark and how noisy: the benchmark's levels, and random draws for those who train on such clips.

The law of noise is that of raw sensors, ``variance = A * light + B^2`` with shot noise A and read noise B. Draws follow
Brooks et al., "Unprocessing Images for Learned Raw Denoising" (CVPR 2019): A log-uniform, and the variance of reading
noise log-normal around a line over log A. Colour casts and black offsets of the levels are drawn too, but small: a
figure should tell of darkness and noise. One level, ``unseen``, has another tone curve and strong row noise; nothing
should be trained on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log

import numpy as np


@dataclass(frozen=True, slots=True)
class Degradation:
    """One camera in one night. Light: linear, full well = 1, after exposure."""

    exposure: float
    """Light that arrives, over that of the target."""
    shot: float
    """A: variance for each unit of light."""
    read: float
    """B: standard deviation in the dark."""
    row: float = 0.1
    """Standard deviation of a whole row's offset, in units of ``read``."""
    bits: int = 12
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """White balance of red, green, blue, applied after the noise; not 1: a colour cast."""
    black: float = 0.0
    """Light added by a black level that was not fully subtracted."""
    gamma: float = 2.2
    toe: float = 0.003
    """Light below which the tone curve is a straight line."""
    residue: bool = False
    """The camera filters noise itself: half of the frame before, then 3x3."""


LEVELS = {
    "mild": Degradation(1 / 6, 0.0008, 0.0015),
    "mid": Degradation(1 / 12, 0.0012, 0.002),
    "hard": Degradation(1 / 25, 0.002, 0.003),
    "unseen": Degradation(1 / 12, 0.0012, 0.002, row=0.3, gamma=2.6, toe=0.0005),
}
RANDOM = "random"


def degradation(level: str, rng: np.random.Generator) -> Degradation:
    """The degradation of a level, or of ``random``; ``ValueError`` for other names."""
    if level == RANDOM:
        return _drawn(rng)
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is none of {', '.join([*LEVELS, RANDOM])}")
    warm = float(rng.uniform(0, 0.08))
    return replace(LEVELS[level], gains=(1 + warm, 1.0, 1 - warm), black=float(rng.uniform(0, 0.001)))


def _drawn(rng: np.random.Generator) -> Degradation:
    shot = exp(rng.uniform(log(1e-4), log(3e-3)))
    read = exp(0.5 * (2.18 * log(shot) + 1.20 + rng.normal(0, 0.26)))
    cool, warm = sorted(rng.uniform(0.7, 1.4, 2))
    red, blue = (warm, cool) if rng.random() < 0.7 else (cool, warm)
    return Degradation(
        exposure=exp(rng.uniform(log(1 / 40), log(1 / 3))),
        shot=shot,
        read=read,
        row=float(rng.uniform(0, 0.3)),
        bits=int(rng.choice([10, 12])),
        gains=(float(red), 1.0, float(blue)),
        black=float(rng.uniform(0, 0.01)),
        gamma=float(rng.uniform(2.0, 2.6)),
        toe=float(rng.uniform(0.0005, 0.006)),
        residue=bool(rng.random() < 0.3),
    )
