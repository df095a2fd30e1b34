"""DRBN's two stages: the bands with and without SKF, the recomposition that leaves them as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import GUIDED, moved, recipe_of, start, state_of
from guided_runs import pictures as drawn

from networks.systems import Inference
from training.losses.drbn import band_similarity
from training.losses.perceptual import VGG16
from training.systems.drbn import DRBNSystem

SMALL: dict[str, Any] = {"network": {"width": 4}, "options": {"skf": {"discriminator_channels": 4}}}
SIDE = 44


@pytest.mark.parametrize("semantics", [None, GUIDED], ids=["plain", "guided"])
@pytest.mark.slow
def test_it_learns_one_pair_by_heart(tmp_path: Path, semantics: dict[str, Any] | None) -> None:
    run, _ = start(recipe_of(tmp_path, "drbn", {"bands": 25}, semantics, rate=3e-3, average=0.0, **SMALL))
    batch = drawn(run, SIDE)
    before = state_of(run.system.network)
    shown = [run.step(batch, step) for step in range(25)]
    for scale in ("full", "half", "quarter"):
        assert shown[-1][scale] < shown[0][scale] - 0.3
    # At this width a layer of two channels may start dead.
    assert len(moved(before, run.system.network)) > 0.95 * len(before)
    enhanced = run.system.network.eval()(batch.low, batch.knowledge).enhanced
    assert (enhanced - batch.high).abs().mean() < 0.6 * (batch.low - batch.high).abs().mean()
    expected = {"sch", "sa_global", "sa_local", "judge_global", "judge_local", "loss_discriminator"}
    assert set(shown[0]) - {"full", "half", "quarter", "loss_network"} == (expected if semantics else set())
    if semantics is None:
        assert torch.equal(Inference("drbn", run.system.network)(batch.low), enhanced)


def test_terms_are_weighted_by_the_options(tmp_path: Path) -> None:
    changes = {**SMALL, "options": {"half": 0.5, "quarter": 0.0}}
    run, _ = start(recipe_of(tmp_path, "drbn", {"bands": 1}, None, **changes))
    batch = drawn(run, SIDE)
    ((_, terms),) = run.system.updates(batch, 0, "bands")
    own = band_similarity(run.system.network(batch.low).scales, batch.high)
    torch.testing.assert_close(terms["full"], own["full"])
    torch.testing.assert_close(terms["half"], 0.5 * own["half"])
    assert terms["quarter"] == 0


@pytest.mark.parametrize("semantics", [None, GUIDED], ids=["plain", "guided"])
def test_the_recomposition_leaves_the_bands_alone_and_its_critic_learns_both_ways(
    tmp_path: Path, semantics: dict[str, Any] | None
) -> None:
    changes = {**SMALL, "options": {"features": 0.0, "critic_channels": 4, "skf": {"discriminator_channels": 4}}}
    run, _ = start(recipe_of(tmp_path, "drbn", {"bands": 1, "recomposition": 3}, semantics, rate=1e-2, **changes))
    batch = drawn(run, SIDE)
    run.step(batch, 0)
    before = {name: state_of(part) for name, part in run.system.helpers.items()}
    bands = state_of(run.system.network)
    shown = [run.step(batch, step) for step in (1, 2, 3)]
    assert set(shown[0]) == {
        *("similarity", "adversarial", "loss_recomposition"),
        *("critic_made", "critic_real", "loss_critic"),
    }
    assert not moved(bands, run.system.network)
    assert moved(before["recomposition"], run.system.helpers["recomposition"]) == set(before["recomposition"])
    unused = {"plain.weight", "plain.bias"}
    assert moved(before["critic"], run.system.helpers["critic"]) == set(before["critic"]) - unused
    if semantics:
        assert not moved(before["discriminator"], run.system.helpers["discriminator"])


def test_the_recomposition_asks_for_vgg16_and_uses_it(tmp_path: Path) -> None:
    recipe = recipe_of(tmp_path, "drbn", {"recomposition": 1}, None, **SMALL)
    with pytest.raises(ValueError, match=r"no VGG16 weights.*`options\.features: 0`"):
        start(recipe)
    path = tmp_path / "vgg16.pth"
    numbers, network = (0, 2, 5, 7), VGG16("relu2_2")
    state = zip(numbers, network.convolutions, strict=True)
    torch.save({f"features.{n}.{part}": v for n, conv in state for part, v in conv.named_parameters()}, path)
    options = {"vgg16": str(path), "critic_channels": 4, "features": 3.0}
    run, _ = start(recipe_of(tmp_path, "drbn", {"recomposition": 1}, None, network={"width": 4}, options=options))
    assert isinstance(run.system, DRBNSystem)
    shown = run.step(drawn(run, SIDE), 0)
    assert shown["features"] > 0
    assert not any("convolutions" in name for name in run.system.helpers.state_dict())


def test_other_phases_and_too_small_crops_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="phases bands, recomposition"):
        start(recipe_of(tmp_path, "drbn", {"recomposition": 1, "bands": 1}, None, **SMALL))
    run, batch = start(recipe_of(tmp_path, "drbn", {"bands": 1}, None, **SMALL))
    with pytest.raises(ValueError, match="at least 41 pixels"):
        run.step(batch, 0)
