"""Moving things: rigid layers with paths of their own. A person's legs swing around the hip, so a person is three.

All are drawn here, four times as large and then reduced, so that edges are smooth and colours reach beyond them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from benchmarks.night.camera import Matrix, shifted, turned
from benchmarks.night.clip import Bytes, Floats
from benchmarks.night.light import AMBIENT, GLOW

FINE = 4
Code = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Layer:
    """One rigid piece: R'G'B' [h, w, 3], coverage ``alpha`` [h, w] 0..1, light maps [h, w, 3], and its path.

    ``path[t]`` takes its pixels to world pixels; ``number`` is the object that it belongs to, 1 .. 255.
    """

    picture: Bytes
    alpha: Floats
    maps: Floats
    number: int
    path: list[Matrix]


def _canvas(width: float, height: float, base: Code, rng: np.random.Generator, mottle: float) -> tuple[Bytes, Bytes]:
    """A coloured sheet with some texture and an empty stencil, ``FINE`` times as large."""
    w, h = round(width) * FINE, round(height) * FINE
    nodes = rng.normal(0, mottle, (max(h // 12, 2), max(w // 12, 2))).astype(np.float32)
    grain = np.asarray(cv2.resize(nodes, (w, h), interpolation=cv2.INTER_CUBIC), np.float32)
    sheet = np.clip(np.asarray(base, np.float32) + grain[..., None], 0, 255).astype(np.uint8)
    return sheet, np.zeros((h, w), np.uint8)


def _layer(sheet: Bytes, stencil: Bytes, maps_of: Floats, number: int, path: list[Matrix]) -> Layer:
    size = (sheet.shape[1] // FINE, sheet.shape[0] // FINE)
    picture = np.asarray(cv2.resize(sheet, size, interpolation=cv2.INTER_AREA), np.uint8)
    cover = cv2.resize(stencil.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)
    alpha = np.asarray(cover, np.float32)
    alpha[[0, -1]] = 0
    alpha[:, [0, -1]] = 0
    maps = np.asarray(cv2.resize(maps_of, size, interpolation=cv2.INTER_AREA), np.float32)
    return Layer(picture, alpha, maps, number, path)


def _lighting(sheet: Bytes, ambient: float) -> Floats:
    maps = np.zeros(sheet.shape, np.float32)
    maps[..., AMBIENT] = ambient
    return maps


def person(
    number: int, tall: float, places: list[tuple[float, float]], light: float, rng: np.random.Generator, steps: float
) -> list[Layer]:
    """Someone ``tall`` pixels high; ``places``: hips in the world; ``light``: ambient; ``steps``: swings a frame."""
    coat = _colour(rng, 60, 190)
    trousers = _colour(rng, 40, 110)
    wide, u = round(0.5 * tall), tall * FINE
    middle = wide * FINE / 2
    sheet, stencil = _canvas(wide, 0.62 * tall, coat, rng, 14)
    dots = [
        (-0.06, 0.155),
        (0.06, 0.155),
        (0.115, 0.185),
        (0.1, 0.36),
        (0.115, 0.54),
        (-0.115, 0.54),
        (-0.1, 0.36),
        (-0.115, 0.185),
    ]
    torso = np.array([(middle + x * u, y * u) for x, y in dots], np.int32)
    for stamp, skin, hair in ((sheet, (196, 150, 122), (58, 40, 30)), (stencil, 255, 255)):
        body = coat if stamp is sheet else 255
        if stamp is stencil:
            cv2.fillPoly(stamp, [torso], body)
            cv2.rectangle(stamp, _from(middle, -0.03, 0.12, u), _from(middle, 0.03, 0.17, u), body, -1)
        for side in (-1, 1):
            top = _from(middle, side * 0.105, 0.205, u)
            hand = _from(middle, side * 0.15, 0.48, u)
            if stamp is stencil:
                cv2.line(stamp, top, hand, body, round(0.06 * u))
            cv2.circle(stamp, hand, round(0.033 * u), skin, -1)
        cv2.ellipse(stamp, _from(middle, 0, 0.08, u), (round(0.052 * u), round(0.066 * u)), 0, 0, 360, skin, -1)
        cv2.ellipse(stamp, _from(middle, 0, 0.07, u), (round(0.057 * u), round(0.058 * u)), 0, 180, 360, hair, -1)
    cv2.line(sheet, _from(middle, 0, 0.17, u), _from(middle, 0, 0.55, u), (40, 40, 44), round(0.012 * u))
    band = slice(round(0.3 * u), round(0.34 * u))
    sheet[band, round(middle - 0.1 * u) : round(middle + 0.1 * u)] = (214, 205, 90)
    hip = (wide / 2, 0.5 * tall)
    trunk_path = [shifted(x - hip[0], y - hip[1]) for x, y in places]
    trunk = _layer(sheet, stencil, _lighting(sheet, light), number, trunk_path)
    legs = []
    for side in (-1, 1):
        sheet, stencil = _canvas(wide, 0.56 * tall, trousers, rng, 8)
        x = round(middle + side * 0.05 * u)
        cv2.line(stencil, (x, round(0.06 * u)), (x, round(0.46 * u)), 255, round(0.095 * u))
        for stamp, shoe in ((sheet, (28, 24, 24)), (stencil, 255)):
            cv2.ellipse(stamp, (x, round(0.485 * u)), (round(0.065 * u), round(0.03 * u)), 0, 0, 360, shoe, -1)
        path = []
        for t, (px, py) in enumerate(places):
            swing = 0.38 * side * np.sin(steps * t) if steps else 0.0
            path.append(shifted(px - hip[0], py - 0.05 * tall) @ turned(swing, 1.0, hip[0], 0.05 * tall))
        legs.append(_layer(sheet, stencil, _lighting(sheet, light), number, path))
    return [*legs, trunk]


def van(
    number: int, long: float, places: list[tuple[float, float]], light: float, rng: np.random.Generator, lamps: float
) -> list[Layer]:
    """A delivery van of ``long`` pixels that drives to the right; ``places``: its middle on the ground.

    ``lamps``: light of the headlamp, as of a lamp's disc; 0: off.
    """
    paint: Code = (226, 224, 214) if lamps else _colour(rng, 90, 220)
    high, u = round(0.5 * long), long * FINE
    sheet, stencil = _canvas(long, high, paint, rng, 3)
    hull = [(0.03, 0.05), (0.7, 0.05), (0.78, 0.08), (0.88, 0.22), (0.97, 0.26), (0.98, 0.4), (0.03, 0.4)]
    cv2.fillPoly(stencil, [np.array([(x * u, y * u) for x, y in hull], np.int32)], 255)
    for x, y, w, h in ((0.56, 0.09, 0.12, 0.1), (0.44, 0.09, 0.1, 0.1)):
        cv2.rectangle(sheet, _at(x, y, u), _at(x + w, y + h, u), (34, 44, 58), -1)
    shield = [(0.71, 0.09), (0.77, 0.1), (0.85, 0.21), (0.71, 0.21)]
    cv2.fillPoly(sheet, [np.array([(x * u, y * u) for x, y in shield], np.int32)], (40, 52, 66))
    cv2.rectangle(sheet, _at(0.03, 0.28, u), _at(0.98, 0.31, u), (40, 96, 168), -1)
    cv2.putText(sheet, "POST 24", _at(0.07, 0.21, u), cv2.FONT_HERSHEY_SIMPLEX, u / 420, (176, 44, 36), round(u / 110))
    for line in (0.41, 0.69):
        cv2.line(sheet, _at(line, 0.07, u), _at(line, 0.38, u), (120, 118, 112), max(round(0.006 * u), 1))
    cv2.rectangle(sheet, _at(0.03, 0.3, u), _at(0.05, 0.36, u), (170, 20, 20), -1)
    for x in (0.2, 0.8):
        for stamp, tyre in ((sheet, (24, 24, 26)), (stencil, 255)):
            cv2.circle(stamp, _at(x, 0.4, u), round(0.075 * u), tyre, -1)
        cv2.circle(sheet, _at(x, 0.4, u), round(0.04 * u), (130, 130, 134), -1)
    maps = _lighting(sheet, light)
    if lamps:
        cv2.ellipse(sheet, _at(0.945, 0.3, u), (round(0.02 * u), round(0.022 * u)), 0, 0, 360, (255, 246, 216), -1)
        glow = np.zeros(stencil.shape, np.float32)
        cv2.ellipse(glow, _at(0.945, 0.3, u), (round(0.02 * u), round(0.022 * u)), 0, 0, 360, lamps, -1)
        maps[..., GLOW] = glow
    path = [shifted(x - long / 2, y - 0.475 * long) for x, y in places]
    return [_layer(sheet, stencil, maps, number, path)]


def _at(x: float, y: float, unit: float) -> tuple[int, int]:
    return round(x * unit), round(y * unit)


def _from(middle: float, x: float, y: float, unit: float) -> tuple[int, int]:
    return round(middle + x * unit), round(y * unit)


def _colour(rng: np.random.Generator, low: int, high: int) -> Code:
    """A colour of cloth or paint: channels around one brightness, not far apart."""
    grey = rng.uniform(low, high)
    r, g, b = (int(c) for c in np.clip(grey + rng.uniform(-32, 32, 3), 20, 235))
    return r, g, b
