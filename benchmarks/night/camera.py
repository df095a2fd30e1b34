"""Camera paths: for each frame a homography from the world to the screen, exact, so that motion is known.

The world is a plane measured in pixels of the first view of a camera that does not zoom.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.night.clip import Floats

Matrix = NDArray[np.float64]


def shifted(x: float, y: float) -> Matrix:
    """Moves points by (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def turned(angle: float, scale: float, x: float, y: float) -> Matrix:
    """Turns (radians) and scales around the point (x, y)."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(shifted(x, y) @ turn @ shifted(-x, -y), np.float64)


def still(frames: int) -> list[Matrix]:
    """A camera on a wall."""
    return [np.eye(3)] * frames


def pan(frames: int, speed: float) -> list[Matrix]:
    """Turns to the right: the picture moves left by ``speed`` pixels a frame."""
    return [shifted(-speed * t, 0.0) for t in range(frames)]


def ptz(frames: int, size: tuple[int, int], rng: np.random.Generator) -> list[Matrix]:
    """A dome camera at work: pans along a slow wave, zooms in and out again, shakes, and tilts its plane slightly."""
    width, height = size
    path = []
    shake = np.zeros(3)
    for t in range(frames):
        shake = 0.7 * shake + rng.normal(0, [0.5, 0.5, 0.0006])
        wave = 2 * np.pi * t / 100
        zoom = 1.15 - 0.15 * np.cos(1.5 * wave)
        tilt = np.eye(3)
        tilt[2, 0] = 0.04 / width * np.sin(0.9 * wave)
        place = shifted(-0.2 * width * np.sin(wave) + shake[0], 0.04 * height * np.sin(0.7 * wave) + shake[1])
        path.append(tilt @ turned(shake[2], zoom, width / 2, height / 2) @ place)
    return path


def seen(path: list[Matrix], size: tuple[int, int], margin: int = 4) -> tuple[int, int, int, int]:
    """Part of the world that a path shows: left, top, right, bottom in whole pixels."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)[None]
    points = np.concatenate([cv2.perspectiveTransform(corners, np.linalg.inv(matrix))[0] for matrix in path])
    left, top = np.floor(points.min(0)).astype(int) - margin
    right, bottom = np.ceil(points.max(0)).astype(int) + margin
    return int(left), int(top), int(right), int(bottom)


def displacement(before: Matrix, now: Matrix, box: tuple[int, int, int, int]) -> Floats:
    """Flow [h, w, 2] of a layer in the pixels of ``box`` on the screen: where each point was, minus where it is.

    ``before`` and ``now`` take the layer to the screen, in the frame before and in this one.
    """
    left, top, right, bottom = box
    back = before @ np.linalg.inv(now)
    x = np.arange(left, right, dtype=np.float64)[None, :]
    y = np.arange(top, bottom, dtype=np.float64)[:, None]
    weight = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    flow = np.empty((bottom - top, right - left, 2), np.float32)
    flow[..., 0] = (back[0, 0] * x + back[0, 1] * y + back[0, 2]) / weight - x
    flow[..., 1] = (back[1, 0] * x + back[1, 1] * y + back[1, 2]) / weight - y
    return flow
