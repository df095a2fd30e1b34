"""A recipe laid over another one of its folder, and its small variant over the other's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from training.recipe import load_recipe

PHASE = {"steps": 10, "batch": 2, "crop": 32, "optimizer": {"learning_rate": 1e-3}}
BELOW: dict[str, Any] = {
    "system": "sci",
    "data": {"path": "pictures", "name": "none", "licence": "none"},
    "out": "below",
    "phases": {"first": PHASE, "second": PHASE},
    "seed": 7,
    "small": {"out": "below-small", "phases": {"first": {"steps": 0}, "second": {"steps": 4, "crop": 16}}},
}


def written(folder: Path, **recipes: dict[str, Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, entries in recipes.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(entries))
    return folder


def test_a_recipe_and_its_small_variant_are_laid_over_those_of_the_base(tmp_path: Path) -> None:
    above = {"base": "below.yaml", "out": "above", "phases": {"second": {"steps": 20}}, "small": {"out": "above-small"}}
    path = written(tmp_path, below=BELOW, above=above) / "above.yaml"
    whole, small = load_recipe(path), load_recipe(path, "small")
    assert (whole.name, whole.seed, whole.data.path) == ("above.yaml", 7, tmp_path / "pictures")
    assert [(whole.phases[name].steps, whole.phases[name].crop) for name in whole.phases] == [(10, 32), (20, 32)]
    assert whole.out == tmp_path / "above"
    assert {name: (phase.steps, phase.crop) for name, phase in small.phases.items()} == {"second": (4, 16)}
    assert (small.name, small.out) == ("above.yaml, small", tmp_path / "above-small")
    assert load_recipe(path, "small", {"seed": 1}).seed == 1


def test_without_an_own_small_variant_it_is_the_bases(tmp_path: Path) -> None:
    path = written(tmp_path, below=BELOW, above={"base": "below.yaml"}) / "above.yaml"
    assert load_recipe(path, "small").phases == load_recipe(tmp_path / "below.yaml", "small").phases


@pytest.mark.parametrize("base", ["nowhere.yaml", "other/below.yaml", "above.yaml", "middle.yaml"])
def test_a_base_is_a_recipe_of_the_same_folder_without_a_base(tmp_path: Path, base: str) -> None:
    written(tmp_path, below=BELOW, middle={"base": "below.yaml"}, above={"base": base})
    written(tmp_path / "other", below=BELOW)
    with pytest.raises(ValueError, match=r"\.yaml: base must be a recipe of the same folder without a base"):
        load_recipe(tmp_path / "above.yaml")
