"""What happens in a clip. Every scenario asks one question of a method that works in time.

``static``: nothing moves at all. ``pan``: the camera turns by 2 pixels a frame, people and a van move. ``ptz``: it
pans, zooms and shakes. ``enter``: a lit van drives into a dark street that stays as it is. ``lamp``: lamps beat at
5 Hz, as mains at 60 Hz do under 25 frames a second, and exposure hunts at 3 Hz. ``backlight``: someone walks before a
bright opening. ``cuts``: another scene every second. ``black-start``: black for a while, then a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.night import camera, light, sprites
from benchmarks.night.camera import Matrix
from benchmarks.night.clip import Bytes, Floats
from benchmarks.night.compose import Scene
from benchmarks.night.light import Lamp, Rhythm
from benchmarks.night.sprites import Layer
from benchmarks.night.world import World, build

PAN_SPEED = 2.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What scenarios are made from: ``pictures`` gives, for each scene, one picture or one for each frame."""

    size: tuple[int, int]
    frames: int
    fps: int
    pictures: Iterator[list[Bytes]]
    rng: np.random.Generator

    def world(self, path: list[Matrix], start: int = 0, lowest: float = 0.2) -> World:
        """The next picture, in uneven light, as far as the path of a scene that begins at ``start`` sees."""
        view = camera.seen(path, self.size)
        maps = light.uneven(view[2] - view[0], view[3] - view[1], self.rng, lowest)
        found = next(self.pictures)
        return build(found if len(found) == 1 else found[start:], view, maps)


Play = Callable[[Stage], tuple[list[Scene], Rhythm]]


def _walk(stage: Stage, number: int, x: float, speed: float, tall: float, ambient: float = 1.1) -> list[Layer]:
    """Someone on the ground of the first view; ``x``, ``speed`` (of a frame) and ``tall`` as shares of the picture."""
    width, height = stage.size
    size = tall * height
    hips = 0.93 * height - 0.5 * size
    gait = 0.22 if speed else 0.0
    places = [
        ((x + speed * t) * width, hips - 0.012 * size * abs(np.sin(gait * t)) * (1 if speed else 0))
        for t in range(stage.frames)
    ]
    return sprites.person(number, size, places, ambient, stage.rng, gait)


def _drive(stage: Stage, number: int, x: Floats, long: float, ambient: float, lamps: float = 0.0) -> list[Layer]:
    """A van whose middle is at ``x`` (shares of the width, one for each frame)."""
    width, height = stage.size
    places = [(float(at) * width, 0.86 * height) for at in x]
    return sprites.van(number, long * width, places, ambient, stage.rng, lamps)


def _lamps(stage: Stage, world: World, count: int) -> None:
    width, height = stage.size
    core = height / 70
    for place in stage.rng.permutation(np.linspace(0.14, 0.86, 4))[:count]:
        y = stage.rng.uniform(0.16, 0.3) * height
        world.add(Lamp((place + stage.rng.uniform(-0.05, 0.05)) * width, y, core))


def _static(stage: Stage) -> tuple[list[Scene], Rhythm]:
    path = camera.still(stage.frames)
    world = stage.world(path)
    _lamps(stage, world, 1)
    stands = np.full(stage.frames, 0.28, np.float32)
    layers = [*_drive(stage, 1, stands, 0.34, 1.0), *_walk(stage, 2, 0.66, 0.0, 0.52)]
    return [Scene(0, world, layers, path)], Rhythm()


def _moving(stage: Stage, path: list[Matrix]) -> tuple[list[Scene], Rhythm]:
    world = stage.world(path)
    _lamps(stage, world, 2)
    x = np.linspace(0.1, 0.1 + 0.009 * stage.frames, stage.frames).astype(np.float32)
    far, near = _walk(stage, 1, 0.72, -0.0017, 0.42), _walk(stage, 3, 0.3, 0.0036, 0.55)
    return [Scene(0, world, [*far, *_drive(stage, 2, x, 0.3, 1.1), *near], path)], Rhythm()


def _pan(stage: Stage) -> tuple[list[Scene], Rhythm]:
    return _moving(stage, camera.pan(stage.frames, PAN_SPEED))


def _ptz(stage: Stage) -> tuple[list[Scene], Rhythm]:
    return _moving(stage, camera.ptz(stage.frames, stage.size, stage.rng))


def _enter(stage: Stage) -> tuple[list[Scene], Rhythm]:
    path = camera.still(stage.frames)
    world = stage.world(path)
    waits = min(max(stage.frames / 4, 60), stage.frames / 2)
    t = np.arange(stage.frames, dtype=np.float32)
    x = -0.32 + np.clip(t - waits, 0, None) * (0.85 / max(stage.frames - waits, 1))
    return [Scene(0, world, _drive(stage, 1, x.astype(np.float32), 0.6, 9.0, lamps=20.0), path)], Rhythm()


def _lamp(stage: Stage) -> tuple[list[Scene], Rhythm]:
    path = camera.still(stage.frames)
    world = stage.world(path)
    _lamps(stage, world, 2)
    return [Scene(0, world, _walk(stage, 1, 0.5, 0.002, 0.5), path)], Rhythm(beat=0.5, hunting=0.3)


def _backlight(stage: Stage) -> tuple[list[Scene], Rhythm]:
    path = camera.still(stage.frames)
    world = stage.world(path, lowest=0.5)
    width, height = stage.size
    world.open((0.3 * width, 0.08 * height, 0.74 * width, 0.8 * height), 14.0, height / 90)
    return [Scene(0, world, _walk(stage, 1, 0.42, 0.0018, 0.78, ambient=0.7), path)], Rhythm()


def _cuts(stage: Stage) -> tuple[list[Scene], Rhythm]:
    scenes = []
    for start in range(0, stage.frames, stage.fps):
        path = camera.still(stage.fps)
        world = stage.world(path, start)
        _lamps(stage, world, 1)
        walker = _walk(stage, 1 + start // stage.fps % 255, stage.rng.uniform(0.3, 0.6), 0.003, 0.5)
        scenes.append(Scene(start, world, walker, path))
    return scenes, Rhythm()


def _black_start(stage: Stage) -> tuple[list[Scene], Rhythm]:
    width, height = stage.size
    wakes = max(1, min(stage.fps * 3 // 5, stage.frames // 2))
    nothing = World([np.zeros((height, width, 3), np.uint8)], light.even(width, height, 0.0), 0, 0)
    path = camera.still(stage.frames)
    world = stage.world(path, wakes)
    _lamps(stage, world, 1)
    lit = Scene(wakes, world, _walk(stage, 1, 0.4, 0.003, 0.5), path)
    return [Scene(0, nothing, [], path), lit], Rhythm()


SCENARIOS: dict[str, Play] = {
    "static": _static,
    "pan": _pan,
    "ptz": _ptz,
    "enter": _enter,
    "lamp": _lamp,
    "backlight": _backlight,
    "cuts": _cuts,
    "black-start": _black_start,
}
