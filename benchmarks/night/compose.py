"""One frame of a scene: the world and its moving layers seen through the camera, with motion and visibility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, cast

import cv2
import numpy as np

from benchmarks.night.camera import Matrix, displacement, shifted
from benchmarks.night.clip import Bytes, Flags, Floats
from benchmarks.night.sprites import Layer
from benchmarks.night.world import World

Picture = TypeVar("Picture", Bytes, Floats)

_MIXES = 1e-3
"""Pixels by which motions of two layers must differ for a pixel that shows both to have no motion of its own."""

_TRACE = 0.0019
"""Share of a layer that is too small to change any code."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """From frame ``start`` on: a world, layers from back to front, and the camera (paths begin with the scene)."""

    start: int
    world: World
    layers: list[Layer]
    camera: list[Matrix]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the lens sees: ``clean`` R'G'B', light ``maps`` [H, W, 3], ``flow``, ``visible``, and whose pixels they are.

    ``layer``: 0 world, i + 1 layer i; ``mixed``: pixels at the edge of a layer that moves against what is behind it.
    """

    clean: Bytes
    maps: Floats
    flow: Floats
    layer: Bytes
    mixed: Flags
    visible: Flags


def compose(scene: Scene, t: int, size: tuple[int, int], before: View | None) -> View:
    """Frame ``t`` of the scene, counted from its start; ``before``: the frame before, None for the first."""
    width, height = size
    world, camera = scene.world, scene.camera[t]
    last = min(len(path) for path in (scene.camera, *(layer.path for layer in scene.layers))) - 1
    other = t - 1 if t else min(1, last)  # the first frame has no motion, but where it mixes matters to the second
    ground = camera @ shifted(world.left, world.top)
    clean = _drawn(world.picture(t), ground, size, cv2.INTER_CUBIC)
    maps = _drawn(world.maps, ground, size, cv2.INTER_LINEAR)
    flow = displacement(scene.camera[other], camera, (0, 0, width, height))
    owner = np.zeros((height, width), np.uint8)
    mixed = np.zeros((height, width), np.bool_)
    for index, layer in enumerate(scene.layers):
        now = camera @ layer.path[t]
        box = _box(now, layer, size)
        if box is None:
            continue
        left, top, right, bottom = box
        place = shifted(-left, -top) @ now
        part = (slice(top, bottom), slice(left, right))
        extent = (right - left, bottom - top)
        alpha = np.clip(_drawn(layer.alpha, place, extent, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT), 0, 1)
        share = alpha[..., None]
        seen = _drawn(layer.picture, place, extent, cv2.INTER_CUBIC)
        clean[part] = np.rint(clean[part] + share * (seen.astype(np.float32) - clean[part])).astype(np.uint8)
        maps[part] += share * (_drawn(layer.maps, place, extent, cv2.INTER_LINEAR) - maps[part])
        moved = displacement(scene.camera[other] @ layer.path[other], now, box)
        apart = np.abs(moved - flow[part]).max(-1) > _MIXES
        mixed[part] = np.where(alpha > 1 - _TRACE, False, mixed[part] | ((alpha > _TRACE) & apart))
        own = alpha >= 0.5
        flow[part][own] = moved[own]
        owner[part][own] = index + 1
    visible = np.zeros((height, width), np.bool_) if before is None else _visible(flow, owner, mixed, before)
    return View(clean, maps, flow, owner, mixed, visible)


def _drawn(
    picture: Picture, matrix: Matrix, size: tuple[int, int], how: int, border: int = cv2.BORDER_REPLICATE
) -> Picture:
    inverse = np.linalg.inv(matrix)
    drawn: Any = cv2.warpPerspective(picture, inverse, size, flags=how | cv2.WARP_INVERSE_MAP, borderMode=border)
    return cast(Picture, drawn)


def _box(matrix: Matrix, layer: Layer, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Where the layer may be on the screen, with a pixel to spare; None: nowhere."""
    h, w = layer.alpha.shape
    corners = np.array([[0, 0], [w, 0], [0, h], [w, h]], np.float64)[None]
    points = cv2.perspectiveTransform(corners, matrix)[0]
    left, top = np.maximum(np.floor(points.min(0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(points.max(0)).astype(int) + 1, size)
    return (int(left), int(top), int(right), int(bottom)) if left < right and top < bottom else None


def _visible(flow: Floats, owner: Bytes, mixed: Flags, before: View) -> Flags:
    """Whether the point of each pixel was seen a frame ago: within the picture, and among pixels of its own layer."""
    height, width = owner.shape
    x = flow[..., 0] + np.arange(width, dtype=np.float32)[None, :]
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    visible = np.zeros(owner.shape, np.bool_)
    for index in np.unique(owner):
        was = np.where((before.layer == index) & ~before.mixed, np.uint8(255), np.uint8(0))
        found = cv2.remap(was, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        visible |= (found == 255) & (owner == index)
    return visible & ~mixed
