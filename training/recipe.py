"""A training recipe: one YAML file says everything that decides the result.

The file's values are the paper's settings; under ``small:`` stands what differs in the variant that fits two CPU cores
in minutes (merged over the rest, key by key). Paths are relative to the recipe's own folder unless absolute.
``base: NAME.yaml`` lays a recipe over another one of its folder, and its ``small`` over the other's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from training.data import TARGETLESS


class Strict(BaseModel):
    """Settings that refuse keys they do not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OptimizerSettings(Strict):
    """Adam or AdamW; ``learning_rate`` is scaled by the phase's schedule."""

    kind: Literal["adam", "adamw"] = "adam"
    learning_rate: float = Field(gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(0.0, ge=0)


class Schedule(Strict):
    """How the learning rate changes over a phase, as a factor."""

    kind: Literal["constant", "steps", "linear", "cosine"] = "constant"
    at: tuple[float, ...] = ()
    """For ``steps``: shares of the phase, 0..1, at which the rate is multiplied by ``by``."""
    by: float = Field(0.5, gt=0, le=1)
    warm_up: int = Field(0, ge=0)
    """Steps of linear rise at the start."""
    floor: float = Field(0.0, ge=0, le=1)
    """For ``linear`` and ``cosine``: the factor at the end."""

    def factor(self, step: int, steps: int) -> float:
        """The factor at ``step`` of ``steps``, in 0..1."""
        rise = min(1.0, (step + 1) / (self.warm_up + 1))
        if self.kind == "steps":
            return float(rise * self.by ** sum(step >= share * steps for share in self.at))
        if self.kind == "linear":
            return rise * (self.floor + (1 - self.floor) * (1 - step / steps))
        if self.kind == "cosine":
            return float(rise * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * step / steps))))
        return rise


Augment = Literal["flip_h", "flip_v", "transpose"]


class Phase(Strict):
    """One stretch of a run with optimisers of its own; which weights move in it is the system's to know."""

    steps: int = Field(gt=0)
    batch: int = Field(8, gt=0)
    crop: int | None = Field(None, gt=0)
    """Side of the square crops; None: whole pictures, of one size where ``batch`` is more than 1."""
    optimizer: OptimizerSettings
    schedule: Schedule = Schedule()
    clip: float | None = Field(None, gt=0)
    """Greatest norm of an update's gradient."""
    augment: tuple[Augment, ...] = ("flip_h",)


class Place(Strict):
    """Where pictures lie."""

    path: Path
    layout: str | None = None
    """One of the layouts of `training.data`; None: found from the folder's tree.

    ``unpaired`` and ``sice`` have no targets, for systems that never see one: a picture is then its own bright one.
    """
    split: Literal["train", "val", "test"] | None = None
    """For layouts that have several; None: what the recipe uses it for says it."""
    exclude: tuple[str, ...] = ()
    """Names of pairs that are left out; ``reported``: those that were reported as bad for this data set."""
    brightest: float = Field(0.25, gt=0, le=1)
    """In exposure brackets: the mean of the brightest exposure that is still an input."""
    longest: int | None = Field(None, gt=0)
    """Longest side in pixels; larger pictures are reduced to it on reading."""

    @model_serializer(mode="wrap")
    def _as_set(self, entries: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without ``longest`` where it is not set: runs begun before there was one are the same runs."""
        found: dict[str, Any] = entries(self)
        return {name: value for name, value in found.items() if name != "longest" or value is not None}


class Data(Place):
    """Pictures to train on, and how cards and tables name them."""

    name: str
    licence: str
    unpaired: bool = False
    """The bright picture of a sample is another scene's: from ``trainB`` beside ``trainA``, or another pair's."""


class Semantics(Strict):
    """What guides the network (SKF, CVPR 2023): a bank, the SE modules, and the two losses that use its class map."""

    bank: Literal["none", "embedding", "hrnet"] = "none"
    path: Path | None = None
    """For ``embedding``: a cache of `python -m training semantics`; for ``hrnet``: its PASCAL-Context checkpoint."""
    normalise: bool = True
    """Whether the HRNet sees pictures less ImageNet's mean, over its deviation, as when it was trained (K7). False: as
    in the released SKF code, which leaves that out."""
    regions: Literal["none", "true", "shuffled"] = "none"
    """Region maps from the cache at ``path``; ``shuffled`` gives every picture the map of another one (ablations)."""
    labels: bool = False
    """Classes of the bank on the bright picture stand in for labels that nobody drew (SLLEN's segmentation)."""
    se: bool = False
    released: bool = False
    """SE modules as in the released code instead of this project's repaired ones."""
    sch: float = Field(0.0, ge=0)
    """Weight of the semantic colour-histogram loss; 0 leaves it out."""
    sch_every: int = Field(1, gt=0)
    """Every how many steps it acts (50 in SNR's released training)."""
    sa: float = Field(0.0, ge=0)
    """Weight of the semantic-aware adversarial loss; 0 leaves it and its discriminator out."""
    dropout: float = Field(0.0, ge=0, lt=1)
    """Share of samples whose scene is "not known", so that the network works without a segmenter too."""
    discriminator_rate: float = Field(1.0, gt=0)
    """The discriminator's learning rate as a multiple of the generator's."""

    @model_validator(mode="after")
    def _needs_a_bank(self) -> Semantics:
        if self.bank == "none" and (self.se or self.sch or self.sa or self.labels):
            raise ValueError("se, sch, sa and labels need a bank: set bank to embedding or hrnet")
        if self.path is None and (self.bank != "none" or self.regions != "none"):
            raise ValueError("a bank and region maps need a path")
        if self.bank == "hrnet" and self.regions != "none":
            raise ValueError("region maps come from a cache, which bank hrnet has no path to")
        if not self.normalise and self.bank != "hrnet":
            raise ValueError("normalise is of bank hrnet alone")
        return self

    @model_serializer(mode="wrap")
    def _as_before_normalise(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without ``normalise`` unless it is set, so that runs that began before it was an entry can be resumed."""
        found: dict[str, Any] = handler(self)
        if self.normalise:
            found.pop("normalise", None)
        return found


WITHOUT_TARGETS = ("sci", "enlighten-anything", "wakeup-darkness", "zero-dce", "zero-dce-plus-plus")
"""Systems whose losses never look at a bright picture."""

OPTION_PATHS = ("vgg16", "labelled")
"""Entries of ``options`` that are paths."""


class Recipe(Strict):
    """What is trained, on what, how long."""

    name: str = ""
    """File name of the recipe and its variant; filled in on loading."""
    system: str
    network: dict[str, Any] = {}
    """Keyword arguments of the network's builder (`networks.systems.build`)."""
    options: dict[str, Any] = {}
    """The system's own settings: weights of its losses, switches (its ``Options``)."""
    semantics: Semantics = Semantics()
    phases: dict[str, Phase] = Field(min_length=1)
    data: Data
    validation: Place | None = None
    """Pairs that are only looked at, never trained on."""
    validate_every: int = Field(500, gt=0)
    out: Path
    start: Path | None = None
    """A checkpoint to start from."""
    seed: int = 2
    average: float = Field(0.998, ge=0, lt=1)
    """Decay of the moving average of the weights that is exported."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the networks on a GPU; on a CPU always fp32."""
    save_every: int = Field(200, gt=0)

    @model_validator(mode="after")
    def _has_the_targets_it_needs(self) -> Recipe:
        targetless = self.data.layout in TARGETLESS
        if targetless and self.data.unpaired:
            raise ValueError(f"unpaired data has bright pictures, and layout {self.data.layout} has none")
        if targetless and self.system not in WITHOUT_TARGETS:
            raise ValueError(f"{self.system} learns from targets, and layout {self.data.layout} has none")
        if (targetless or self.data.unpaired) and (self.semantics.sch or self.semantics.sa or self.semantics.labels):
            raise ValueError("semantics.sch, sa and labels look at the target of every picture: the data needs pairs")
        if self.validation is not None and self.validation.layout in TARGETLESS:
            raise ValueError(f"validation compares with targets, and layout {self.validation.layout} has none")
        return self

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases.values())

    def at(self, step: int) -> tuple[str, Phase, int]:
        """Name and settings of the phase that ``step`` belongs to, and the step within it."""
        for name, phase in self.phases.items():
            if step < phase.steps:
                return name, phase, step
            step -= phase.steps
        raise IndexError("past the end of the recipe")


def load_recipe(path: Path, variant: str | None = None, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Read a recipe: its base, its file, the ``variant``, ``changes`` (nested like the file), each laid over the last.

    Raises ``ValueError`` naming the file and the entries that are wrong.
    """
    try:
        entries, smalls = _layers(path)
        if variant is not None:
            if variant != "small" or not smalls:
                raise ValueError(f"recipe {path} has no variant '{variant}'")
            for small in smalls:
                entries = merged(entries, small)
        recipe = Recipe.model_validate(merged(entries, changes or {}))
    except OSError as error:
        raise ValueError(f"recipe {path} cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ValueError(f"recipe {path} is not YAML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ValueError(f"recipe {path}: {wrong}") from error
    return _placed(recipe, path.resolve().parent).model_copy(
        update={"name": path.name if variant is None else f"{path.name}, {variant}"}
    )


def _layers(path: Path, may_have_base: bool = True) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What a file says, laid over its base, and the ``small`` entries to be laid over that, the base's first."""
    entries = yaml.safe_load(path.read_text())
    if not isinstance(entries, dict):
        raise ValueError(f"recipe {path} is no mapping of names to values")
    base, small = entries.pop("base", None), entries.pop("small", None)
    smalls = [] if small is None else [small]
    if base is None:
        return entries, smalls
    other = path.parent / str(base)
    # Of its own folder, because relative paths in it are taken from there.
    if not may_have_base or str(base) != other.name or not other.is_file():
        raise ValueError(f"recipe {path}: base must be a recipe of the same folder without a base, not {base}")
    below, smalls_below = _layers(other, may_have_base=False)
    return merged(below, entries), smalls_below + smalls


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``, mappings key by key, everything else replaced; phases of 0 steps drop out."""
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    if isinstance(phases := result.get("phases"), Mapping):
        result["phases"] = {name: phase for name, phase in phases.items() if not _is_empty(phase)}
    return result


def _is_empty(phase: Any) -> bool:
    return isinstance(phase, Mapping) and phase.get("steps") == 0


def _placed(recipe: Recipe, here: Path) -> Recipe:
    """All relative paths of a recipe taken from its folder."""
    changes: dict[str, Any] = {"out": here / recipe.out}
    for name in ("data", "validation"):
        data: Place | None = getattr(recipe, name)
        if data is not None:
            split = data.split or ("train" if name == "data" else "test")
            changes[name] = data.model_copy(update={"path": here / data.path, "split": split})
    if recipe.start is not None:
        changes["start"] = here / recipe.start
    files = {name: str(here / recipe.options[name]) for name in OPTION_PATHS if recipe.options.get(name)}
    changes["options"] = recipe.options | files
    if recipe.semantics.path is not None:
        changes["semantics"] = recipe.semantics.model_copy(update={"path": here / recipe.semantics.path})
    return recipe.model_copy(update=changes)
