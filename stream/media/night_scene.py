"""A night street that costs next to nothing to draw: a fixed scene, things that move in it, noise of a sensor.

Everything is computed once; a frame is a sum of two planes and a few small copies (0.3 ms at 1280x720 on one core).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.planes import Bytes

Floats = NDArray[np.float64]

_NOISE_MARGIN = 64
_NEUTRAL = 128
_BLACK, _WHITE = 16.0, 235.0
_DAY_GAIN, _DAY_OFFSET = 2.6, 40.0


@dataclass(frozen=True, slots=True)
class _Thing:
    """Something that moves along a row, with its planes; ``speed`` in widths a second, to the left where negative."""

    y: Bytes
    u: Bytes
    v: Bytes
    top: int
    speed: float
    start: float


class NightScene:
    """Frames of one size. ``night`` False is the same street by day."""

    def __init__(self, width: int, height: int, *, night: bool = True, noise: float = 3.0, seed: int = 1) -> None:
        """Even sizes; ``noise`` is the standard deviation in luma levels, 0 to 8."""
        self.width, self.height = width, height
        random = np.random.default_rng(seed)
        luma, warmth = _street(width // 2, height // 2, random)
        luma = luma.repeat(2, axis=0).repeat(2, axis=1)
        if not night:
            luma = luma * _DAY_GAIN + _DAY_OFFSET
        # Bytes are added without a look at their range, so what the noise takes and gives is kept free beforehand.
        deepest = round(2.5 * noise)
        grain = random.standard_normal((height + _NOISE_MARGIN, width + _NOISE_MARGIN), np.float32) * noise + deepest
        self._noise = np.clip(np.rint(grain), 0, 2 * deepest).astype(np.uint8)
        self._luma = np.clip(luma - deepest, 0, _WHITE - 2 * deepest).astype(np.uint8)
        self._u = np.clip(_NEUTRAL - 22 * warmth, 16, 240).astype(np.uint8)
        self._v = np.clip(_NEUTRAL + 14 * warmth, 16, 240).astype(np.uint8)
        self._things = [
            _car(width, height, 0.62, 0.11, 0.0, night),
            _car(width, height, 0.72, -0.16, 0.6, night),
            _walker(width, height, 0.52, 0.03, 0.3, night),
        ]
        self._offsets = random.integers(0, _NOISE_MARGIN // 2, (257, 2)) * 2

    def draw(self, y: Bytes, u: Bytes, v: Bytes, number: int, seconds: float) -> None:
        """Fill the planes of frame ``number`` at ``seconds`` since the beginning."""
        down, right = (int(offset) for offset in self._offsets[number % len(self._offsets)])
        np.copyto(u, self._u)
        np.copyto(v, self._v)
        np.copyto(y, self._luma)
        for thing in self._things:
            _place(thing, y, u, v, seconds)
        np.add(y, self._noise[down : down + self.height, right : right + self.width], out=y)


def _street(width: int, height: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Luma of the scene, and how warm its light is (0 to 1)."""
    down, across = np.mgrid[0:height, 0:width]
    down, across = down / height, across / width
    luma = 22.0 + 10.0 * np.clip(down - 0.5, 0, 1) + 2.0 * np.sin(40 * across + 9 * down)
    warmth = np.zeros((height, width))
    left = 0.0
    while left < 1.0:
        house, top = random.uniform(0.06, 0.16), random.uniform(0.12, 0.34)
        inside = (across >= left) & (across < left + house) & (down > top) & (down < 0.56)
        luma[inside] = random.uniform(24, 34)
        panes = inside & ((across - left) % 0.03 > 0.014) & ((down - top) % 0.075 > 0.04)
        lit = random.random((64, 64)) < 0.22
        chosen = panes & lit[(down / 0.075).astype(int) % 64, (across / 0.03).astype(int) % 64]
        luma[chosen], warmth[chosen] = random.uniform(60, 100), 0.8
        left += house + random.uniform(0.0, 0.03)
    for lamp in (0.18, 0.52, 0.85):
        distance = np.hypot((across - lamp) * width / height, down - 0.36)
        glow = np.exp(-distance * 9) + 0.35 * np.exp(-np.hypot((across - lamp) * 1.2, (down - 0.66) * 2.5) * 7)
        luma += 95 * glow
        warmth = np.maximum(warmth, np.clip(1.4 * glow, 0, 1))
    return np.clip(luma, _BLACK, 200), warmth


def _car(width: int, height: int, top: float, speed: float, start: float, night: bool) -> _Thing:
    tall, long = max(4, height // 14 // 2 * 2), max(8, width // 9 // 2 * 2)
    body = np.full((tall, long), 30.0 if night else 90.0)
    body[: tall // 3, : long // 4] = body[: tall // 3, -long // 4 :] = 26.0 if night else 110.0
    front = slice(long - long // 10, long) if speed > 0 else slice(0, long // 10)
    back = slice(0, long // 12) if speed > 0 else slice(long - long // 12, long)
    body[tall // 2 : tall * 3 // 4, front] = 190.0
    body[tall // 2 : tall * 3 // 4, back] = 70.0
    red = np.zeros((tall // 2, long // 2))
    red[tall // 4 : tall * 3 // 8, back.start // 2 : back.stop // 2] = 1.0
    luma = body.astype(np.uint8)
    return _Thing(
        luma,
        (_NEUTRAL - 20 * red).astype(np.uint8),
        (_NEUTRAL + 70 * red).astype(np.uint8),
        _even(top * height),
        speed,
        start,
    )


def _walker(width: int, height: int, top: float, speed: float, start: float, night: bool) -> _Thing:
    tall, wide = max(6, height // 9 // 2 * 2), max(4, width // 60 // 2 * 2)
    luma = np.full((tall, wide), 46 if night else 70, np.uint8)
    luma[: tall // 5] = 64
    colour = np.full((tall // 2, wide // 2), _NEUTRAL, np.uint8)
    return _Thing(luma, colour, colour, _even(top * height), speed, start)


def _even(value: float) -> int:
    return int(value) // 2 * 2


def _place(thing: _Thing, y: Bytes, u: Bytes, v: Bytes, seconds: float) -> None:
    """Copy what is inside the picture; who leaves on one side enters on the other."""
    tall, long = thing.y.shape
    width = y.shape[1]
    left = _even(((thing.start + thing.speed * seconds) % 1.0) * (width + long)) - _even(long)
    first, last = max(0, left), min(width, left + long)
    if first >= last:
        return
    y[thing.top : thing.top + tall, first:last] = thing.y[:, first - left : last - left]
    half = slice(first // 2, last // 2), slice((first - left) // 2, (last - left) // 2)
    rows = slice(thing.top // 2, thing.top // 2 + tall // 2)
    u[rows, half[0]], v[rows, half[0]] = thing.u[:, half[1]], thing.v[:, half[1]]
