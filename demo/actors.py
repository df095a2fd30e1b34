"""What moves in the night scene: cars (boxes met by the viewing rays) and people (jointed capsules on a card)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from demo.street import EYE, FOCAL, LED, Array, Street, glow, lamp_light, project, rays

Window = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Car:
    """A car whose front (the end nearer to the camera) is at ``z``; lights on unless parked."""

    x: float
    z: float
    paint: tuple[float, float, float]
    parked: bool = False
    width: float = 1.78
    length: float = 4.2


@dataclass(frozen=True, slots=True)
class Walker:
    """A person at ``x``, ``z``; ``stride`` is the phase of the gait in radians."""

    x: float
    z: float
    stride: float
    coat: tuple[float, float, float]
    heading: int = 1
    """+1 walks to the right of the picture, -1 to the left, 0 along the street."""


def _window(
    low: tuple[float, float, float], high: tuple[float, float, float], width: int, height: int
) -> Window | None:
    """Pixels that can show a box, None where it lies outside the picture."""
    near = max(low[2], 0.6)
    corners = [
        project((x, y, z), width, height)[:2]
        for x in (low[0], high[0])
        for y in (low[1], high[1])
        for z in (near, high[2])
    ]
    columns, rows = [c[0] for c in corners], [c[1] for c in corners]
    left, right = max(int(min(columns)) - 1, 0), min(int(max(columns)) + 2, width)
    top, bottom = max(int(min(rows)) - 1, 0), min(int(max(rows)) + 2, height)
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom and high[2] > 1.0 else None


def _meet(
    dx: Array, dy: Array, low: tuple[float, float, float], high: tuple[float, float, float]
) -> tuple[Array, Array]:
    """Slab test: depth at which rays enter a box (inf: never) and the entered face's normal [..., 3]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ax, bx = (low[0] - EYE[0]) / dx, (high[0] - EYE[0]) / dx
        ay, by = (low[1] - EYE[1]) / dy, (high[1] - EYE[1]) / dy
    enter_x, enter_y = np.minimum(ax, bx), np.minimum(ay, by)
    enter = np.maximum(np.maximum(enter_x, enter_y), low[2])
    leave = np.minimum(np.minimum(np.maximum(ax, bx), np.maximum(ay, by)), high[2])
    normal = np.zeros((*dx.shape, 3), np.float32)
    normal[..., 2] = np.where(enter == low[2], -1, 0)
    normal[..., 0] = np.where((enter == enter_x) & (enter > low[2]), -np.sign(dx), 0)
    normal[..., 1] = np.where((enter == enter_y) & (enter > low[2]), -np.sign(dy), 0)
    return np.where((enter <= leave) & (enter > 0.5), enter, np.inf).astype(np.float32), normal


def head_light(car: Car, point: Array, normal: Array) -> Array:
    """Irradiance of a car's two dipped beams at points in front of it, [..., 3]."""
    total = np.zeros(point.shape[:-1], np.float32)
    for side in (-0.6, 0.6):
        tx, ty, tz = point[..., 0] - (car.x + side), point[..., 1] - 0.66, car.z - point[..., 2]
        ahead = np.maximum(tz, 0.05)
        sideways, upward = tx / ahead, ty / ahead
        beam = np.exp(
            -((sideways / 0.34) ** 2)
            - np.where(upward > -0.02, ((upward + 0.02) / 0.035) ** 2, ((upward + 0.02) / 0.22) ** 2)
        )
        square = tx * tx + ty * ty + ahead * ahead
        facing = np.abs(-tx * normal[..., 0] - ty * normal[..., 1] + tz * normal[..., 2]) / np.sqrt(square)
        total += np.where(tz > 0.05, 260.0 * beam * facing / (square + 2.0), 0)
    return total[..., None] * LED


def ground_shadow(light: Array, street: Street, car: Car, width: int, height: int) -> None:
    """Darkens the road below a car, in place."""
    margin = 0.5
    low, high = (
        (car.x - car.width / 2 - margin, 0.0, car.z - margin),
        (car.x + car.width / 2 + margin, 0.05, car.z + car.length + margin),
    )
    window = _window(low, high, width, height)
    if window is None:
        return
    point = street.point[window]
    beyond_x = np.maximum(np.abs(point[..., 0] - car.x) - car.width / 2 + 0.1, 0)
    beyond_z = np.maximum(np.abs(point[..., 2] - car.z - car.length / 2) - car.length / 2 + 0.1, 0)
    shade = 1 - 0.8 * np.clip(1 - np.hypot(beyond_x, beyond_z) / margin, 0, 1) * (point[..., 1] < 0.05)
    light[window] *= shade[..., None]


def draw_car(light: Array, depth: Array, car: Car, beams: list[Car], width: int, height: int) -> None:
    """Draws body, cabin, wheels and lamps of a car over ``light`` and ``depth``, in place."""
    half = car.width / 2
    body = (car.x - half, 0.28, car.z), (car.x + half, 0.92, car.z + car.length)
    cabin = (car.x - half + 0.13, 0.92, car.z + 1.15), (car.x + half - 0.13, 1.46, car.z + car.length - 0.5)
    window = _window((body[0][0], 0.0, body[0][2]), (body[1][0], 1.5, body[1][2]), width, height)
    if window is None:
        return
    dx, dy = (slope[window] for slope in rays(width, height))
    for box in (body, cabin):
        met, normal = _meet(dx, dy, *box)
        seen = met < depth[window]
        if not seen.any():
            continue
        safe = np.where(seen, met, 1.0)
        point = np.stack([EYE[0] + dx * safe, EYE[1] + dy * safe, safe], -1).astype(np.float32)
        albedo = np.broadcast_to(np.asarray(car.paint, np.float32), point.shape).copy()
        shine = np.zeros_like(point)
        if box is body:
            _dress_body(albedo, shine, point, normal, car)
        else:
            upright = np.abs(normal[..., 1]) < 0.5
            albedo[upright & (point[..., 1] < 1.38)] = (0.012, 0.014, 0.018)
        shade = albedo * (
            lamp_light(point, normal)
            + sum((head_light(b, point, normal) for b in beams if b is not car), np.float32(0))
        )
        glossy = np.maximum(normal[..., 1:2], 0) * 0.03
        light[window] = np.where(seen[..., None], shade + shine + glossy, light[window])
        depth[window] = np.where(seen, met, depth[window])
    _wheels(light, depth, car, window, dx, dy)
    if not car.parked and car.z > 0.8:
        for side in (-0.6, 0.6):
            column, row, scale = project((car.x + side, 0.66, car.z), width, height)
            glow(light, column, row, max(0.13 * scale, 1.4), 11.0 * LED)


def _dress_body(albedo: Array, shine: Array, point: Array, normal: Array, car: Car) -> None:
    across, up = np.abs(point[..., 0] - car.x), point[..., 1]
    front = normal[..., 2] < -0.5
    albedo[front & (across < 0.42) & (up > 0.58) & (up < 0.76)] = (0.01, 0.01, 0.012)
    albedo[front & (across < 0.26) & (up > 0.38) & (up < 0.50)] = (0.55, 0.55, 0.5)
    albedo[front & (up < 0.36)] = (0.015, 0.015, 0.015)
    lamps = front & (np.abs(across - 0.66) < 0.16) & (np.abs(up - 0.68) < 0.08)
    albedo[lamps] = (0.4, 0.4, 0.42)
    if not car.parked:
        shine[lamps] = 6.0 * LED
    side = np.abs(normal[..., 0]) > 0.5
    albedo[side & (np.abs(up - 0.6) < 0.012)] *= 0.4


def _wheels(light: Array, depth: Array, car: Car, window: Window, dx: Array, dy: Array) -> None:
    side = car.x + (-car.width / 2 if car.x > EYE[0] else car.width / 2)
    with np.errstate(divide="ignore"):
        met = (side - EYE[0]) / dx
    y = EYE[1] + dy * met
    for along in (0.75, car.length - 0.8):
        r = np.hypot(met - car.z - along, y - 0.31)
        here = (r < 0.32) & (met > 0.6) & (met <= depth[window] + 0.1)
        light[window] = np.where(here[..., None], np.where((r < 0.19)[..., None], 0.05, 0.008), light[window])


def draw_walker(light: Array, depth: Array, walker: Walker, beams: list[Car], width: int, height: int) -> None:
    """Draws a walking person as soft-edged capsules on an upright card, in place."""
    window = _window((walker.x - 0.6, 0.0, walker.z), (walker.x + 0.6, 1.9, walker.z + 0.01), width, height)
    if window is None:
        return
    dx, dy = (slope[window] for slope in rays(width, height))
    u, v = EYE[0] + dx * walker.z - walker.x, EYE[1] + dy * walker.z
    soft = walker.z / (FOCAL * width)
    swing, turn = np.sin(walker.stride), float(walker.heading)
    bob = 0.025 * np.cos(2 * walker.stride)
    stance = 0.07 if walker.heading == 0 else 0.02
    skin, cloth, hair = (0.30, 0.19, 0.14), (0.03, 0.035, 0.05), (0.03, 0.02, 0.015)
    point = np.stack([u + walker.x, v, np.full_like(u, walker.z)], -1).astype(np.float32)
    normal = np.zeros_like(point)
    normal[..., 0], normal[..., 1], normal[..., 2] = np.clip(u / 0.3, -0.8, 0.8), 0.35, -0.6
    irradiance = lamp_light(point, normal) + sum((head_light(beam, point, normal) for beam in beams), np.float32(0))
    reach = 0.30 * turn
    for sign, shade in ((-1.0, 0.7), (1.0, 1.0)):
        knee = (sign * (stance + 0.5 * reach * swing) + 0.04 * turn, 0.48)
        foot = (sign * (stance + reach * swing), 0.06 + 0.07 * max(0.0, sign * float(np.cos(walker.stride))))
        hip, hand = (
            (sign * stance, 0.90 + bob),
            (-sign * (0.8 * reach * swing) + sign * stance * 3.2 + 0.05 * turn, 0.86 + bob),
        )
        for start, end, radius, colour in (
            (hip, knee, 0.085, cloth),
            (knee, foot, 0.065, cloth),
            (foot, (foot[0] + 0.13 * turn, foot[1] - 0.02), 0.05, hair),
            ((sign * stance * 2.6, 1.38 + bob), hand, 0.06, walker.coat),
            (hand, (hand[0], hand[1] - 0.04), 0.045, skin),
        ):
            _capsule(light[window], u, v, start, end, radius, soft, shade * np.asarray(colour, np.float32) * irradiance)
        if sign < 0:
            _capsule(
                light[window],
                u,
                v,
                (0, 0.92 + bob),
                (0.02 * turn, 1.38 + bob),
                0.17,
                soft,
                np.asarray(walker.coat, np.float32) * irradiance,
            )
    _capsule(
        light[window],
        u,
        v,
        (0.03 * turn, 1.62 + bob),
        (0.04 * turn, 1.66 + bob),
        0.105,
        soft,
        np.asarray(skin, np.float32) * irradiance,
    )
    _capsule(
        light[window],
        u,
        v,
        (-0.02 * turn, 1.70 + bob),
        (0.03 * turn, 1.72 + bob),
        0.09,
        soft,
        np.asarray(hair, np.float32) * irradiance,
    )


def _capsule(
    canvas: Array,
    u: Array,
    v: Array,
    start: tuple[float, float],
    end: tuple[float, float],
    radius: float,
    soft: float,
    colour: Array,
) -> None:
    along = (end[0] - start[0], end[1] - start[1])
    length = along[0] ** 2 + along[1] ** 2 + 1e-9
    t = np.clip(((u - start[0]) * along[0] + (v - start[1]) * along[1]) / length, 0, 1)
    distance = np.hypot(u - start[0] - t * along[0], v - start[1] - t * along[1])
    cover = np.clip(0.5 + (radius - distance) / soft, 0, 1)[..., None]
    canvas[...] = canvas * (1 - cover) + cover * colour
