"""SAM's image encoder: a picture of any size -> its embedding, once per picture, for any number of prompts.

Preparation as published with SAM (Kirillov et al., ICCV 2023): the longest side becomes 1024 by antialiased bilinear
resampling in 8 bits, mean and deviation of the channels are taken out, zeros pad the right and the bottom to a square.
Works with every encoder of that interface, such as MobileSAM's.

The cells of padding hold no zeros, and the mask decoder looks at them: it gets them as they are. As a feature map of
the picture, to store or to guide a network, the embedding has them cut off.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import ModelError
from engines.sam.session import Floats, Session

SIDE = 1024
"""Pixels along each side of what the encoder looks at."""
CELL = 16
"""Pixels of it along each side of one cell of the embedding."""
CHANNELS = 256

_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A picture as SAM sees it: ``whole`` float32 [256, 64, 64] with padding, ``size`` (h, w) of the picture."""

    whole: Floats
    size: tuple[int, int]

    def __post_init__(self) -> None:
        if self.whole.shape != (CHANNELS, SIDE // CELL, SIDE // CELL):
            raise ValueError(f"an embedding with its padding is [256, 64, 64], not {list(self.whole.shape)}")

    @property
    def embedding(self) -> Floats:
        """float32 [256, eh, ew], without padding."""
        height, width = embedding_size(self.size)
        return np.ascontiguousarray(self.whole[:, :height, :width])


def scaled_size(size: tuple[int, int]) -> tuple[int, int]:
    """(h, w) of a picture whose longest side became 1024."""
    scale = SIDE / max(size)
    return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)


def embedding_size(size: tuple[int, int]) -> tuple[int, int]:
    """(eh, ew) of the embedding of a picture of ``size`` (h, w): the cells that are not all padding."""
    height, width = scaled_size(size)
    return -(-height // CELL), -(-width // CELL)


def resample(picture: Picture, size: tuple[int, int]) -> Picture:
    """[h, w, 3] -> ``size`` by a triangle filter, widened where it shrinks; each of two passes rounds to 8 bits."""
    wide = _resample_rows(picture.transpose(1, 0, 2), size[1])
    return _resample_rows(wide.transpose(1, 0, 2), size[0])


def _resample_rows(picture: Picture, rows: int) -> Picture:
    """Resamples the first axis."""
    before = picture.shape[0]
    if rows == before:
        return np.ascontiguousarray(picture)
    step = before / rows
    reach = max(step, 1.0)
    centres = (np.arange(rows) + 0.5) * step
    taps = np.floor(centres - reach + 0.5).astype(np.int64)[:, None] + np.arange(int(2 * reach + 1) + 1)
    weights = np.maximum(0, 1 - np.abs(taps + 0.5 - centres[:, None]) / reach) * ((taps >= 0) & (taps < before))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    taps = taps.clip(0, before - 1)
    total = np.full((rows, *picture.shape[1:]), 0.5, np.float32)
    for tap in range(taps.shape[1]):
        total += weights[:, tap, None, None] * picture[taps[:, tap]]
    return total.astype(np.uint8)


def prepare(picture: Picture) -> Floats:
    """RGB [h, w, 3] -> the encoder's input, float32 [1, 3, 1024, 1024]."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(f"expected an RGB picture uint8 [h, w, 3], got {picture.dtype} {picture.shape}")
    height, width = scaled_size((picture.shape[0], picture.shape[1]))
    padded = np.zeros((1, 3, SIDE, SIDE), np.float32)
    scaled = resample(picture, (height, width))
    padded[0, :, :height, :width] = ((scaled - _MEAN) / _DEVIATION).transpose(2, 0, 1)
    return padded


class ImageEncoder:
    """An opened encoder; ``session`` can be stopped. Raises ``ModelError`` where the file is none."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.session = Session(path, threads)
        if len(self.session.inputs) != 1 or len(self.session.outputs) != 1:
            raise ModelError(f"{path} is no SAM image encoder: it needs one input and one output")
        (self._input, shape), (self._output, _) = *self.session.inputs.items(), *self.session.outputs.items()
        if shape[1:] != (3, SIDE, SIDE):
            raise ModelError(f"{path} is no SAM image encoder: it takes {list(shape)}, not [1, 3, {SIDE}, {SIDE}]")

    def encode(self, picture: Picture) -> Encoded:
        """RGB uint8 [h, w, 3]; dark pictures should be brightened first."""
        (embedding,) = self.session.run([self._output], {self._input: prepare(picture)})
        if embedding.shape != (1, CHANNELS, SIDE // CELL, SIDE // CELL):
            raise ModelError(f"{self.session.path} gave {list(embedding.shape)}, not [1, {CHANNELS}, 64, 64]")
        return Encoded(embedding[0], (picture.shape[0], picture.shape[1]))
