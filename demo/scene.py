"""The night scene in time: who is where at a given second, and the linear light that reaches the lens."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from demo.actors import Car, Walker, draw_car, draw_walker, ground_shadow, head_light
from demo.street import Array, Street, build_street

DURATION = 8.0
"""Seconds after which nothing new happens."""
CADENCE = 5.2
"""Gait of the nearest walker, radians per second; a foot falls every pi."""


def car_distance(second: float) -> float:
    """Metres from the camera to the front of the car that comes up the street."""
    return 52.0 - 7.4 * second


class NightScene:
    """Frames of the street at ``width`` x ``height``; the same arguments give the same light, to the bit."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    @cached_property
    def street(self) -> Street:
        """The standing scene, computed at first use."""
        return build_street(self.width, self.height)

    def light(self, second: float) -> Array:
        """Linear radiance [height, width, 3] at a time; 1 is about the white of a well-lit wall."""
        street, size = self.street, (self.width, self.height)
        coming = Car(-1.75, car_distance(second), (0.10, 0.11, 0.13))
        parked = [
            Car(2.55, 19.5, (0.03, 0.07, 0.20), parked=True),
            Car(2.6, 26.0, (0.30, 0.31, 0.32), parked=True),
            Car(2.6, 37.0, (0.22, 0.03, 0.03), parked=True),
        ]
        beams = [coming]
        light, depth = street.light.copy(), street.depth.copy()
        rows = slice(int(0.28 * self.height), self.height)
        light[rows] += street.albedo[rows] * head_light(coming, street.point[rows], street.normal[rows])
        people = [
            Walker(-5.6 + 1.28 * second, 12.6, CADENCE * second, (0.24, 0.05, 0.04), heading=1),
            Walker(5.2 - 0.05 * np.sin(second), 27.0 - 1.15 * second, 5.0 * second + 1, (0.10, 0.14, 0.22), heading=0),
            Walker(-5.0, 20.0 + 1.2 * second, 5.4 * second, (0.06, 0.06, 0.06), heading=0),
        ]
        for car in (*parked, coming):
            ground_shadow(light, street, car, *size)
        actors: list[Car | Walker] = sorted([*parked, coming, *people], key=lambda actor: -actor.z)
        for actor in actors:
            if isinstance(actor, Car):
                draw_car(light, depth, actor, beams, *size)
            else:
                draw_walker(light, depth, actor, beams, *size)
        return light
