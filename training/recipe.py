"""A training recipe: one YAML file says everything that decides the result."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Augmentation(_Strict):
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


class Weights(_Strict):
    """Weights of the terms of the curve loss (training/losses.py)."""

    charbonnier: float = 1.0
    decibel: float = 0.01
    structure: float = 0.15
    colour: float = 0.5
    smooth: float = 0.02
    steady: float = 0.1
    black: float = 0.0


class Recipe(_Strict):
    """What is trained, on what, how long. Paths are relative to the recipe's own folder unless absolute."""

    name: str = ""
    """File name of the recipe; filled in on loading."""
    system: Literal["curve", "sci"]
    data: Path
    data_name: str
    """How the model card names the data."""
    data_licence: str
    brightest: float = Field(0.25, gt=0, le=1)
    """In exposure brackets: the mean of the brightest exposure that is still an input."""
    out: Path
    validation: Path | None = None
    """Pairs that are only looked at, never trained on."""
    validate_every: int = Field(500, gt=0)
    steps: int = Field(gt=0)
    batch: int = Field(8, gt=0)
    learning_rate: float = Field(1.5e-3, gt=0)
    weight_decay: float = Field(1e-2, ge=0)
    warm_up: int = Field(200, ge=0)
    clip: float = Field(1.0, gt=0)
    average: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights that is exported."""
    seed: int = 2
    save_every: int = Field(200, gt=0)
    start: Path | None = None
    """For ``curve``: a checkpoint to start from, of ``curve``, or of SCI for its illumination."""
    smooth_sigma: float = Field(10.0, gt=0)
    """For ``sci``: sigma of its smoothness loss; 10 is the published code's, 0.1 makes it follow edges."""
    augmentation: Augmentation = Field(default_factory=lambda: Augmentation.model_validate({}))
    weights: Weights = Field(default_factory=lambda: Weights.model_validate({}))


def load_recipe(path: Path) -> Recipe:
    """Read a recipe. Raises ``ValueError`` naming the file and the entries that are wrong."""
    try:
        entries = yaml.safe_load(path.read_text())
        recipe = Recipe.model_validate(entries)
    except OSError as error:
        raise ValueError(f"recipe {path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"recipe {path} is not YAML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"recipe {path}: {wrong}") from error
    here = path.resolve().parent
    placed = {
        name: (here / value) for name in ("data", "out", "start", "validation") if (value := getattr(recipe, name))
    }
    return recipe.model_copy(update=placed | {"name": path.name})
