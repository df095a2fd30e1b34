"""Small pictures and recipes that the training tests make for themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from training.recipe import Augmentation, Recipe


def scene(rng: np.random.Generator, height: int = 64, width: int = 80) -> np.ndarray:
    """A bright picture [h, w, 3] with large shapes, in 0..1."""
    small = rng.random((4, 5, 3)) * 0.8 + 0.1
    return np.kron(small, np.ones((height // 4, width // 5, 1)))


def save(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(picture.clip(0, 1) * 255).astype(np.uint8)).save(path, quality=95)


def brackets(folder: Path, scenes: int = 3) -> Path:
    """Exposure brackets: four exposures of each scene, the first two dark enough to be inputs."""
    rng = np.random.default_rng(1)
    for number in range(scenes):
        bright = scene(rng)
        for exposure, gain in enumerate((0.15, 0.35, 0.8, 1.2)):
            save(bright * gain, folder / f"scene{number}" / f"exposure_{exposure}.jpg")
        save(bright, folder / f"scene{number}" / "reference.jpg")
    return folder


def tiny_recipe(data: Path, out: Path, **changes: object) -> Recipe:
    """A recipe of seconds."""
    values: dict[str, object] = {
        "name": "tiny.yaml",
        "system": "curve",
        "data": data,
        "data_name": "pictures made by the test",
        "data_licence": "CC0-1.0",
        "out": out,
        "steps": 6,
        "batch": 4,
        "warm_up": 1,
        "average": 0.5,
        "save_every": 2,
        "augmentation": Augmentation(scale=0.25),
    }
    return Recipe.model_validate(values | changes)
