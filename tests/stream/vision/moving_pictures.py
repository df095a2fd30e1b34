"""Pictures at thumbnail size whose motion is known: a window that moves over a larger texture, and a disc on it."""

from __future__ import annotations

import numpy as np

H, W = 144, 256


def texture(seed: int, height: int = 400, width: int = 600) -> np.ndarray:
    """Soft blobs of several sizes, 0.1 to 0.9, all of them larger than a pixel."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width))
    for cell, share in ((40, 0.4), (16, 0.35), (6, 0.25)):
        coarse = rng.random((height // cell + 3, width // cell + 3))
        picture += share * _sampled(coarse, np.arange(width) / cell + 0.5, np.arange(height) / cell + 0.5)
    return 0.1 + 0.8 * (picture - picture.min()) / np.ptp(picture)


def view(scene: np.ndarray, left: float, top: float, zoom: float = 1.0) -> np.ndarray:
    """What a camera sees of the scene, ``zoom`` pixels of it per pixel around the window's centre."""
    x = left + (W - 1) / 2 + zoom * (np.arange(W) - (W - 1) / 2)
    y = top + (H - 1) / 2 + zoom * (np.arange(H) - (H - 1) / 2)
    return _sampled(scene, x, y).astype(np.float32)


def disc(x: float, y: float, radius: float = 30.0) -> np.ndarray:
    """True inside a disc of a picture [H, W]."""
    rows, columns = np.mgrid[:H, :W]
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def with_disc(picture: np.ndarray, skin: np.ndarray, x: float, y: float) -> np.ndarray:
    """The picture with a disc in front, whose own texture moves with it."""
    return np.where(disc(x, y), view(skin, 200 - x, 150 - y), picture).astype(np.float32)


def noisy(picture: np.ndarray, seed: int, sigma: float) -> np.ndarray:
    return (picture + np.random.default_rng(seed).normal(0, sigma, picture.shape)).astype(np.float32)


def _sampled(picture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Cubic (Catmull-Rom) interpolation at every combination of ``x`` and ``y``."""
    return _along(_along(picture, y).T, x).T


def _along(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    first = np.floor(at).astype(int)
    t = (at - first)[:, None]
    a, b, c, d = (picture[np.clip(first + k, 0, len(picture) - 1)] for k in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
