"""Turns pairs into training batches: everything in memory as bytes, augmented anew for every step.

A batch depends on the seed and the step alone, not on what was drawn before: a run that was killed and resumed sees
exactly the pictures that an unbroken run would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from networks.colour import KR_KB, rgb_to_yuv
from training.curve_regions import RegionLessons, SceneRegions
from training.data import Pair, read_picture
from training.degrade import degrade
from training.recipe import Strict

SHAPES = ((192, 192), (144, 256), (256, 144))
"""Thumbnail heights and widths: square, landscape and portrait, as the run time samples them."""


class Augmentation(Strict):
    """How pictures are varied; shares are probabilities."""

    shapes: tuple[float, float, float] = (0.5, 0.4, 0.1)
    """Shares of square, landscape and portrait thumbnails."""
    scale: float = Field(1.0, gt=0)
    """Side of the thumbnails as a multiple of what the run time samples."""
    detail: float = Field(1.0, ge=1)
    """Size at which the result is compared with the target, as a multiple of the thumbnail's."""
    smallest_crop: float = Field(0.6, gt=0, le=1)
    largest_crop: float = Field(1.0, gt=0, le=1)
    turned: float = Field(0.1, ge=0, le=1)
    mixed: float = Field(0.5, ge=0, le=1)
    """Share of clean pictures that are mixed, in linear light, with the next brighter exposure."""
    degraded: float = Field(0.3, ge=0, le=1)
    """Share of pictures with noise, another white balance and compression."""
    exposed: float = Field(0.0, ge=0, le=1)
    """Share of pictures that are the target itself, at 0.35 to 1 of its light: what is bright already must stay."""
    versions: int = Field(1, ge=0)
    """Degraded versions prepared of each dark picture."""
    light_colour: float = Field(0.05, ge=0)
    white_balance: float = Field(0.02, ge=0)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step looks at; planes are y 0..1, u and v about -0.5..0.5.

    ``thumbnail`` [n, 3, h, w] is what the network sees, ``other`` [m, 3, h, w] another recording of the first m scenes,
    ``low`` and ``high`` [n, 3, H, W] are the dark planes and the target planes that the loss compares, ``kr`` and
    ``kb`` [n, 1, 1] the matrix of each. ``region_weights`` [n, 17, h/8, w/8] and ``region_features`` [n, 17, 256] say
    what is where in the first, as the network takes them; None in a run without regions.
    """

    thumbnail: Tensor
    other: Tensor
    low: Tensor
    high: Tensor
    kr: Tensor
    kb: Tensor
    region_weights: Tensor | None = None
    region_features: Tensor | None = None


class Samples:
    """All pictures of the pairs and one degraded version of each dark one."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        augmentation: Augmentation,
        seed: int,
        longest: int | None = None,
        regions: RegionLessons | None = None,
    ) -> None:
        """``longest``: pictures are reduced to sides of at most this. ``regions``: what samples are told about them."""
        self.augmentation = augmentation
        self.seed = seed
        self.regions = regions
        self.scenes: list[SceneRegions] = [regions.of(pair) for pair in pairs] if regions is not None else []
        self.lows: list[NDArray[np.uint8]] = []
        self.brighter: list[NDArray[np.uint8] | None] = []
        self.degraded: list[list[NDArray[np.uint8]]] = []
        self.highs: list[NDArray[np.uint8]] = []
        pictures: dict[str, NDArray[np.uint8]] = {}
        for pair in pairs:
            paths = [pair.low, pair.high] + ([pair.brighter] if pair.brighter else [])
            low, high, *more = [
                pictures.setdefault(str(path), _even(read_picture(path, longest=longest))) for path in paths
            ]
            if low.shape != high.shape:
                raise ValueError(f"{pair.low} and {pair.high} differ in size")
            self.lows.append(low)
            self.highs.append(high)
            self.brighter.append(more[0] if more and more[0].shape == low.shape else None)
        with ThreadPoolExecutor(2) as pool:
            self.degraded = list(pool.map(self._degrade, range(len(self.lows))))

    def _degrade(self, number: int) -> list[NDArray[np.uint8]]:
        return [
            degrade(self.lows[number], np.random.default_rng((self.seed, number, version)))
            for version in range(self.augmentation.versions)
        ]

    def batch(self, step: int, size: int) -> Batch:
        """The batch of this step; the same step always gives the same batch."""
        rng = np.random.default_rng((self.seed, 7, step))
        scale = self.augmentation.scale
        height, width = (int(scale * side) // 8 * 8 for side in SHAPES[rng.choice(3, p=self.augmentation.shapes)])
        shape = (height, width)
        inner = (int(self.augmentation.detail * height) // 2 * 2, int(self.augmentation.detail * width) // 2 * 2)
        matched = max(1, size // 4) if self.augmentation.versions else 0
        thumbnails, others, lows, highs, weights = [], [], [], [], []
        told: list[tuple[Tensor, Tensor]] = []
        forget = np.random.default_rng((self.seed, 17, step))  # apart, so that pictures are the same without regions
        for position in range(size):
            number = int(rng.integers(len(self.lows)))
            low, second = self._dark(number, rng, position < matched)
            seen = [low, second, self.highs[number]]
            if self.scenes:
                seen.append(stretched(self.scenes[number].ids, low.shape[0], low.shape[1]))
            pictures = _geometry(seen, shape, rng, self.augmentation)
            if self.regions is not None:
                ids = (pictures.pop()[0, 0] * 255).round()
                told.append(self.regions.told(ids, self.scenes[number], (height // 8, width // 8), forget))
            light, balance = self._balance(rng)
            matrix = KR_KB["bt601" if rng.random() < 0.5 else "bt709"]
            kr, kb = (torch.full((1, 1, 1), value) for value in matrix)
            planes = [
                rgb_to_yuv((picture * gain).clamp(0, 1), kr, kb)
                for picture, gain in zip(pictures, (light * balance, light * balance, light), strict=True)
            ]
            thumbnails.append(F.adaptive_avg_pool2d(planes[0], shape))
            if position < matched:
                moved = planes[1].roll((int(rng.integers(-4, 5)), int(rng.integers(-4, 5))), (2, 3))
                others.append(F.adaptive_avg_pool2d(moved, shape))
            lows.append(F.adaptive_avg_pool2d(planes[0], inner) if inner != shape else thumbnails[-1])
            highs.append(F.adaptive_avg_pool2d(planes[2], inner))
            weights.append(matrix)
        table = torch.tensor(weights, dtype=torch.float32)
        other = torch.cat(others) if others else torch.zeros(0, 3, *shape)
        kr, kb = table[:, 0, None, None], table[:, 1, None, None]
        known = [torch.stack(tensors) for tensors in zip(*told, strict=True)] if told else []
        return Batch(torch.cat(thumbnails), other, torch.cat(lows), torch.cat(highs), kr, kb, *known)

    def _dark(self, number: int, rng: np.random.Generator, twice: bool) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """A dark picture of the scene, and another recording of it (the same one unless ``twice``)."""
        low, brighter, versions = self.lows[number], self.brighter[number], self.degraded[number]
        degraded = versions[int(rng.integers(len(versions)))] if versions else low
        if twice and rng.random() < 0.5:
            return low, degraded
        if rng.random() < self.augmentation.exposed:
            low = _to_codes(float(rng.uniform(0.35, 1.0)) * _LINEAR[self.highs[number]])
            return low, low
        if rng.random() < self.augmentation.degraded:
            low = degraded
        elif brighter is not None and rng.random() < self.augmentation.mixed:
            share = float(rng.uniform(0, 0.6))
            low = _to_codes((1 - share) * _LINEAR[low] + share * _LINEAR[brighter])
        return low, low

    def _balance(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Gains of the light that both pictures share, and of the camera, that only the dark one has: [1, 3, 1, 1]."""
        light = np.exp(rng.uniform(-1, 1, 3) * self.augmentation.light_colour)
        camera = np.exp(rng.uniform(-1, 1, 3) * self.augmentation.white_balance)
        return tuple(torch.from_numpy(gain.astype(np.float32)).view(1, 3, 1, 1) for gain in (light, camera))  # type: ignore[return-value]


_LINEAR = np.power(np.arange(256, dtype=np.float32) / 255, np.float32(2.2))


def _to_codes(light: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Linear light to 8-bit display codes."""
    codes: NDArray[np.uint8] = np.rint(255 * np.power(light, np.float32(1 / 2.2))).astype(np.uint8)
    return codes


def stretched(ids: Tensor, height: int, width: int) -> NDArray[np.uint8]:
    """Region ids [rh, rw] at the size of their picture, nearest, as one channel: [height, width, 1]."""
    rows = (np.arange(height) + 0.5) * ids.shape[0] / height
    columns = (np.arange(width) + 0.5) * ids.shape[1] / width
    return np.asarray(ids.numpy()[rows.astype(int)[:, None], columns.astype(int)])[..., None]


def _even(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2])


def _geometry(
    pictures: list[NDArray[np.uint8]], shape: tuple[int, int], rng: np.random.Generator, how: Augmentation
) -> list[Tensor]:
    """The same crop, flip and turn of all pictures, as [1, 3, h, w] in 0..1."""
    turned = rng.random() < how.turned
    height, width = pictures[0].shape[:2][:: -1 if turned else 1]
    # Photographs come in any aspect: half of the crops keep the whole extent of the longer side free.
    scale = float(rng.uniform(how.smallest_crop, how.largest_crop))
    aspect = (shape[1] / shape[0]) ** float(rng.uniform(0.0, 1.0))
    crop_h = int(height * scale * min(1.0, 1 / aspect))
    crop_w = int(width * scale * min(1.0, aspect))
    top, left = int(rng.integers(height - crop_h + 1)), int(rng.integers(width - crop_w + 1))
    flipped = rng.random() < 0.5
    result = []
    for picture in pictures:
        view = picture.transpose(1, 0, 2) if turned else picture
        view = view[top : top + crop_h, left : left + crop_w]
        view = view[:, ::-1] if flipped else view
        result.append(torch.from_numpy(np.ascontiguousarray(view.transpose(2, 0, 1)))[None].float() / 255)
    return result
