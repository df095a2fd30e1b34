"""Finds low-light pairs on disk, in either of two layouts, and says what is wrong when it finds none.

Pairs of files, or tripod bracketing where the target is the fusion of the bracket and every exposure that is dark
enough is an input of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
LAYOUTS = """expected one of
  FOLDER/low/NAME.png           a dark picture
  FOLDER/high/NAME.png          the same scene bright, same name, same size
or
  FOLDER/SCENE/exposure_0.jpg   the darkest exposure of the scene
  FOLDER/SCENE/exposure_1.jpg   ... and so on, brighter and brighter
  FOLDER/SCENE/reference.jpg    what it should look like
  FOLDER/index.json             optional: {"SCENE": {"mean": [mean of exposure_0 in 0..1, ...]}}"""


class LayoutError(ValueError):
    """The data folder is not laid out as expected; the message names the file and shows the tree."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}\n{LAYOUTS}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A dark picture and its target. ``brighter`` is the next exposure of the same scene, if there is one."""

    name: str
    low: Path
    high: Path
    brighter: Path | None = None


def read_picture(path: Path) -> NDArray[np.uint8]:
    """[h, w, 3] RGB. Raises ``LayoutError`` naming a file that is missing or not a picture."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise LayoutError(f"{path} cannot be read as a picture ({error})") from error


def find_pairs(folder: Path, darkest: float = 0.02, brightest: float = 0.25) -> list[Pair]:
    """All pairs under ``folder``, sorted by name. In brackets, means in ``darkest``..``brightest`` count."""
    if not folder.is_dir():
        raise LayoutError(f"{folder} is not a folder")
    pairs = _from_files(folder) if (folder / "low").is_dir() else _from_brackets(folder, darkest, brightest)
    if not pairs:
        raise LayoutError(f"{folder} holds no pairs")
    return pairs


def _from_files(folder: Path) -> list[Pair]:
    pairs = []
    for low in sorted((folder / "low").iterdir()):
        if low.suffix.lower() not in SUFFIXES:
            continue
        high = folder / "high" / low.name
        if not high.is_file():
            raise LayoutError(f"{low} has no partner {high}")
        pairs.append(Pair(low.stem, low, high))
    return pairs


def _from_brackets(folder: Path, darkest: float, brightest: float) -> list[Pair]:
    index = folder / "index.json"
    try:
        known = json.loads(index.read_text()) if index.is_file() else {}
    except ValueError as error:
        raise LayoutError(f"{index} is not JSON ({error})") from error
    pairs = []
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        exposures = _exposures(scene)
        reference = scene / "reference.jpg"
        if not reference.is_file():
            raise LayoutError(f"{reference} is missing")
        means = known.get(scene.name, {}).get("mean")
        if means is None:
            means = [float(read_picture(path).mean()) / 255 for path in exposures]
        elif len(means) != len(exposures):
            raise LayoutError(f"{index} lists {len(means)} means for {scene}, which holds {len(exposures)} exposures")
        for number, (path, mean) in enumerate(zip(exposures, means, strict=True)):
            if darkest <= mean <= brightest:
                brighter = exposures[number + 1] if number + 1 < len(exposures) else None
                pairs.append(Pair(f"{scene.name}/{path.stem}", path, reference, brighter))
    return pairs


def _exposures(scene: Path) -> list[Path]:
    found = list(scene.glob("exposure_*.jpg"))
    numbered = [scene / f"exposure_{number}.jpg" for number in range(len(found))]
    for path in numbered:
        if path not in found:
            raise LayoutError(f"{path} is missing: exposures are numbered from 0 without gaps")
    if not numbered:
        raise LayoutError(f"{scene} holds no exposure_0.jpg")
    return numbered
