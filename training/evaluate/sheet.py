"""A sheet of pictures: a row for each of some subjects, with the input, what every model made of it, and the target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engines.planes import Bytes
from training.data import Subject, read_picture

_ROWS, _WIDTH, _STRIP, _GAP = 8, 256, 18, 4


class Cells:
    """Gathers what models made of ``chosen``, positions spread over the subjects."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self.subjects = subjects
        count = min(_ROWS, len(subjects))
        self.chosen = sorted({round(at) for at in np.linspace(0, len(subjects) - 1, count)})
        self._made: dict[str, dict[int, Bytes]] = {}

    def add(self, model: str, kept: Mapping[int, tuple[Bytes, float]]) -> None:
        """The results of a model, by position, each with its PSNR (NaN without a target)."""
        self._made[model] = {
            at: _cell(picture, model if math.isnan(score) else f"{model}  {score:.2f} dB")
            for at, (picture, score) in kept.items()
        }

    def save(self, target: Path) -> None:
        """Writes the sheet; the input is shown once, even where it was measured too."""
        rows = [_row([self._input(at), *self._results(at), *self._target(at)]) for at in self.chosen]
        width = max(row.shape[1] for row in rows)
        Image.fromarray(np.concatenate([_filled(row, row.shape[0] + _GAP, width) for row in rows])).save(target)

    def _input(self, at: int) -> Bytes:
        subject = self.subjects[at]
        path, name = (subject, subject.name) if isinstance(subject, Path) else (subject.low, subject.name)
        return _cell(read_picture(path), f"{name}, as taken")

    def _results(self, at: int) -> list[Bytes]:
        return [made[at] for model, made in self._made.items() if model != "input"]

    def _target(self, at: int) -> list[Bytes]:
        subject = self.subjects[at]
        return [] if isinstance(subject, Path) else [_cell(read_picture(subject.high), "target")]


def _cell(picture: Bytes, label: str) -> Bytes:
    height = max(1, round(picture.shape[0] * _WIDTH / picture.shape[1]))
    small = np.asarray(Image.fromarray(picture).resize((_WIDTH, height), Image.Resampling.LANCZOS))
    strip = Image.new("RGB", (_WIDTH, _STRIP), "white")
    ImageDraw.Draw(strip).text((2, 2), label, fill=(30, 30, 30), font=ImageFont.load_default(12))
    return np.concatenate((np.asarray(strip), small))


def _row(cells: Sequence[Bytes]) -> Bytes:
    height = max(cell.shape[0] for cell in cells)
    return np.concatenate([_filled(cell, height, _WIDTH + _GAP) for cell in cells], 1)


def _filled(picture: Bytes, height: int, width: int) -> Bytes:
    """The picture on a white ground of this size, at the top left."""
    more = ((0, height - picture.shape[0]), (0, width - picture.shape[1]), (0, 0))
    return np.pad(picture, more, constant_values=255)
