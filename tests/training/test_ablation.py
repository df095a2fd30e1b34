"""An ablation trains its arms on the same draws, shares work between processes and compares seed by seed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from training_pictures import brackets

from training.ablation import collect, load_ablation, markdown, train

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ablation(tmp_path: Path) -> Path:
    torch.set_num_threads(1)
    data = brackets(tmp_path / "brackets")
    phase = {"steps": 2, "batch": 2, "crop": 32, "optimizer": {"learning_rate": 1e-2}}
    recipe = {
        "system": "sci",
        "data": {"path": str(data), "name": "made by the test", "licence": "CC0-1.0"},
        "validation": {"path": str(data)},
        "phases": {"all": phase},
        "out": "unused",
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(recipe))
    arms = {"off": {}, "more": {"phases": {"all": {"steps": 4}}}}
    content = {
        "title": "t",
        "seeds": [1, 2],
        "against": "off",
        "groups": {"SCI": {"recipe": "tiny.yaml"}},
        "arms": arms,
    }
    path = tmp_path / "ablation.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_arms_are_trained_once_and_compared_by_seed(ablation: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    for worker in (0, 1):
        train(ablation, out, worker=worker, workers=2)
    found = sorted(path.relative_to(out).as_posix() for path in out.rglob("scores.json"))
    assert found == [f"SCI/{arm}/seed{seed}/scores.json" for arm in ("more", "off") for seed in (1, 2)]
    marked = out / "SCI/off/seed1/scores.json"
    scores = json.loads(marked.read_text())
    for picture in scores["pictures"]:
        picture["psnr"] = 10.0
    marked.write_text(json.dumps(scores))
    train(ablation, out)  # nothing is left to do, so what is there stays
    rows = {row["arm"]: row for row in collect(ablation, out)["rows"]}
    assert rows["more"]["steps"] == 4
    assert rows["off"]["psnr_gain_by_seed"] == {1: 0.0, 2: 0.0}
    more = json.loads((out / "SCI/more/seed1/scores.json").read_text())["pictures"]
    assert rows["more"]["psnr_gain_by_seed"][1] == pytest.approx(sum(p["psnr"] for p in more) / len(more) - 10)
    assert "| SCI | more | 258 | 4 | 1, 2 |" in markdown(collect(ablation, out))


def test_a_finished_run_of_other_settings_is_refused_not_counted(ablation: Path, tmp_path: Path) -> None:
    train(ablation, tmp_path / "runs", seeds=[1], arms=["off"])
    scores = (tmp_path / "runs/SCI/off/seed1/scores.json").read_text()
    changed = yaml.safe_load(ablation.read_text())
    changed["arms"]["off"] = {"phases": {"all": {"optimizer": {"learning_rate": 1e-4}}}}
    ablation.write_text(yaml.safe_dump(changed))
    with pytest.raises(ValueError, match=r"SCI/off/seed1/checkpoint\.pt belongs to another recipe \(phases differ\)"):
        train(ablation, tmp_path / "runs", seeds=[1], arms=["off"])
    assert (tmp_path / "runs/SCI/off/seed1/scores.json").read_text() == scores


def test_names_that_an_ablation_lacks_and_empty_tables_are_told(ablation: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has no nope; it has more, off"):
        train(ablation, tmp_path / "runs", arms=["nope"])
    with pytest.raises(ValueError, match=r"no run of .* is finished"):
        collect(ablation, tmp_path / "runs")


def test_a_wrong_ablation_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("title: x\nseeds: [1]\nagainst: nothing\ngroups: {}\narms: {}\n")
    with pytest.raises(ValueError, match=r"bad\.yaml: 'against' names no arm"):
        load_ablation(path)


@pytest.mark.parametrize("name", ["skf", "enlighten-anything"])
def test_arms_of_the_shipped_ablations_differ_only_in_what_is_compared(name: str, tmp_path: Path) -> None:
    path = ROOT / "training" / "ablations" / f"{name}.yaml"
    ablation = load_ablation(path)
    for group in ablation.groups:
        recipes = [ablation.recipe(path.parent, group, arm, 1, tmp_path) for arm in ablation.arms]
        for recipe in recipes[1:]:
            assert (recipe.data, recipe.steps, recipe.seed) == (recipes[0].data, recipes[0].steps, recipes[0].seed)
            for one, two in zip(recipe.phases.values(), recipes[0].phases.values(), strict=True):
                assert (one.batch, one.crop, one.augment) == (two.batch, two.crop, two.augment)
                assert one.optimizer.learning_rate == two.optimizer.learning_rate
