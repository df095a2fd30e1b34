"""The recipes of RetinexNet, KinD and KinD++ say what was published, and their small variants train, guided too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import GUIDED, bank_in, pictures

from networks.kind import KinD
from training.recipe import load_recipe
from training.trainer import Run

RECIPES = Path(__file__).parents[2] / "training" / "recipes"
NAMES = ("retinexnet", "kind", "kind-plus")
PAIRS = 485


def test_settings_of_the_papers() -> None:
    retinex, kind, plus = (load_recipe(RECIPES / f"{name}.yaml") for name in NAMES)
    for phase in retinex.phases.values():
        assert (phase.steps, phase.batch, phase.crop) == (100 * PAIRS // 16, 16, 96)
        assert phase.optimizer.learning_rate == 1e-3
        assert [round(phase.schedule.factor(epoch * phase.steps // 100, phase.steps), 6) for epoch in (0, 19, 21)] == [
            1,
            1,
            0.1,
        ]
    for recipe, epochs in ((kind, (2000, 2000, 1000)), (plus, (2500, 2000, 2400))):
        assert list(recipe.phases) == ["decomposition", "adjustment", "restoration"]
        for phase, count in zip(recipe.phases.values(), epochs, strict=True):
            assert phase.steps == count * PAIRS // phase.batch
            assert phase.optimizer.learning_rate == 1e-4
    restoration = kind.phases["restoration"]
    assert (restoration.batch, restoration.crop) == (4, 384)
    assert [restoration.schedule.factor(n * restoration.steps // 1000, restoration.steps) for n in (799, 801)] == [
        1,
        0.5,
    ]
    restoration = plus.phases["restoration"]
    assert (restoration.batch, restoration.crop) == (10, 48)
    halved = [
        restoration.schedule.factor(n * restoration.steps // 2400, restoration.steps) for n in (299, 301, 501, 1501)
    ]
    assert halved == [1, 0.5, 0.25, 0.125]
    assert (kind.options["similarity"], plus.options["similarity"]) == (0.01, 0.009)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("semantics", [{}, GUIDED], ids=["plain", "guided"])
def test_every_phase_of_the_small_variant_takes_a_step(name: str, semantics: dict[str, Any], tmp_path: Path) -> None:
    place = {"path": str(bank_in(tmp_path / "bank"))} if semantics else {}
    recipe = load_recipe(RECIPES / f"{name}.yaml", "small", {"out": str(tmp_path), "semantics": {**semantics, **place}})
    assert recipe.steps <= 1200
    assert recipe.validation is not None
    run, step = Run(recipe, torch.device("cpu")), 0
    for phase, settings in recipe.phases.items():
        shown = run.step(pictures(run, 48), step)
        assert ("sch" in shown and "judge_local" in shown) == (
            bool(semantics) and phase in ("relighting", "restoration")
        )
        step += settings.steps


@pytest.mark.parametrize("name", ["kind", "kind-skf", "kind-plus", "kind-plus-skf"])
def test_the_illumination_of_the_small_variant_soon_tells_dark_from_bright(name: str, tmp_path: Path) -> None:
    """With the published weights it is one grey for both after so few steps, and the ratio of light means nothing."""
    torch.set_num_threads(1)
    place = {"semantics": {"path": str(bank_in(tmp_path / "bank"))}} if name.endswith("skf") else {}
    recipe = load_recipe(RECIPES / f"{name}.yaml", "small", {"out": str(tmp_path), **place})
    run = Run(recipe, torch.device("cpu"))
    batch = pictures(run, 32)
    for step in range(50):
        run.step(batch, step)
    network = run.system.network
    assert isinstance(network, KinD)
    with torch.no_grad():
        dark, bright = (network.decompose(picture)[1].mean() for picture in (batch.low, batch.high))
    assert bright > 1.5 * dark
