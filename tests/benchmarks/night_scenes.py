"""A night clip made by hand, small and quick, every part of its truth known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.night import NightClip
from benchmarks.temporal.frames import from_rgb
from engines.colour import Colour
from engines.planes import Planes

WIDTH, HEIGHT, FPS = 128, 72, 25
EMPTY = Planes(
    np.full((HEIGHT, WIDTH), 16, np.uint8),
    np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8),
    np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8),
    Colour(),
)


def scene(seed: int) -> np.ndarray:
    """Grey waves, uint8 [H, W, 3], which chroma of half the size holds without loss."""
    phase = np.random.default_rng(seed).uniform(0, 6, 2)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    luma = 110 + 45 * np.sin(x / (9 + seed) + phase[0]) + 40 * np.sin(y / 11 + phase[1])
    return np.repeat(luma.astype(np.uint8)[..., None], 3, 2)


def clip_by_hand(
    frames: int = 40, cuts: Sequence[int] = (), enters: int | None = None, sigma: float = 2.0
) -> NightClip:
    """A still camera. At ``cuts`` another scene begins; from ``enters`` on a bright square moves by 2 pixels a frame.

    Dark frames are a sixth of the clean ones plus noise of ``sigma`` codes.
    """
    edges = [0, *cuts, frames]
    clean = np.concatenate([np.stack([scene(i)] * (edges[i + 1] - edges[i])) for i in range(len(edges) - 1)])
    masks = np.zeros(clean.shape[:3], np.uint8)
    flow = np.zeros((*clean.shape[:3], 2), np.float32)
    visible = np.ones(clean.shape[:3], bool)
    for t in range(frames if enters is None else enters, frames):
        left = 10 + 2 * (t - (enters or 0))
        clean[t, 20:44, left : left + 24] = 235
        masks[t, 20:44, left : left + 24] = 1
        flow[t][masks[t] == 1] = (-2, 0)
        visible[t] = (masks[t] == 1) | (masks[t - 1] == 0)
        if t == enters:
            visible[t] = masks[t] == 0
    for t in (0, *cuts):
        visible[t] = False
    rng = np.random.default_rng(5)
    dark = []
    for picture in clean:
        planes = from_rgb((picture // 6).astype(np.uint8), EMPTY)
        noisy = np.clip(np.round(planes.y + rng.normal(0, sigma, planes.y.shape)), 16, 235).astype(np.uint8)
        dark.append(Planes(noisy, planes.u, planes.v, planes.colour))
    quiet = [from_rgb((picture // 6).astype(np.uint8), EMPTY) for picture in clean]
    return NightClip(
        "by-hand", "by-hand", "mid", 1, FPS, dark, quiet, clean, flow, visible, masks, tuple(cuts),
        (0.001, 0.002), 1 / 6, None,
    )  # fmt: skip
