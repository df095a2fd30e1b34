"""The recipes of SKF: over the plain ones, with what was released or designed, and small ones that take a step."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from guided_runs import bank_in, pictures

from networks.systems import build
from training.ablation import load_ablation
from training.recipe import Recipe, load_recipe
from training.systems.skf import SKFOptions
from training.trainer import Run

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
RELEASED = ("drbn", "snr", "llflow-s", "llflow-l")
DESIGNED = ("retinexnet", "kind", "kind-plus", "hwmnet")
OWN = {"name", "out", "semantics", "phases", "options"}


def options_of(recipe: Recipe) -> SKFOptions:
    return SKFOptions.model_validate(recipe.options["skf"])


@pytest.mark.parametrize("variant", [None, "small"])
@pytest.mark.parametrize("name", RELEASED + DESIGNED)
def test_only_guidance_and_what_is_named_differ_from_the_plain_recipe(name: str, variant: str | None) -> None:
    plain, guided = (load_recipe(RECIPES / f"{file}.yaml", variant) for file in (name, f"{name}-skf"))
    assert guided.model_dump(exclude=OWN) == plain.model_dump(exclude=OWN)
    assert guided.out.name == plain.out.name.replace(name, f"{name}-skf")
    if variant or name not in ("snr", "llflow-l"):
        assert guided.phases == plain.phases
    how = guided.semantics
    assert (how.bank, how.se) == (("embedding" if variant else "hrnet"), True)
    assert how.dropout == (0.1 if variant else 0.0), "a small one must also work where nothing is known"
    assert how.sch > 0
    assert (how.sa > 0) == (name not in ("snr", "llflow-s", "llflow-l"))


@pytest.mark.parametrize("name", RELEASED + DESIGNED)
def test_the_plain_recipe_says_where_the_guided_one_is(name: str) -> None:
    comment = (RECIPES / f"{name}.yaml").read_text().partition("\nsystem:")[0]
    assert f"{name}-skf.yaml" in comment
    assert "semantics:" not in comment, "settings stand in one place"


def test_released_settings() -> None:
    drbn, snr, small, large = (load_recipe(RECIPES / f"{name}-skf.yaml") for name in RELEASED)
    weights = [(r.semantics.sch, r.semantics.sch_every, r.semantics.sa) for r in (drbn, snr, small, large)]
    assert weights == [(1, 1, 0.1), (10_000, 50, 0), (1, 1, 0), (1, 1, 0)]
    assert [options_of(r).normaliser for r in (drbn, snr, small, large)] == ["classes", "pixels", "pixels", "pixels"]
    assert (drbn.phases["bands"].batch, drbn.phases["bands"].crop, drbn.semantics.discriminator_rate) == (4, 256, 1)
    restoration = snr.phases["restoration"]
    assert (restoration.batch, restoration.crop, restoration.steps, snr.seed) == (16, 128, 600_000, 3407)
    assert (restoration.optimizer.learning_rate, restoration.optimizer.betas) == (1e-4, (0.9, 0.99))
    assert snr.options["reduction"] == "sum"
    for recipe, steps, warm_up in ((small, 45_000, 0), (large, 30_000, 200)):
        phase = recipe.phases["likelihood"]
        assert (phase.batch, phase.crop, phase.steps, phase.schedule.warm_up) == (16, 160, steps, warm_up)
        assert phase.schedule.at == (0.5, 0.75, 0.9, 0.95)
        assert (phase.optimizer.learning_rate, recipe.seed) == (5e-4, 10)


@pytest.mark.parametrize("name", DESIGNED)
def test_the_unreleased_have_the_designed_weights(name: str) -> None:
    how = load_recipe(RECIPES / f"{name}-skf.yaml").semantics
    assert (how.sch, how.sch_every, how.sa, how.discriminator_rate) == (1, 1, 0.1, 1)


def test_small_weights_are_those_of_the_ablation_and_never_the_released_ones(tmp_path: Path) -> None:
    path = RECIPES.parent / "ablations" / "skf.yaml"
    ablation = load_ablation(path)
    for group in ablation.groups:
        whole = ablation.recipe(path.parent, group, "SE+SCH+SA", 1, tmp_path)
        half = ablation.recipe(path.parent, group, "SE+SCH", 1, tmp_path)
        small = load_recipe(RECIPES / f"{whole.system}-skf.yaml", "small")
        assert whole.semantics.sch == half.semantics.sch == small.semantics.sch
        assert small.semantics.sa in (0, whole.semantics.sa)
    for name in RELEASED + DESIGNED:
        assert load_recipe(RECIPES / f"{name}-skf.yaml", "small").semantics.sch > 10


@pytest.mark.parametrize(
    ("name", "increment"),
    [("retinexnet", 48_150), ("kind", 472_198), ("drbn", 41_464)],
)
def test_released_modules_can_be_chosen(name: str, increment: int) -> None:
    recipe = load_recipe(RECIPES / f"{name}-skf.yaml", changes={"semantics": {"released": True, "normalise": False}})
    semantics = {"channels": [48, 96, 192, 384], "classes": 59, "released": recipe.semantics.released}
    with torch.device("meta"):
        plain, guided = build(name, recipe.network), build(name, {**recipe.network, "semantics": semantics})
    counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (plain, guided)]
    assert counts[1] - counts[0] == increment


@pytest.mark.parametrize("name", RELEASED + DESIGNED)
def test_the_last_phase_of_the_small_variant_takes_a_guided_step(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    changes = {"out": str(tmp_path), "semantics": {"path": str(bank_in(tmp_path / "bank"))}}
    recipe = load_recipe(RECIPES / f"{name}-skf.yaml", "small", changes)
    run = Run(recipe, torch.device("cpu"))
    *_, last = recipe.phases.values()
    first = recipe.steps - last.steps
    shown = run.step(pictures(run, 48), first)
    assert "sch" in shown
    assert ("judge_local" in shown) == (recipe.semantics.sa > 0)
    modules = [value for key, value in run.system.network.named_parameters() if "semantic" in key]
    assert modules
    assert all(parameter.grad is not None for parameter in modules)
