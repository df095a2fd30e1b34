"""Made-up pictures that calibration and checks run on: dark scenes, noise, black, white; the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from engines.thumbnail import Thumbnail

Floats = NDArray[np.float32]
Feed = Mapping[str, Floats]

KINDS = ("dark scene", "noisy scene", "black", "white", "noise")


def made_up(size: tuple[int, int], rng: np.random.Generator) -> Iterator[tuple[str, Floats]]:
    """One picture of each of ``KINDS``, R'G'B' [3, h, w] in 0..1."""
    height, width = size
    ramp = np.linspace(0, 1, width, dtype=np.float32) * np.linspace(0.1, 0.6, height, dtype=np.float32)[:, None]
    scene = ramp * rng.uniform(0.5, 1, (3, 1, 1)).astype(np.float32) * np.float32(rng.uniform(0.2, 0.6))
    row, column = int(rng.integers(height // 8, height // 2)), int(rng.integers(width // 8, width * 3 // 4))
    scene[:, row : row + max(1, height // 12), column : column + max(1, width // 20)] = 1
    level = np.zeros((3, height, width), np.float32)
    noisy = scene + rng.normal(0, 0.03, scene.shape)
    pictures: tuple[NDArray[np.floating], ...] = (scene, noisy, level, level + 1, rng.random(scene.shape))
    for kind, picture in zip(KINDS, pictures, strict=True):
        yield kind, np.clip(picture, 0, 1).astype(np.float32)


def planar(picture: Floats) -> Floats:
    """y, u, v [3, h, w] of an R'G'B' picture, as models of kind ``grid`` take it."""
    seen = Thumbnail.from_rgb(picture, "bt709")
    return np.stack([seen.y, seen.u, seen.v]).astype(np.float32)


def feeds(
    shapes: Sequence[Mapping[str, tuple[int, ...]]],
    grid: bool,
    pictures: Sequence[Floats] = (),
    rounds: int = 1,
    seed: int = 0,
) -> Iterator[tuple[str, dict[str, Floats]]]:
    """What a model is run on, with its kind of picture: made-up ones of every size, then ``pictures`` that fit a size.

    ``shapes``: the shape of every input by name, the picture first. Further inputs: zeros ("not known"), then random.
    """
    rng = np.random.default_rng(seed)
    for shape in shapes:
        name, size = next(iter(shape)), next(iter(shape.values()))
        own = [("given", picture) for picture in pictures if picture.shape[1:] == size[2:]]
        for _ in range(rounds):
            for kind, picture in (*made_up((size[2], size[3]), rng), *own):
                given = np.repeat((planar(picture) if grid else picture)[None], size[0], axis=0)
                yield kind, {name: given} | {n: np.zeros(s, np.float32) for n, s in list(shape.items())[1:]}
                if len(shape) > 1:
                    yield kind, {name: given} | {n: _random(n, s, rng) for n, s in list(shape.items())[1:]}
            own = []


def _random(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Numbers such as the input has: shares sum to 1, embeddings lie around 0."""
    if name in ("embedding", "region_features"):
        return rng.standard_normal(shape).astype(np.float32)
    values = rng.random(shape)
    return (values / values.sum(axis=1, keepdims=True) if name == "region_weights" else values).astype(np.float32)
