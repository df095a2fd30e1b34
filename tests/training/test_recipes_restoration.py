"""The recipes of DRBN, HWMNet, SNR-LLIE-Net, MIRNet-v2 and LLFlow say what was published, and their variants train."""

from __future__ import annotations

import pytest
import torch
from training_steps import RECIPES, pictures

from networks.systems import build
from training.recipe import Phase, load_recipe
from training.trainer import Run

NAMES = ("drbn", "hwmnet", "snr", "mirnet", "llflow-s", "llflow-l")
PARAMETERS = {"drbn": 557_668, "hwmnet": 66_564_649, "snr": 39_124_099, "mirnet": 5_858_560}


def changes_of_rate(phase: Phase) -> dict[int, float]:
    """The learning rate from each step at which it changes, looked for around every 250th step."""
    found: dict[int, float] = {}
    near = {around + offset for around in range(0, phase.steps, 250) for offset in (-1, 0, 1)}
    last = None
    for step in sorted(step for step in near if 0 <= step < phase.steps):
        rate = phase.optimizer.learning_rate * phase.schedule.factor(step, phase.steps)
        if rate != last:
            found[step] = rate
        last = rate
    return found


def test_drbn_halves_after_200_of_300_epochs() -> None:
    recipe = load_recipe(RECIPES / "drbn.yaml")
    phase = recipe.phases["bands"]
    epoch = 485 * 3 / 4
    assert (phase.batch, phase.crop, phase.steps, recipe.seed) == (4, 256, 300 * epoch, 1)
    assert phase.schedule.factor(int(200 * epoch) - 1, phase.steps) == 1
    assert phase.schedule.factor(int(200 * epoch), phase.steps) == 0.5
    assert phase.schedule.factor(phase.steps - 1, phase.steps) == 0.5
    assert phase.optimizer.learning_rate == 1e-4
    assert set(phase.augment) == {"flip_h", "flip_v", "transpose"}


def test_hwmnet_follows_its_readme() -> None:
    recipe = load_recipe(RECIPES / "hwmnet.yaml")
    phase = recipe.phases["restoration"]
    epoch = 4850 // 2
    assert (phase.batch, phase.crop, phase.steps) == (2, 256, 300 * epoch)
    assert phase.optimizer.learning_rate * phase.schedule.factor(3 * epoch, phase.steps) == pytest.approx(
        5e-5, rel=1e-3
    )
    assert phase.schedule.factor(epoch, phase.steps) == pytest.approx(1 / 3, rel=1e-3)
    assert phase.optimizer.learning_rate * phase.schedule.floor == pytest.approx(1e-5)
    assert recipe.options["reduction"] == "mean"


def test_snr_halves_at_its_four_steps() -> None:
    recipe = load_recipe(RECIPES / "snr.yaml")
    phase = recipe.phases["restoration"]
    assert (phase.batch, phase.crop, phase.steps) == (32, 128, 600_000)
    expected = {0: 4e-4, 50_000: 2e-4, 100_000: 1e-4, 200_000: 5e-5, 300_000: 2.5e-5}
    found = changes_of_rate(phase)
    assert list(found) == list(expected)
    assert list(found.values()) == pytest.approx(list(expected.values()))
    assert phase.optimizer.betas == (0.9, 0.99)
    assert recipe.options["reduction"] == "sum"


def test_mirnet_is_steady_then_annealed_on_growing_crops() -> None:
    recipe = load_recipe(RECIPES / "mirnet.yaml")
    steady, annealed = recipe.phases["steady"], recipe.phases["annealed"]
    assert (steady.steps, annealed.steps, steady.crop, steady.batch) == (46_000, 104_000, 128, 8)
    assert set(changes_of_rate(steady).values()) == {2e-4}
    rates = list(changes_of_rate(annealed).values())
    assert rates == sorted(rates, reverse=True)
    assert [rates[0], rates[-1]] == pytest.approx([2e-4, 1e-6], rel=0.01)
    parts = recipe.options["growth"]["annealed"]
    lengths = [after["until"] - before for after, before in zip(parts, [0, *(p["until"] for p in parts)], strict=False)]
    assert lengths == [32_000, 24_000, 18_000, 18_000, 12_000]
    assert [part["crop"] for part in parts] == [160, 192, 256, 320, 384]
    assert annealed.crop == max(part["crop"] for part in parts)
    assert annealed.batch == max(part["batch"] for part in parts)


@pytest.mark.parametrize(("name", "steps", "warm_up"), [("llflow-s", 45_000, 0), ("llflow-l", 40_000, 3000)])
def test_llflow_halves_at_four_shares(name: str, steps: int, warm_up: int) -> None:
    phase = load_recipe(RECIPES / f"{name}.yaml").phases["likelihood"]
    assert (phase.batch, phase.crop, phase.steps, phase.schedule.warm_up) == (16, 160, steps, warm_up)
    rates = {step: rate for step, rate in changes_of_rate(phase).items() if step == 0 or step > warm_up}
    later = [step for step in rates if step > warm_up]
    assert later == [int(share * steps) for share in (0.5, 0.75, 0.9, 0.95)]
    assert [rates[step] for step in later] == pytest.approx([5e-4 / 2**n for n in (1, 2, 3, 4)])
    assert (phase.optimizer.betas, phase.optimizer.weight_decay) == ((0.9, 0.99), 1e-5)
    assert phase.augment == ("flip_h",)


@pytest.mark.parametrize("name", PARAMETERS)
def test_recipes_train_the_published_networks(name: str) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    with torch.device("meta"):
        network = build(recipe.system, recipe.network)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", NAMES)
def test_one_step_of_the_small_variant(name: str) -> None:
    torch.set_num_threads(1)
    full, small = load_recipe(RECIPES / f"{name}.yaml"), load_recipe(RECIPES / f"{name}.yaml", "small")
    assert full.out != small.out
    assert small.steps <= 1000 < full.steps
    assert small.validation is not None
    phase = small.at(0)[1]
    assert phase.crop is not None
    run = Run(small, torch.device("cpu"))
    before = {n: p.detach().clone() for n, p in run.system.network.named_parameters()}
    run.step(pictures(1, phase.crop), 0)
    assert any(not torch.equal(before[n], p) for n, p in run.system.network.named_parameters())
