"""Tripod bracketing: the target is the fusion of the bracket, every exposure that is dark enough is an input."""

from __future__ import annotations

import json
from pathlib import Path

from training.data.pair import Pair
from training.data.pictures import LayoutError, need_same_size, read_picture


def is_bracket(scene: Path) -> bool:
    """Whether a folder looks like one scene of brackets, complete or not."""
    return scene.is_dir() and ((scene / "reference.jpg").exists() or any(scene.glob("exposure_*.jpg")))


def pair_brackets(folder: Path, tree: str, darkest: float, brightest: float) -> list[Pair]:
    """Every exposure of ``folder/SCENE`` with a mean in ``darkest``..``brightest`` (of 1) with the scene's reference.

    Means come from ``index.json`` where there is one, else from the pictures.
    """
    index = folder / "index.json"
    known = _index(index, tree)
    pairs = []
    for scene in sorted(path for path in folder.iterdir() if path.is_dir()):
        exposures = _exposures(scene, tree)
        reference = scene / "reference.jpg"
        if not reference.is_file():
            raise LayoutError(f"{reference} is missing", tree)
        means = known.get(scene.name)
        if means is None:
            means = [float(read_picture(path, tree).mean()) / 255 for path in exposures]
        elif len(means) != len(exposures):
            raise LayoutError(
                f"{index} lists {len(means)} means for {scene}, which holds {len(exposures)} exposures", tree
            )
        for number, (path, mean) in enumerate(zip(exposures, means, strict=True)):
            if darkest <= mean <= brightest:
                need_same_size(path, reference, tree)
                brighter = exposures[number + 1] if number + 1 < len(exposures) else None
                pairs.append(Pair(f"{scene.name}/{path.stem}", path, reference, brighter))
    return pairs


def _index(index: Path, tree: str) -> dict[str, list[float]]:
    """Means by scene; scenes without, and all without a file, are left out."""
    if not index.is_file():
        return {}
    try:
        known = json.loads(index.read_text())
    except ValueError as error:
        raise LayoutError(f"{index} is not JSON ({error})", tree) from error
    if not isinstance(known, dict):
        raise LayoutError(f"{index} is no object with scenes by name", tree)
    means = {}
    for scene, entry in known.items():
        if not isinstance(entry, dict):
            raise LayoutError(f"{index}: {scene} is no object with the key mean", tree)
        listed = entry.get("mean")
        if listed is None:
            continue
        if not isinstance(listed, list) or any(type(mean) not in (int, float) for mean in listed):
            raise LayoutError(f"{index}: the mean of {scene} is no list of numbers", tree)
        means[scene] = [float(mean) for mean in listed]
    return means


def _exposures(scene: Path, tree: str) -> list[Path]:
    found = list(scene.glob("exposure_*.jpg"))
    numbered = [scene / f"exposure_{number}.jpg" for number in range(len(found))]
    for path in numbered:
        if path not in found:
            raise LayoutError(f"{path} is missing: exposures are numbered from 0 without gaps", tree)
    if not numbered:
        raise LayoutError(f"{scene} holds no exposure_0.jpg", tree)
    return numbered
