"""Small pictures and recipes that the training tests make for themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from training.recipe import Recipe


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


def tiny_recipe(data: Path, out: Path, system: str = "curve", steps: int = 6, **changes: object) -> Recipe:
    """A recipe of seconds."""
    values: dict[str, object] = {
        "name": "tiny.yaml",
        "system": system,
        "data": {"path": data, "name": "pictures made by the test", "licence": "CC0-1.0"},
        "out": out,
        "phases": {
            "all": {
                "steps": steps,
                "batch": 4,
                "crop": None if system == "curve" else 32,
                "optimizer": {"learning_rate": 1e-3},
                "schedule": {"kind": "cosine", "warm_up": 1},
                "clip": 1.0,
            }
        },
        "options": {"augmentation": {"scale": 0.25}} if system == "curve" else {},
        "average": 0.5,
        "save_every": 2,
    }
    return Recipe.model_validate(values | changes)
