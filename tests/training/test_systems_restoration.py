"""HWMNet, SNR-LLIE-Net and MIRNet learn, with and without SKF where they have it, by the distance of their recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from guided_runs import GUIDED, moved, recipe_of, start, state_of

from networks.systems import Inference
from training.losses.charbonnier import charbonnier
from training.systems.mirnet import MIRNetSystem, mixed

SKF = {"skf": {"discriminator_channels": 4}}
NETWORKS: dict[str, dict[str, Any]] = {
    "hwmnet": {"width": 8},
    "snr": {"channels": 8, "layers": 1, "heads": 2, "hidden": 16},
}
MIRNET: dict[str, Any] = {"network": {"channels": 8, "groups": [1, 2], "blocks": 1}}


@pytest.mark.parametrize("semantics", [None, GUIDED], ids=["plain", "guided"])
@pytest.mark.parametrize("system", NETWORKS)
@pytest.mark.slow
def test_it_learns_one_pair_by_heart(tmp_path: Path, system: str, semantics: dict[str, Any] | None) -> None:
    changes = {"network": NETWORKS[system], "options": SKF, "rate": 5e-3, "average": 0.0}
    run, batch = start(recipe_of(tmp_path, system, {"restoration": 20}, semantics, **changes))
    before = state_of(run.system.network)
    shown = [run.step(batch, step) for step in range(20)]
    assert shown[-1]["charbonnier"] < 0.6 * shown[0]["charbonnier"]
    assert any(".semantic." in f".{name}" for name in moved(before, run.system.network)) == bool(semantics)
    expected = {"sch", "sa_global", "sa_local", "judge_global", "judge_local", "loss_discriminator"}
    assert set(shown[0]) - {"charbonnier", "loss_network"} == (expected if semantics else set())
    if semantics is None:
        network = run.system.network.eval()
        assert torch.equal(Inference(system, network)(batch.low), network(batch.low).enhanced)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_distance_is_that_of_the_options_before_clipping(tmp_path: Path, reduction: str) -> None:
    options = {"reduction": reduction, "epsilon": 0.01}
    run, batch = start(recipe_of(tmp_path, "snr", {"restoration": 1}, None, network=NETWORKS["snr"], options=options))
    with torch.no_grad():
        run.system.network.last.bias.fill_(-1.0)
    ((_, terms),) = run.system.updates(batch, 0, "restoration")
    raw = run.system.network(batch.low).raw
    assert raw.min() < 0
    torch.testing.assert_close(terms["charbonnier"], charbonnier(raw, batch.high, reduction, 0.01))


def test_the_released_rhythm_of_sch(tmp_path: Path) -> None:
    semantics = {"bank": "embedding", "se": True, "sch": 10000.0, "sch_every": 3}
    changes = {"network": NETWORKS["snr"], "options": {"skf": {"normaliser": "pixels"}}}
    run, batch = start(recipe_of(tmp_path, "snr", {"restoration": 4}, semantics, **changes))
    assert ["sch" in run.step(batch, step) for step in range(4)] == [True, False, False, True]


@pytest.mark.slow
def test_mirnet_learns_one_pair_by_heart(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "mirnet", {"steady": 10, "annealed": 10}, None, 6e-3, average=0.0, **MIRNET))
    before = state_of(run.system.network)
    losses = [run.step(batch, step)["l1"] for step in range(20)]
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert moved(before, run.system.network) == set(before)


def test_mixed_samples_are_mixed_alike() -> None:
    torch.manual_seed(0)
    low = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 2, 2)
    shares = set()
    for _ in range(20):
        of_low, of_high = mixed(low, 10 * low + 1, 1.2)
        torch.testing.assert_close(of_high, 10 * of_low + 1)
        assert of_low.mean().item() == pytest.approx(1.5)  # every sample is taken as often as it is given to
        shares.add(round(of_low[0, 0, 0, 0].item(), 4))
    assert len(shares) > 10


def test_mirnet_mixes_in_the_share_of_steps_that_the_options_say(tmp_path: Path) -> None:
    run, batch = start(recipe_of(tmp_path, "mirnet", {"steady": 1}, None, options={"mixed": 0.0}, **MIRNET))
    system = run.system
    assert isinstance(system, MIRNetSystem)
    plain = torch.nn.functional.l1_loss(system.network(batch.low).raw, batch.high)
    found = {}
    for share in (0.0, 0.5, 1.0):
        system.options = system.options.model_copy(update={"mixed": share})
        torch.manual_seed(0)
        losses = [next(system.updates(batch, 0, "steady"))[1]["l1"] for _ in range(12)]
        found[share] = sum(torch.isclose(loss, plain, rtol=1e-6).item() for loss in losses)
    assert found[0.0] == 12
    assert found[0.0] > found[0.5] > found[1.0]


def test_crops_grow_and_batches_shrink_within_a_phase(tmp_path: Path) -> None:
    parts = [{"until": 2, "crop": 16, "batch": 2}, {"until": 3, "crop": 24, "batch": 1}]
    options = {"growth": {"annealed": parts}, "mixed": 0.0}
    run, batch = start(recipe_of(tmp_path, "mirnet", {"annealed": 5}, None, options=options, **MIRNET))
    seen: list[tuple[int, ...]] = []
    run.system.network.register_forward_pre_hook(lambda _, inputs: seen.append(tuple(inputs[0].shape)))
    for step in range(4):
        next(run.system.updates(batch, step, "annealed"))
    next(run.system.updates(batch, 0, "steady"))
    assert [(shape[0], shape[2]) for shape in seen] == [(2, 16), (2, 16), (1, 24), (2, 32), (2, 32)]


@pytest.mark.parametrize(("system", "phase"), [("snr", "bands"), ("mirnet", "restoration")])
def test_phases_of_others_are_refused(tmp_path: Path, system: str, phase: str) -> None:
    with pytest.raises(ValueError, match=f"{system} has the phases"):
        start(recipe_of(tmp_path, system, {phase: 1}, None))
