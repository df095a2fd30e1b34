"""The standing half of the night scene: a street canyon, ray cast once into buffers that every frame re-uses.

World in metres: x to the right, y up, z away from the camera. The camera looks along z with a shifted lens, so that
verticals stay vertical. Light is linear; lamps are Lambertian downlights with inverse-square falloff. All textures are
procedural (hashed value noise), hence the clip belongs to nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

EYE = np.array([0.6, 4.6, 0.0], np.float32)
"""Camera position."""
FOCAL = 0.86
"""Focal length as a share of the picture's width."""
HORIZON = 0.30
"""Height of the horizon as a share of the picture's height."""
WALL, KERB = 6.6, 3.7
"""Half widths of the street canyon and of its carriageway."""
SODIUM = np.array([1.0, 0.56, 0.2], np.float32)
LED = np.array([0.86, 0.95, 1.0], np.float32)
AMBIENT = np.array([0.0066, 0.0068, 0.0092], np.float32)
"""Sky glow, in the unit of albedo times light."""


@dataclass(frozen=True, slots=True)
class Lamp:
    position: tuple[float, float, float]
    colour: Array
    power: float = 1.0


LAMPS = (
    Lamp((-4.1, 6.0, 11.0), SODIUM, 1.1),
    Lamp((4.1, 6.0, 22.0), SODIUM, 1.0),
    Lamp((-4.1, 6.0, 33.0), LED, 0.8),
    Lamp((4.1, 6.0, 45.0), SODIUM, 1.2),
    Lamp((-4.1, 6.0, 58.0), SODIUM, 1.3),
)


@dataclass(frozen=True, slots=True)
class Street:
    """Per pixel, float32: ``point``, ``normal``, ``albedo`` and ``light`` [h, w, 3]; ``depth`` [h, w].

    ``light`` is the finished linear radiance under the standing lamps, emission and lamp glow included.
    """

    point: Array
    normal: Array
    albedo: Array
    light: Array
    depth: Array


def rays(width: int, height: int) -> tuple[Array, Array]:
    """x and y slopes of the viewing rays per metre of z, each [height, width]."""
    focal = FOCAL * width
    x = (np.arange(width, dtype=np.float32) + 0.5 - 0.5 * width) / focal
    y = (HORIZON * height - np.arange(height, dtype=np.float32) - 0.5) / focal
    return np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))


def project(point: tuple[float, float, float], width: int, height: int) -> tuple[float, float, float]:
    """Pixel column, row and pixels per metre at a point in front of the camera."""
    scale = FOCAL * width / (point[2] - float(EYE[2]))
    return (
        0.5 * width + (point[0] - float(EYE[0])) * scale,
        HORIZON * height - (point[1] - float(EYE[1])) * scale,
        scale,
    )


def _hash(i: NDArray[np.int64], j: NDArray[np.int64], seed: int) -> Array:
    n = (i * 374761393 + j * 668265263 + seed * 1442695041) & 0xFFFFFFFF
    n = ((n ^ (n >> 13)) * 1274126177) & 0xFFFFFFFF
    return ((n ^ (n >> 16)) & 0xFFFF).astype(np.float32) / 65535.0


def _value_noise(u: NDArray[np.floating], v: NDArray[np.floating], seed: int) -> Array:
    i, j = np.floor(u).astype(np.int64), np.floor(v).astype(np.int64)
    p, q = (u - i).astype(np.float32), (v - j).astype(np.float32)
    p, q = p * p * (3 - 2 * p), q * q * (3 - 2 * q)
    top = _hash(i, j, seed) * (1 - p) + _hash(i + 1, j, seed) * p
    low = _hash(i, j + 1, seed) * (1 - p) + _hash(i + 1, j + 1, seed) * p
    return np.asarray(top * (1 - q) + low * q, np.float32)


def _near(value: NDArray[np.floating], period: float, width: float) -> NDArray[np.bool_]:
    """Within ``width`` of a multiple of ``period``: joints, stripes."""
    return np.asarray(np.abs(value - np.round(value / period) * period) < 0.5 * width)


def lamp_light(point: Array, normal: Array) -> Array:
    """Irradiance of the standing lamps at points with given normals; both [..., 3]."""
    total = np.broadcast_to(AMBIENT * 14, point.shape).astype(np.float32).copy()
    for lamp in LAMPS:
        to = np.asarray(lamp.position, np.float32) - point
        square = np.maximum((to * to).sum(-1), 0.3)
        down = np.maximum(to[..., 1], 0) / np.sqrt(square)
        facing = np.maximum((to * normal).sum(-1), 0) / np.sqrt(square)
        total += (30.0 * lamp.power * down**1.5 * facing / square)[..., None] * lamp.colour
    return total


def _ground(x: Array, z: Array) -> Array:
    grain = 0.55 * _value_noise(x * 1.3, z * 1.3, 1) + 0.45 * _value_noise(x * 14, z * 14, 2)
    shade = 0.055 + 0.05 * grain
    worn = 0.6 + 0.4 * _value_noise(x * 5, z * 5, 3)
    dashes = (np.abs(x) < 0.07) & (np.mod(z, 6.0) < 3.0) & (z > 21)
    zebra = (np.abs(x) < KERB - 0.3) & (z > 15.5) & (z < 18.7) & (np.mod(x + 0.25, 1.0) < 0.5)
    shade = np.where(dashes | zebra, 0.5 * worn, shade)
    walk = np.abs(x) > KERB
    slabs = 0.16 + 0.07 * _value_noise(np.floor(x * 1.6), np.floor(z * 1.25), 4) + 0.04 * grain
    slabs = np.where(_near(x, 0.625, 0.03) | _near(z, 0.8, 0.03), 0.08, slabs)
    shade = np.where(walk, slabs, shade)
    shade = np.where(np.abs(np.abs(x) - KERB) < 0.09, 0.34, shade)
    cover = np.hypot(x - 1.6, (z - 12.4)) < 0.38
    shade = np.where(cover, 0.03 + 0.05 * _near(x + z, 0.14, 0.07), shade)
    return np.asarray(shade[..., None] * np.array([1.0, 0.97, 0.93], np.float32), np.float32)


def _facade(z: Array, y: Array, side: int) -> tuple[Array, Array]:
    """Albedo and emission of a house front, both [..., 3]."""
    house = np.floor((z + 3 * side) / 12.0)
    pick = _hash(house.astype(np.int64), np.full(house.shape, side, np.int64), 11)
    paints = np.array([[0.30, 0.13, 0.09], [0.36, 0.31, 0.22], [0.17, 0.20, 0.24], [0.33, 0.27, 0.25]], np.float32)
    albedo = paints[np.minimum((pick * 4).astype(int), 3)]
    row = np.floor(y / 0.09)
    bricks = _value_noise(np.floor(z / 0.26 + 0.5 * np.mod(row, 2)), row, 12)
    albedo = albedo * (0.62 + 0.3 * bricks + 0.35 * _value_noise(z * 0.7, y * 0.7, 13))[..., None]
    albedo = np.where((np.mod(z + 3 * side, 12.0) < 0.12)[..., None], 0.05, albedo)
    emission = np.zeros_like(albedo)

    u, v = np.mod(z, 2.4), np.mod(y - 3.6, 3.0)
    cell_u, cell_v = np.floor(z / 2.4).astype(np.int64), np.floor((y - 3.6) / 3.0).astype(np.int64)
    upper = y > 3.6
    frame = upper & (u > 0.62) & (u < 1.82) & (v > 0.55) & (v < 2.25)
    pane = (
        upper
        & (u > 0.70)
        & (u < 1.74)
        & (v > 0.63)
        & (v < 2.17)
        & ~_near(u - 1.22, 10, 0.07)
        & ~_near(v - 1.5, 10, 0.06)
    )
    albedo = np.where(frame[..., None], np.array([0.42, 0.40, 0.37], np.float32), albedo)
    albedo = np.where(pane[..., None], np.array([0.025, 0.03, 0.038], np.float32), albedo)
    lit = _hash(cell_u, cell_v + 50 * side, 14)
    warmth = _hash(cell_u, cell_v + 50 * side, 15)[..., None]
    colour = warmth * np.array([1.0, 0.63, 0.28], np.float32) + (1 - warmth) * np.array([0.9, 0.82, 0.62], np.float32)
    curtain = 0.45 + 0.55 * np.abs(np.sin(u * 17))
    emission += np.where(pane & (lit > 0.82), (0.25 + 2.2 * (lit - 0.82) / 0.18) * curtain, 0.0)[..., None] * colour

    shop = (y > 0.5) & (y < 2.7) & (np.mod(z + 5 * side, 12.0) > 2.0) & (np.mod(z + 5 * side, 12.0) < 7.2)
    mullion = _near(np.mod(z + 5 * side, 12.0) - 2.0, 1.7333, 0.09)
    open_late = _hash(house.astype(np.int64), np.full(house.shape, side, np.int64), 16) > 0.72
    shelf, item = np.floor(y / 0.5), np.floor(z / 0.21)
    stock = _hash(item.astype(np.int64), shelf.astype(np.int64), 17)
    stocked = (np.mod(y, 0.5) < 0.12 + 0.3 * stock) & (np.mod(z, 0.21) < 0.17)
    tint = np.stack([0.25 + 0.75 * stock, 0.25 + 0.75 * np.mod(stock * 7.3, 1), 0.2 + 0.6 * np.mod(stock * 3.1, 1)], -1)
    goods = np.where(stocked[..., None], 0.45 * tint, np.where(np.mod(y, 0.5)[..., None] > 0.46, 0.12, 0.75)).astype(
        np.float32
    )
    albedo = np.where(shop[..., None], np.array([0.03, 0.034, 0.04], np.float32), albedo)
    inside = np.where(shop & ~mullion & open_late, 0.36 + 0.2 * y, 0.0)
    emission += inside[..., None] * goods * np.array([1.0, 0.86, 0.62], np.float32)
    band = (y > 2.85) & (y < 3.35) & (np.mod(z + 5 * side, 12.0) > 2.2) & (np.mod(z + 5 * side, 12.0) < 7.0)
    letters = (_value_noise(z * 4.5, np.floor(y * 5), 18) > 0.52) & (y > 2.95) & (y < 3.25)
    paint = np.where(
        (pick > 0.5)[..., None], np.array([0.25, 0.03, 0.03], np.float32), np.array([0.02, 0.12, 0.13], np.float32)
    )
    albedo = np.where(band[..., None], paint, albedo)
    neon = np.where(
        (pick > 0.5)[..., None], np.array([1.0, 0.16, 0.10], np.float32), np.array([0.1, 0.85, 0.75], np.float32)
    )
    emission += np.where((band & letters & open_late)[..., None], 1.3 * neon, 0.0)
    door = (y < 2.3) & (np.mod(z + 5 * side, 12.0) > 8.4) & (np.mod(z + 5 * side, 12.0) < 9.5)
    albedo = np.where(door[..., None], np.array([0.10, 0.06, 0.035], np.float32), albedo)
    return np.asarray(albedo, np.float32), np.asarray(emission, np.float32)


def _reach(plane: Array) -> Array:
    """Depth at which a ray meets a wall, 0 for rays that never do."""
    return np.asarray(np.where(np.isfinite(plane), plane, 0), np.float32)


def _cast(width: int, height: int) -> tuple[Array, Array, Array, Array, Array]:
    """Point, normal, albedo, emission and depth of the bare canyon."""
    dx, dy = rays(width, height)
    with np.errstate(divide="ignore"):
        ground = np.where(dy < 0, -EYE[1] / dy, np.inf)
        left = np.where(dx < 0, (-WALL - EYE[0]) / dx, np.inf)
        right = np.where(dx > 0, (WALL - EYE[0]) / dx, np.inf)
    tops = ((left, -1, 13.5), (right, 1, 10.5))
    depth = np.minimum(ground, 72.0).astype(np.float32)
    kind = np.where(ground < 72.0, 0, np.where(EYE[1] + dy * 72.0 < 15.0, 3, 4))
    for plane, side, top in tops:
        z = _reach(plane)
        y = EYE[1] + dy * z
        roof = top - 1.2 * _hash(np.floor(z / 12).astype(np.int64), np.full(z.shape, side, np.int64), 19)
        hit = (plane < depth) & (y > 0) & (y < roof)
        depth = np.where(hit, plane, depth).astype(np.float32)
        kind = np.where(hit, 1 if side < 0 else 2, kind)
    point = np.stack([EYE[0] + dx * depth, EYE[1] + dy * depth, depth], -1).astype(np.float32)
    normal, albedo, emission = np.zeros_like(point), np.zeros_like(point), np.zeros_like(point)
    normal[kind == 0] = (0, 1, 0)
    albedo[kind == 0] = _ground(point[kind == 0][:, 0], point[kind == 0][:, 2])
    for code, side in ((1, -1), (2, 1)):
        here = kind == code
        normal[here] = (-side, 0, 0)
        albedo[here], emission[here] = _facade(point[here][:, 2], point[here][:, 1], side)
    end = kind == 3
    normal[end] = (0, 0, -1)
    albedo[end], emission[end] = _facade(point[end][:, 0] + 40, point[end][:, 1], 3)
    sky = kind == 4
    emission[sky] = 0.05 * np.array([0.9, 0.75, 0.75], np.float32)
    return point, normal, albedo, emission, depth


def glow(canvas: Array, column: float, row: float, radius: float, light: Array) -> None:
    """Adds a lens glow around a light source to ``canvas`` [h, w, 3], in place."""
    height, width = canvas.shape[:2]
    reach = int(14 * radius) + 2
    top, bottom = max(int(row) - reach, 0), min(int(row) + reach, height)
    first, last = max(int(column) - reach, 0), min(int(column) + reach, width)
    if top >= bottom or first >= last:
        return
    dy = (np.arange(top, bottom, dtype=np.float32) + 0.5 - row)[:, None] / radius
    dx = (np.arange(first, last, dtype=np.float32) + 0.5 - column)[None] / radius
    r2 = dx * dx + dy * dy
    fade = np.clip(1 - r2 / 196.0, 0, 1) ** 2
    shape = np.exp(-1.4 * r2) + 0.022 * fade / (1 + 0.35 * r2)
    canvas[top:bottom, first:last] += shape[..., None] * light


def build_street(width: int, height: int) -> Street:
    """Ray casts the street, up to 1080p at twice the size and averaged down, so that its edges are smooth."""
    fine = 2 if width <= 1920 else 1
    point, normal, albedo, emission, _ = _cast(fine * width, fine * height)
    light = albedo * lamp_light(point, normal) + emission
    haze = 1 - np.exp(-point[..., 2:] / 260.0)
    light = light * (1 - haze) + haze * np.array([0.06, 0.045, 0.035], np.float32)
    light = light.reshape(height, fine, width, fine, 3).mean((1, 3))
    point, normal, albedo, _, depth = _cast(width, height)
    for lamp in LAMPS:
        x, y, z = lamp.position
        column, row, scale = project((x, y, z), width, height)
        _pole(light, depth, x, z, width, height)
        if z > 0:
            glow(light, column, row, max(0.16 * scale, 1.2), 9.0 * lamp.power * lamp.colour)
    return Street(point, normal, albedo, light.astype(np.float32), depth)


def _pole(light: Array, depth: Array, x: float, z: float, width: int, height: int) -> None:
    column, top, scale = project((x, 6.1, z), width, height)
    _, bottom, _ = project((x, 0.0, z), width, height)
    half = max(0.05 * scale, 0.5)
    first, last = int(column - half - 1), int(column + half + 2)
    cover = np.clip(half + 0.5 - np.abs(np.arange(first, last) + 0.5 - column), 0, 1)[None, :, None]
    rows = slice(max(int(top), 0), min(int(bottom), height))
    columns = slice(max(first, 0), min(last, width))
    cover = cover[:, columns.start - first : columns.stop - first]
    light[rows, columns] = light[rows, columns] * (1 - cover) + cover * 0.012
    depth[rows, columns] = np.where(cover[..., 0] > 0.5, z, depth[rows, columns])
