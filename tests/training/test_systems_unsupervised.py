"""Systems that never see a target: Zero-DCE, Enlighten Anything and its successor, a few steps of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training_steps import moved, open_run, pictures, weights

from networks.enlighten_anything import region_map
from networks.sci import SCI, Stage
from training.losses.sci import sci_loss
from training.losses.zero_dce import zero_dce_terms
from training.systems.enlighten_anything import region_ids


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("system", "network"),
    [
        ("zero-dce", {"channels": 8}),
        ("zero-dce-plus-plus", {"channels": 8, "reduction": 2}),
        ("enlighten-anything", {}),
        ("enlighten-anything", {"layout": "published", "calibrator": False}),
        ("wakeup-darkness", {}),
    ],
)
@pytest.mark.slow
def test_a_tiny_overfit_lowers_the_loss_and_no_target_counts(system: str, network: dict[str, Any]) -> None:
    batch = pictures(size=32)
    losses = []
    for high in (batch.high, torch.zeros_like(batch.high)):
        run = open_run(system, network=network, phases={"all": {"optimizer": {"learning_rate": 1e-2}}})
        losses.append([run.step(replace(batch, high=high), step)["loss_network"] for step in range(8)])
    assert losses[0] == losses[1]
    assert losses[0][-1] < 0.95 * losses[0][0]


def test_the_weights_of_zero_dce_are_the_released_ones_and_those_of_its_options() -> None:
    batch = pictures()
    plain = open_run("zero-dce", network={"channels": 8})
    out = plain.system.network(batch.low)
    terms = zero_dce_terms(batch.low, out.enhanced, out.curves)
    _, weighted = next(plain.system.updates(batch, 0, "all"))
    for name, weight in (("smooth", 200), ("spatial", 1), ("colour", 5), ("exposure", 10)):
        torch.testing.assert_close(weighted[name], weight * terms[name])
    options = {"exposure": 2.0, "level": 0.4, "colour_form": "code"}
    _, changed = next(open_run("zero-dce", network={"channels": 8}, options=options).system.updates(batch, 0, "all"))
    other = zero_dce_terms(batch.low, out.enhanced, out.curves, 0.4, "code")
    torch.testing.assert_close(changed["exposure"], 2 * other["exposure"])
    torch.testing.assert_close(changed["colour"], 5 * other["colour"])


@pytest.mark.parametrize(("calibrator", "stages"), [(True, 3), (False, 1)])
def test_every_stage_of_the_cascade_is_judged(calibrator: bool, stages: int) -> None:
    run = open_run("enlighten-anything", network={"calibrator": calibrator})
    network = run.system.network.eval()
    batch = pictures()
    unrolled = network.unroll(batch.low, region_map(batch.regions))
    assert len(unrolled) == stages
    _, terms = next(run.system.updates(batch, 0, "all"))
    expected = sci_loss([Stage(*stage) for stage in unrolled])
    assert terms.keys() == expected.keys()
    for name in terms:
        torch.testing.assert_close(terms[name], expected[name])


@pytest.mark.parametrize(
    ("train", "parts"),
    [("all", ("enhance", "calibrate")), ("enhancer", ("enhance",)), ("fusion", ("enhance.fuse",))],
)
def test_only_the_chosen_part_moves_its_statistics_included(train: str, parts: tuple[str, ...]) -> None:
    run = open_run("enlighten-anything", options={"train": train})
    before = weights(run.system.network)
    for step in range(2):
        run.step(pictures(), step)
    found = moved(run.system.network, before)
    assert {name for name in before if name.startswith(parts)} >= found
    for part in parts:
        assert any(name.startswith(part) for name in found), part
    assert any(".running_mean" in name for name in found) == (train != "fusion")


def test_training_makes_regions_count_and_gradients_reach_their_branch() -> None:
    run = open_run("enlighten-anything", phases={"all": {"optimizer": {"learning_rate": 1e-2}}})
    before = weights(run.system.network)
    batch = pictures()
    for step in range(4):
        run.step(batch, step)
    assert {"enhance.fuse.lift_map.weight", "enhance.fuse.attend.align.weight"} <= moved(run.system.network, before)
    network = run.system.network.double().eval()  # the influence is small at first
    assert batch.regions is not None
    maps = [region_map(ids).double() for ids in (batch.regions, batch.regions.flip(2), torch.zeros_like(batch.regions))]
    with torch.no_grad():
        true, other, none = (network(batch.low.double(), regions).enhanced for regions in maps)
    assert (true - other).abs().max() > 1e-7
    assert (true - none).abs().max() > 1e-7


def test_the_published_layout_trains_and_still_does_not_see_regions() -> None:
    losses = []
    batch = pictures()
    for regions in (batch.regions, None):
        run = open_run("enlighten-anything", network={"layout": "published"})
        losses.append([run.step(replace(batch, regions=regions), step)["loss_network"] for step in range(3)])
    assert losses[0] == losses[1]


def test_regions_are_hidden_in_the_share_that_is_asked_for() -> None:
    batch = pictures(count=400, size=8)
    torch.manual_seed(0)
    assert batch.regions is not None
    assert torch.equal(region_ids(batch), batch.regions)
    shown = region_ids(batch, unknown=0.25).flatten(1)
    hidden = (shown == 0).all(1)
    assert torch.equal(shown[~hidden], batch.regions.flatten(1)[~hidden])
    assert 60 < hidden.sum() < 140
    none = region_ids(replace(batch, regions=None))
    assert none.shape == batch.regions.shape
    assert none.dtype == torch.int64
    assert not none.any()


def test_training_starts_where_sci_does_and_regions_count_a_little() -> None:
    """Illumination near 0.5 + y everywhere, as with SCI's own initial weights."""
    network = open_run("enlighten-anything").system.network.eval()
    batch = pictures()
    assert batch.regions is not None
    with torch.no_grad():
        found = network(batch.low, region_map(batch.regions)).illumination
        other = network(batch.low, region_map(batch.regions.flip(2))).illumination
    assert (found - (0.5 + batch.low)).abs().max() < 0.02
    assert (found - other).abs().max() > 0


def test_weights_of_sci_are_taken_where_names_and_shapes_match(tmp_path: Path) -> None:
    sci = SCI()
    torch.save(sci.state_dict(), tmp_path / "sci.pt")
    start = str(tmp_path / "sci.pt")
    network = open_run("enlighten-anything", start=start).system.network
    for name in ("enhance.in_conv.0.weight", "enhance.out_conv.0.bias", "calibrate.convs.0.weight"):
        assert torch.equal(network.state_dict()[name], sci.state_dict()[name])
    successor = open_run("wakeup-darkness", start=start).system.network
    assert torch.equal(successor.state_dict()["conv.0.weight"], sci.state_dict()["enhance.conv.0.weight"])
