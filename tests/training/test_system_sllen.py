"""SLLEN-style training: the halves take turns, labels come from people or from a bank, and IEF is drawn anew."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from training_pictures import save, scene
from training_steps import moved, open_run, pictures, weights

from networks.skf import Knowledge
from training.trainer import Run

NETWORK = {"classes": 4, "widths": [32, 32, 32, 32], "blocks": 1, "semantic_channels": 8}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def small_run(**options: Any) -> Run:
    return open_run("sllen", network=NETWORK, options={"perceptual": 0.0} | options)


def guess(ids: Tensor, classes: int = 4) -> Knowledge:
    """What a bank would say that takes the region ids for classes."""
    return Knowledge((), 9 * torch.nn.functional.one_hot(ids - 1, classes).movedim(-1, 1).float())


def batch_with(labels: str) -> Any:
    batch = pictures(size=32)
    assert batch.regions is not None
    if labels == "drawn":
        return replace(batch, labels=batch.regions - 1)
    return replace(batch, target=guess(batch.regions))


@pytest.mark.parametrize("labels", ["drawn", "guessed"])
def test_halves_take_turns_and_the_other_one_rests(labels: str) -> None:
    run = small_run()
    batch = batch_with(labels)
    halves = {"enhancement": ("encoder", "enhancement"), "segmentation": ("encoder", "segmentation")}
    for step, half in enumerate(["enhancement", "segmentation"] * 2):
        before = weights(run.system.network)
        shown = run.step(batch, step)
        found = moved(run.system.network, before)
        assert {name.split(".")[0] for name in found} == set(halves[half]), step
        assert set(shown) == {"enhancement": {"l1", "structure"}, "segmentation": {"segmentation"}}[half] | {
            f"loss_{half}"
        }


def test_an_even_step_leaves_statistics_of_the_segmentation_alone() -> None:
    run = small_run()
    before = weights(run.system.network)
    run.step(batch_with("drawn"), 0)
    assert not any("running" in name for name in moved(run.system.network, before))


def test_without_labels_and_bank_odd_steps_do_nothing_and_that_is_said_once() -> None:
    run = small_run()
    before = weights(run.system.network)
    with pytest.warns(UserWarning, match=r"neither labels nor a bank's classes \(`semantics.labels`\)"):
        shown = run.step(pictures(), 1)
    assert shown == {}
    assert not moved(run.system.network, before)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.step(pictures(), 3)


def test_a_bank_of_another_number_of_classes_is_told() -> None:
    batch = pictures()
    assert batch.regions is not None
    with pytest.raises(ValueError, match=r"knows 7 classes and the network has 4: set network.classes to 7"):
        small_run().step(replace(batch, target=guess(batch.regions, 7)), 1)


def test_both_halves_learn() -> None:
    run = small_run()
    batch = batch_with("drawn")
    first, last = ({}, {})
    for step in range(16):
        shown = run.step(batch, step)
        first = shown | first
        last = last | shown
    assert last["l1"] < 0.8 * first["l1"]
    assert last["segmentation"] < 0.8 * first["segmentation"]


def test_the_segmentation_step_sees_another_night_each_time() -> None:
    run = small_run()
    batch = batch_with("drawn")
    seen = []
    run.system.network.encoder.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].clone()))
    for step in (1, 3):
        run.step(batch, step)
    assert seen[0].mean() < batch.high.mean()
    assert not torch.equal(seen[0], seen[1])


def test_ief_is_drawn_anew_in_training_and_steady_afterwards() -> None:
    run = small_run()
    batch = batch_with("drawn")
    drawn: list[int] = []
    network = run.system.network
    network.enhancement.register_forward_pre_hook(lambda _, inputs: drawn.append(inputs[3]))
    for step in range(0, 24, 2):
        run.step(batch, step)
    assert set(drawn) == {0, 1, 2}
    drawn.clear()
    network.eval()
    for _ in range(3):
        network(batch.low)
    assert drawn == [2, 2, 2]


def test_labelled_pictures_come_on_the_steps_of_segmentation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("low", "high", "images"):
        save(scene(rng), tmp_path / folder / "a.png")
    ids = np.repeat(np.arange(4, dtype=np.uint8), 20)[None].repeat(64, 0)  # columns of classes, the rest unknown
    ids[:8] = 255
    (tmp_path / "labels").mkdir()
    Image.fromarray(ids).save(tmp_path / "labels" / "a.png")
    data = {"path": tmp_path, "name": "made by the test", "licence": "CC0-1.0"}
    phases = {"all": {"batch": 3, "crop": 32, "augment": ["flip_h", "transpose"]}}
    run = open_run(
        "sllen", network=NETWORK, data=data, phases=phases, options={"perceptual": 0.0, "labelled": str(tmp_path)}
    )
    feed = run.system.feed(None)
    even, odd = feed.batch(0), feed.batch(1)
    assert even.labels is None
    assert odd.labels.shape == (3, 32, 32)
    assert set(odd.labels.unique().tolist()) <= {0, 1, 2, 3, 255}
    assert torch.equal(odd.labels, feed.batch(1).labels)
    assert torch.equal(odd.low, odd.high)
    assert "segmentation" in run.step(odd, 1)
