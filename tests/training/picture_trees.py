"""Small pictures in the folder layouts of data sets, made by the tests for themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def save(picture: np.ndarray, path: Path) -> Path:
    """A picture [h, w, 3] in 0..1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(picture.clip(0, 1) * 255).astype(np.uint8)).save(path)
    return path


def grey(path: Path, level: float = 0.2, size: tuple[int, int] = (8, 12)) -> Path:
    """A picture of one grey level; ``size`` is height and width."""
    return save(np.full((*size, 3), level), path)


Size = tuple[int, int]
_SIZE = (8, 12)


def pair_files(folder: Path, low: str, high: str, names: Sequence[tuple[str, str]], size: Size = _SIZE) -> None:
    for dark, bright in names:
        grey(folder / low / dark, 0.1, size)
        grey(folder / high / bright, 0.6, size)


def lol(folder: Path) -> Path:
    same = [(f"{n}.png", f"{n}.png") for n in (2, 5, 79, 111, 735)]
    pair_files(folder / "our485", "low", "high", same)
    pair_files(folder / "eval15", "low", "high", [(f"{n}.png", f"{n}.png") for n in (1, 22)])
    return folder


def lol_480(folder: Path) -> Path:
    for part, numbers in (("train480", (2, 5)), ("val5", (7,)), ("test15", (1,))):
        pair_files(folder / part, "low", "high", [(f"{n}.png", f"{n}.png") for n in numbers])
    return folder


def lol_v2(folder: Path, real: bool = True, synthetic: bool = True, size: Size = _SIZE) -> Path:
    if real:
        for part, numbers in (("Train", (1, 2)), ("Test", (690,))):
            names = [(f"low{n:05}.png", f"normal{n:05}.png") for n in numbers]
            pair_files(folder / "Real_captured" / part, "Low", "Normal", names, size)
    if synthetic:
        for part, stems in (("Train", ("r0a1", "r0b2")), ("Test", ("lowland7",))):
            pair_files(folder / "Synthetic" / part, "Low", "Normal", [(f"{s}t.png", f"{s}t.png") for s in stems], size)
    return folder


def brackets(folder: Path, scenes: int = 2) -> Path:
    """Four exposures of each scene, the first two dark enough to be inputs."""
    rng = np.random.default_rng(1)
    for number in range(scenes):
        bright = np.kron(rng.random((4, 5, 3)) * 0.8 + 0.1, np.ones((16, 16, 1)))
        for exposure, gain in enumerate((0.15, 0.35, 0.8, 1.2)):
            save(bright * gain, folder / f"scene{number}" / f"exposure_{exposure}.jpg")
        save(bright, folder / f"scene{number}" / "reference.jpg")
    return folder
