"""KinD and KinD++ are trained part by part; the parts before stay as they are, with and without SKF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import GUIDED, moved, recipe_of, start, state_of

from training.losses import kind as losses
from training.systems.kind import KinDSystem

SMALL: dict[str, Any] = {"network": {"channels": 4}, "options": {"skf": {"discriminator_channels": 4}}}
PHASES = {"decomposition": 2, "adjustment": 3, "restoration": 2}
SYSTEMS = pytest.mark.parametrize("system", ["kind", "kind-plus"])
WAYS = pytest.mark.parametrize("semantics", [None, GUIDED], ids=["plain", "guided"])


@SYSTEMS
@WAYS
def test_each_phase_moves_all_of_its_part_and_nothing_else(
    tmp_path: Path, system: str, semantics: dict[str, Any] | None
) -> None:
    run, batch = start(recipe_of(tmp_path, system, PHASES, semantics, **SMALL))
    parts = {"decomposition": "decompose.", "adjustment": "adjust.", "restoration": "restore."}
    step = 0
    for phase, steps in PHASES.items():
        before = state_of(run.system.network)
        for _ in range(steps):
            run.step(batch, step)
            step += 1
        wanted = {name for name in before if name.startswith(parts[phase])}
        found = moved(before, run.system.network)
        assert found <= wanted, phase
        assert len(found) > 0.95 * len(wanted), phase  # a ReLU of four channels may be dead


@SYSTEMS
def test_the_decomposition_comes_to_explain_the_pictures(tmp_path: Path, system: str) -> None:
    run, batch = start(recipe_of(tmp_path, system, {"decomposition": 25}, rate=2e-2, **SMALL))
    shown = [run.step(batch, step) for step in range(25)]
    assert shown[24]["reconstruction"] < 0.9 * shown[0]["reconstruction"]


@SYSTEMS
@WAYS
@pytest.mark.slow
def test_adjustment_and_restoration_learn_one_pair_by_heart(
    tmp_path: Path, system: str, semantics: dict[str, Any] | None
) -> None:
    phases = {"adjustment": 20, "restoration": 12}
    run, batch = start(recipe_of(tmp_path, system, phases, semantics, rate=1e-2, **SMALL))
    with torch.no_grad():  # an untrained decomposition hardly tells dark from bright
        run.system.network.decompose.illumination.weight.mul_(20)
    shown = [run.step(batch, step) for step in range(32)]
    if semantics is None:  # guidance does not touch the adjustment
        levels = [figures["square"] for figures in shown[:20]]
        assert sum(levels[-5:]) < 0.5 * sum(levels[:5])
    own = [figures["square"] + figures["structure"] for figures in shown[20:]]
    assert own[-1] < 0.5 * own[0]


@SYSTEMS
def test_terms_are_weighted_as_published(tmp_path: Path, system: str) -> None:
    run, batch = start(recipe_of(tmp_path, system, PHASES, None, **SMALL))
    network = run.system.network.eval()
    dark, bright = network.decompose(batch.low), network.decompose(batch.high)
    ((_, found),) = run.system.updates(batch, 0, "decomposition")
    own = losses.decomposition_terms(batch.low, batch.high, dark, bright)
    similarity = 0.009 if system == "kind-plus" else 0.01
    for name, weight in {"reconstruction": 1, "similarity": similarity, "shared": 0.2, "unexplained": 0.15}.items():
        torch.testing.assert_close(found[name], weight * own[name])
    ((_, found),) = run.system.updates(batch, 0, "restoration")
    restoration = losses.restoration_terms_plus if system == "kind-plus" else losses.restoration_terms
    own = restoration(network.restore(*dark), bright[0])
    assert found.keys() == own.keys()
    for name, term in own.items():
        torch.testing.assert_close(found[name], term)


@SYSTEMS
def test_the_adjustment_learns_both_directions_of_light(tmp_path: Path, system: str) -> None:
    run, batch = start(recipe_of(tmp_path, system, PHASES, None, **SMALL))
    asked = []

    def listen(module: torch.nn.Module, given: tuple[torch.Tensor, torch.Tensor]) -> None:
        asked.append((given[0].mean((1, 2, 3)).detach(), given[1].flatten()))

    network = run.system.network
    dark, bright = network.decompose(batch.low)[1], network.decompose(batch.high)[1]
    network.adjust.register_forward_pre_hook(listen)
    for step in range(8):
        torch.manual_seed(step)
        list(run.system.updates(batch, step, "adjustment"))
    ratio = losses.brightening(dark, bright)
    upwards = 0
    for level, given in asked:
        for sample in range(2):
            is_dark = torch.isclose(level[sample], dark[sample].mean())
            upwards += int(is_dark)
            torch.testing.assert_close(given[sample], ratio[sample] if is_dark else 1 / ratio[sample])
    assert 0 < upwards < 16


def test_the_result_that_is_guided_has_the_light_of_the_pair(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "kind", PHASES, GUIDED, **SMALL))
    system, seen = run.system, []
    assert isinstance(system, KinDSystem)

    def guided(terms: Any, enhanced: torch.Tensor, *rest: Any) -> Any:
        seen.append(enhanced)
        yield "network", terms

    system.guided = guided  # type: ignore[method-assign]
    list(system.updates(batch, 0, "restoration"))
    dark, bright = (system.network.decompose(picture)[1] for picture in (batch.low, batch.high))
    wanted = system.network(batch.low, batch.knowledge, ratio=losses.brightening(dark, bright)).enhanced
    torch.testing.assert_close(seen[0], wanted)


def test_crops_that_do_not_fit_and_another_order_are_refused(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "kind", PHASES, None, **SMALL)
    phase = recipe.phases["adjustment"].model_copy(update={"crop": 40})
    with pytest.raises(ValueError, match="phase adjustment: kind is trained on crops of a multiple of 16"):
        start(recipe.model_copy(update={"phases": {**recipe.phases, "adjustment": phase}}))
    with pytest.raises(ValueError, match="in this order"):
        start(recipe_of(tmp_path, "kind", {"restoration": 1, "adjustment": 1}, None, **SMALL))
