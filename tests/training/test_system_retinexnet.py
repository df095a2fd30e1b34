"""RetinexNet is trained in its two phases, each moving its own part, with and without SKF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import GUIDED, moved, recipe_of, start, state_of

from networks.systems import Inference
from training.losses.retinexnet import decomposition_terms, relighting_terms

SMALL: dict[str, Any] = {"network": {"channels": 12}, "options": {"skf": {"discriminator_channels": 4}}}
PHASES = {"decomposition": 2, "relighting": 2}
WAYS = pytest.mark.parametrize("semantics", [None, GUIDED], ids=["plain", "guided"])


@WAYS
def test_each_phase_moves_all_of_its_part_and_nothing_else(tmp_path: Path, semantics: dict[str, Any] | None) -> None:
    run, batch = start(recipe_of(tmp_path, "retinexnet", PHASES, semantics, **SMALL))
    for phase, first, part in (("decomposition", 0, "decompose."), ("relighting", 2, "relight.")):
        before = state_of(run.system.network)
        for step in (first, first + 1):
            run.step(batch, step)
        wanted = {name for name in before if name.startswith(part)}
        assert moved(before, run.system.network) == wanted, phase


def test_the_semantic_modules_are_trained(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "retinexnet", PHASES, GUIDED, **SMALL))
    before = state_of(run.system.network)
    for step in (2, 3):
        run.step(batch, step)
    assert any(".semantic." in name for name in moved(before, run.system.network))


@WAYS
def test_it_learns_one_pair_by_heart(tmp_path: Path, semantics: dict[str, Any] | None) -> None:
    phases = {"decomposition": 30, "relighting": 20}
    run, batch = start(recipe_of(tmp_path, "retinexnet", phases, semantics, rate=5e-3, average=0.0, **SMALL))
    losses = [run.step(batch, step)["reconstruction"] for step in range(50)]
    assert losses[29] < 0.6 * losses[0]
    assert losses[49] < 0.6 * losses[30]
    network = run.system.network.eval()
    enhanced = network(batch.low, batch.knowledge).enhanced
    assert (enhanced - batch.high).abs().mean() < 0.6 * (batch.low - batch.high).abs().mean()
    if semantics is None:
        assert torch.equal(Inference("retinexnet", network)(batch.low), enhanced)


def test_terms_are_weighted_as_published(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "retinexnet", PHASES, None, **SMALL))
    network = run.system.network
    ((_, found),) = run.system.updates(batch, 0, "decomposition")
    own = decomposition_terms(batch.low, batch.high, network.decompose(batch.low), network.decompose(batch.high))
    for name, weight in {"reconstruction": 1, "exchange": 0.001, "smooth": 0.1, "similarity": 0.01}.items():
        torch.testing.assert_close(found[name], weight * own[name])
    ((_, found),) = run.system.updates(batch, 0, "relighting")
    output = network(batch.low)
    own = relighting_terms(batch.high, output.reflectance, output.relit)
    for name, weight in {"reconstruction": 1, "smooth": 3}.items():
        torch.testing.assert_close(found[name], weight * own[name])


def test_phases_that_it_does_not_have_or_in_another_order_are_refused(tmp_path: Path) -> None:
    for phases in ({"all": 1}, {"relighting": 1, "decomposition": 1}):
        with pytest.raises(ValueError, match="has the phases decomposition, relighting"):
            start(recipe_of(tmp_path, "retinexnet", phases, None, **SMALL))
