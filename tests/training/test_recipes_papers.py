"""The recipes of these systems say what their papers say, and every variant trains: one step of its own settings."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from training_steps import RECIPES, pictures

from networks.sci import SCI
from networks.skf import Knowledge
from training.recipe import Semantics, load_recipe
from training.systems.sci import Options
from training.trainer import Run

NAMES = ("zero-dce", "zero-dce-plus-plus", "enlightengan", "enlighten-anything", "wakeup-darkness", "sllen")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize("name", NAMES)
def test_small_differs_in_place_and_keeps_the_system(name: str) -> None:
    full, small = load_recipe(RECIPES / f"{name}.yaml"), load_recipe(RECIPES / f"{name}.yaml", "small")
    assert full.system == small.system == name
    assert full.out != small.out
    assert small.steps <= 2000 < full.steps
    assert small.validation is not None
    assert small.name == f"{name}.yaml, small"


def test_settings_of_the_papers() -> None:
    """Specification of each: rates, batches, passes, weights."""
    zero, plus, gan, enlighten = (
        load_recipe(RECIPES / f"{name}.yaml") for name in ("zero-dce", "zero-dce-plus-plus", "enlightengan", NAMES[3])
    )
    for recipe in (zero, plus):
        phase = recipe.phases["curves"]
        assert (phase.batch, phase.crop, phase.clip) == (8, 256, 0.1)
        assert (phase.optimizer.learning_rate, phase.optimizer.weight_decay) == (1e-4, 1e-4)
        assert (recipe.options["spatial"], recipe.options["colour"], recipe.options["exposure"]) == (1, 5, 10)
    assert (zero.options["smooth"], plus.options["smooth"]) == (200, 1600)
    assert (zero.steps, plus.steps) == (200 * 2422 // 8, 100 * 2422 // 8)
    assert gan.data.unpaired
    assert [phase.steps for phase in gan.phases.values()] == [100 * 914 // 32] * 2
    assert all(
        (phase.batch, phase.crop, phase.optimizer.betas) == (32, 320, (0.5, 0.999)) for phase in gan.phases.values()
    )
    cascade = enlighten.phases["cascade"]
    assert (cascade.batch, cascade.crop, cascade.clip, cascade.optimizer.kind) == (10, None, 5, "adamw")
    assert (cascade.optimizer.learning_rate, cascade.optimizer.weight_decay) == (3e-4, 3e-4)
    assert enlighten.semantics.regions == "true"


def test_settings_of_sci_and_of_those_after_it() -> None:
    """SCI and Wakeup-Darkness as released; SLLEN's are this project's own design, its paper's are not known."""
    sci, wakeup, sllen = (load_recipe(RECIPES / f"{name}.yaml") for name in ("sci", "wakeup-darkness", "sllen"))
    cascade = sci.phases["cascade"]
    assert (cascade.steps, cascade.batch, cascade.crop, cascade.clip) == (1000 * 500, 1, None, 5)
    assert cascade.optimizer.model_dump() == {
        "kind": "adam",
        "learning_rate": 3e-4,
        "betas": (0.9, 0.999),
        "weight_decay": 3e-4,
    }
    assert (cascade.augment, cascade.schedule.kind, sci.average, sci.seed) == ((), "constant", 0, 2)
    assert (sci.network, sci.options) == ({}, {})
    assert (SCI().stages, Options().smooth_sigma) == (3, 10)
    single = wakeup.phases["single"]
    assert (single.steps, single.batch, single.crop, single.clip) == (1000 * 480 // 10, 10, None, 5)
    assert (single.optimizer.kind, single.optimizer.learning_rate, single.optimizer.weight_decay) == (
        "adamw",
        3e-4,
        3e-4,
    )
    assert (single.augment, single.schedule.kind) == ((), "constant")
    assert (wakeup.semantics.regions, wakeup.average, wakeup.seed) == ("true", 0, 2)
    alternating = sllen.phases["alternating"]
    assert (alternating.steps, alternating.batch, alternating.crop, alternating.clip) == (100_000, 8, 256, None)
    assert (alternating.optimizer.kind, alternating.optimizer.learning_rate) == ("adam", 2e-4)
    assert alternating.schedule.factor(alternating.steps, alternating.steps) * 2e-4 == pytest.approx(1e-6)
    assert alternating.schedule.kind == "cosine"
    assert set(alternating.augment) == {"flip_h", "flip_v", "transpose"}
    assert sllen.options == {"l1": 1, "structure": 0.5, "perceptual": 0.05, "segmentation": 1}
    assert (sllen.semantics.bank, sllen.semantics.labels, sllen.network) == ("embedding", True, {"classes": 32})


@pytest.mark.parametrize("name", NAMES)
def test_one_step_of_the_small_variant(name: str) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml", "small")
    # The cache of semantics is not here: what it would give comes with the batch.
    run = Run(recipe.model_copy(update={"semantics": Semantics()}), torch.device("cpu"))
    batch = pictures(size=64)
    assert batch.regions is not None
    classes = recipe.network.get("classes", 4)
    logits = torch.nn.functional.one_hot(batch.regions, classes + 1).movedim(-1, 1)[:, :classes].float()
    batch = replace(batch, target=Knowledge((), logits))
    for step in range(2):
        shown = run.step(batch, step)
        assert shown
        assert all(math.isfinite(value) for value in shown.values())
