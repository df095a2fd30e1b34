"""The cards of the shipped bundles and the recipes in the repository tell the same story."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.bundle import load_bundle
from training.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["curve", "sci", "zero-dce-plus-plus"])
def test_a_shipped_card_names_the_recipe_that_made_it(name: str) -> None:
    training = load_bundle(ROOT / "engines" / "bundles" / name).card.training
    file, _, variant = training.recipe.partition(", ")
    recipe = load_recipe(ROOT / "training" / "recipes" / file, variant or None)
    assert (training.steps, training.seed) == (recipe.steps, recipe.seed)
    assert (training.data, training.data_licence) == (recipe.data.name, recipe.data.licence)
