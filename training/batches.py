"""Batches of picture pairs: crops at full resolution, flipped and transposed, with what is known about the scene.

A batch depends on the seed, the phase and the step alone, not on what was drawn before: a run that was killed and
resumed sees exactly the pictures that an unbroken run would have seen. Pictures are read when they are drawn and kept
in memory as bytes while there is room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from networks.skf import Knowledge
from training.data import Pair, read_picture
from training.recent import LIMIT, Recent
from training.recipe import Phase


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Dark and bright R'G'B' pictures [n, 3, h, w] in 0..1 and what is known about them, None where it is not.

    ``knowledge`` is what a bank knows about the (brightened) dark pictures, ``target`` about the bright ones;
    ``regions`` [n, h, w] int64 are region ids of the dark pictures, 0 where there is none; ``labels`` [n, h, w] int64
    are classes that people gave to the pixels, 255 where they did not.
    """

    low: Tensor
    high: Tensor
    knowledge: Knowledge | None = None
    target: Knowledge | None = None
    regions: Tensor | None = None
    labels: Tensor | None = None

    def to(self, device: torch.device) -> PairBatch:
        """The batch on another device."""

        def moved(value: Any) -> Any:
            if isinstance(value, Knowledge):
                return Knowledge(tuple(moved(feature) for feature in value.features), moved(value.logits))
            return value.to(device, non_blocking=True) if isinstance(value, Tensor) else value

        names = ("low", "high", "knowledge", "target", "regions", "labels")
        return replace(self, **{name: moved(getattr(self, name)) for name in names})


@dataclass(frozen=True, slots=True)
class Crop:
    """Where a sample was cut from its picture: cut first, then flipped, then transposed."""

    top: int
    left: int
    height: int
    width: int
    flip_h: bool = False
    flip_v: bool = False
    transpose: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the sample."""
        return (self.width, self.height) if self.transpose else (self.height, self.width)

    def of(self, picture: NDArray[Any]) -> NDArray[Any]:
        """The sample of an array [height, width, ...]."""
        cut = picture[self.top : self.top + self.height, self.left : self.left + self.width]
        cut = cut[:: -1 if self.flip_v else 1, :: -1 if self.flip_h else 1]
        return cut.swapaxes(0, 1) if self.transpose else cut


class PairSampler:
    """Draws batches from pairs. Pictures of a pair must be of the same size and not smaller than the crop."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        seed: int,
        unpaired: bool = False,
        *,
        bright: Sequence[Path] = (),
        longest: int | None = None,
        limit: int = LIMIT,
    ) -> None:
        """``unpaired``: the bright picture is one of ``bright``, or another pair's where there are none.

        Pictures are reduced to sides of at most ``longest``; ``limit`` bytes of them are kept.
        """
        self.pairs = pairs
        self.seed = seed
        self.unpaired = unpaired
        self.bright = bright
        self.longest = longest
        self._pictures: Recent[NDArray[np.uint8]] = Recent(limit)

    def draw(self, step: int, phase: Phase, phase_number: int = 0) -> list[tuple[Pair, Crop]]:
        """Which pairs the batch of this step shows, and which part of each."""
        rng = np.random.default_rng((self.seed, 11, phase_number, step))
        drawn = []
        for _ in range(phase.batch):
            pair = self.pairs[int(rng.integers(len(self.pairs)))]
            drawn.append((pair, self._crop(pair, phase, rng)))
        return drawn

    def _crop(self, pair: Pair, phase: Phase, rng: np.random.Generator) -> Crop:
        height, width = self.picture(pair, "low").shape[:2]
        crop_h, crop_w = (height, width) if phase.crop is None else (phase.crop, phase.crop)
        if min(height - crop_h, width - crop_w) < 0:
            raise ValueError(f"{pair.low} is {width}x{height}, smaller than the crop of {crop_w}x{crop_h}")
        flips = {name: bool(rng.random() < 0.5) for name in phase.augment}
        return Crop(
            int(rng.integers(height - crop_h + 1)), int(rng.integers(width - crop_w + 1)), crop_h, crop_w, **flips
        )

    def picture(self, pair: Pair, side: str) -> NDArray[np.uint8]:
        """The dark (``low``) or bright (``high``) picture of a pair."""
        return self._read(getattr(pair, side))

    def _read(self, path: Path) -> NDArray[np.uint8]:
        return self._pictures.get(path, lambda: read_picture(path, longest=self.longest))

    def batch(self, step: int, phase: Phase, phase_number: int = 0) -> tuple[PairBatch, list[tuple[Pair, Crop]]]:
        """The pictures of this step, and where they come from. Raises ``ValueError`` naming files that do not fit."""
        drawn = self.draw(step, phase, phase_number)
        _need_one_size(drawn)
        lows = [crop.of(self.picture(pair, "low")) for pair, crop in drawn]
        highs = [self._bright(pair, crop, step, number) for number, (pair, crop) in enumerate(drawn)]
        return PairBatch(_stacked(lows), _stacked(highs)), drawn

    def _bright(self, pair: Pair, crop: Crop, step: int, number: int) -> NDArray[Any]:
        if not self.unpaired:
            picture = self.picture(pair, "high")
            if picture.shape != self.picture(pair, "low").shape:
                raise ValueError(f"{pair.low} and {pair.high} differ in size")
            return crop.of(picture)
        rng = np.random.default_rng((self.seed, 13, step, number))
        others = self.bright or [other.high for other in self.pairs if other.high != pair.high] or [pair.high]
        path = others[int(rng.integers(len(others)))]
        picture = self._read(path)
        height, width = picture.shape[:2]
        if min(height - crop.height, width - crop.width) < 0:
            raise ValueError(
                f"{path} is {width}x{height}, smaller than the part of {crop.width}x{crop.height} of {pair.low}: "
                "set a smaller `crop:`"
            )
        top, left = int(rng.integers(height - crop.height + 1)), int(rng.integers(width - crop.width + 1))
        return replace(crop, top=top, left=left).of(picture)


def _need_one_size(drawn: Sequence[tuple[Pair, Crop]]) -> None:
    """Raises ``ValueError`` naming two files whose samples cannot lie in one batch, and what to set."""
    pair, crop = drawn[0]
    for other, another in drawn:
        if (another.height, another.width) != (crop.height, crop.width):
            raise ValueError(
                f"{pair.low} is {crop.width}x{crop.height}, but {other.low} is {another.width}x{another.height}: whole "
                "pictures of several sizes do not fit into one batch; set `crop:` to a side, or `batch: 1`"
            )
        if another.size != crop.size:
            raise ValueError(
                f"{pair.low} and {other.low} are {crop.width}x{crop.height}, and one of them was transposed: leave "
                "`transpose` out of `augment:`, or set `crop:` to a side, or `batch: 1`"
            )


def _stacked(pictures: Sequence[NDArray[Any]]) -> Tensor:
    """uint8 [h, w, 3] pictures as one [n, 3, h, w] in 0..1."""
    arrays = [np.ascontiguousarray(picture.transpose(2, 0, 1)) for picture in pictures]
    return torch.from_numpy(np.stack(arrays)).float() / 255
