"""Light of the night: uneven illumination, lamps, a bright window, the beat of lamps, and exposure that hunts.

Where light falls is kept in three maps: ``ambient`` and ``lit`` multiply the surface's colour, ``glow`` is added; a
flickering lamp changes ``lit`` and ``glow``. The target has even light and steady lamps: all of this is to be undone.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.night.clip import Floats

AMBIENT, LIT, GLOW = range(3)
LAMP_COLOUR = (1.0, 0.78, 0.5)
"""Linear red, green, blue of a lamp's light."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """Place in world pixels; ``core`` in pixels. The disc is ``power`` times the white of the target's light."""

    x: float
    y: float
    core: float
    power: float = 20.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What changes in time. Lamps on mains of f Hz beat at 2f; 120 Hz seen at 25 frames a second is 5 Hz.

    ``readout``: seconds from the first row to the last, which makes bands of the beat.
    """

    beat: float = 0.0
    hunting: float = 0.0
    beat_hertz: float = 120.0
    hunting_hertz: float = 3.0
    readout: float = 0.002

    def lamps(self, second: float, height: int) -> Floats:
        """Factor of lamp light for each row, float32 [height, 1]."""
        rows = second + self.readout * np.arange(height) / height
        return np.asarray(1 + self.beat * np.cos(2 * np.pi * self.beat_hertz * rows), np.float32)[:, None]

    def exposure(self, second: float) -> float:
        """Factor of exposure; ``hunting`` is its amplitude in stops."""
        return float(2 ** (self.hunting * np.sin(2 * np.pi * self.hunting_hertz * second)))


def even(width: int, height: int, ambient: float = 1.0) -> Floats:
    """Maps [height, width, 3] of the same light everywhere."""
    maps = np.zeros((height, width, 3), np.float32)
    maps[..., AMBIENT] = ambient
    return maps


def uneven(width: int, height: int, rng: np.random.Generator, lowest: float = 0.2) -> Floats:
    """Ambient light from 3x4 random values in ``lowest`` .. 1, bicubic, then scaled to a log-mean of 1.

    So a level's exposure is that of the whole scene, whatever was drawn.
    """
    nodes = rng.uniform(lowest, 1, (3, 4)).astype(np.float32)
    maps = even(width, height)
    ambient = np.clip(cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC), lowest / 2, 1.2)
    maps[..., AMBIENT] = ambient / np.exp(np.log(ambient).mean())
    return maps


def add_window(maps: Floats, box: tuple[float, float, float, float], brightness: float, blur: float) -> Floats:
    """A bright opening: ambient light rises to ``brightness`` within left, top, right, bottom, with soft edges.

    Returns where it is, float32 [h, w], 0..1.
    """
    left, top, right, bottom = (round(edge) for edge in box)
    inside: Floats = np.zeros(maps.shape[:2], np.float32)
    inside[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 1
    inside = np.asarray(cv2.GaussianBlur(inside, (0, 0), blur), np.float32)
    maps[..., AMBIENT] += inside * (np.float32(brightness) - maps[..., AMBIENT])
    return inside


def add_lamp(maps: Floats, lamp: Lamp) -> Floats:
    """Adds the disc and its halo to ``glow`` and a pool of light to ``lit``; returns what the target shows, 0..1."""
    height, width = maps.shape[:2]
    y, x = np.ogrid[:height, :width]
    away = np.hypot(x - lamp.x, y - lamp.y).astype(np.float32)
    disc = np.clip(lamp.core + 0.5 - away, 0, 1)
    halo = np.exp(-away / (1.6 * lamp.core)) * (away > 0) * (1 - disc)
    maps[..., GLOW] += lamp.power * (disc + 0.12 * halo)
    below = np.hypot(x - lamp.x, (y - lamp.y - 9 * lamp.core) / 1.4)
    maps[..., LIT] += (4.0 * np.exp(-0.5 * np.square(below / (9 * lamp.core)))).astype(np.float32)
    return np.asarray(disc + 0.45 * halo, np.float32)
