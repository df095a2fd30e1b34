"""EnlightenGAN's training: both sides move, each in its own turn, and content is kept by what is chosen for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training_steps import moved, open_run, pictures, weights

from training.losses.perceptual import VGG16
from training.trainer import Run

NETWORK = {"channels": [4, 8, 8]}
WITHOUT_VGG = {"content": 0.0, "correlation": 1.0, "patch_count": 2, "patch_size": 16, "discriminator_channels": 4}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def small_run(**options: Any) -> Run:
    optimizer = {"learning_rate": 2e-3, "betas": [0.5, 0.999]}
    changes = {"phases": {"all": {"optimizer": optimizer}}}
    return open_run("enlightengan", network=NETWORK, options=WITHOUT_VGG | options, **changes)


def test_generator_and_both_discriminators_move() -> None:
    run = small_run()
    before = [weights(module) for module in (run.system.network, run.system.helpers)]
    shown = run.step(pictures(size=64), 0)
    assert {"whole", "patches", "correlation", "judge_whole", "judge_patches"} <= shown.keys()
    assert any(name.endswith("weight") for name in moved(run.system.network, before[0]))
    judges = moved(run.system.helpers, before[1])
    assert {name.split(".")[0] for name in judges} == {"whole", "patches"}


def test_each_update_moves_its_own_side_alone() -> None:
    run = small_run()
    run.enter("all")
    run.system.network.train()
    updates = run.system.updates(pictures(size=64), 0, "all")
    for expected, still, moving in (
        ("generator", run.system.helpers, run.system.network),
        ("discriminator", run.system.network, run.system.helpers),
    ):
        chosen, terms = next(updates)
        assert chosen == expected
        for parameter in (*still.parameters(), *moving.parameters()):
            parameter.grad = None
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        assert all(parameter.grad is None for parameter in still.parameters())
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in moving.parameters())


def test_discriminators_learn_to_tell_bright_from_dark() -> None:
    run = small_run(whole=0.0, patches=0.0, correlation=0.0)
    batch = pictures(size=64)
    judged = []
    for step in range(15):
        shown = run.step(batch, step)
        judged.append((shown["judge_whole"], shown["judge_patches"]))
    assert judged[-1][0] < 0.8 * judged[0][0]
    assert judged[-1][1] < 0.8 * judged[0][1]


def test_the_generator_alone_learns_what_keeps_the_content() -> None:
    run = small_run(whole=0.0, patches=0.0)
    batch = pictures(size=64)
    kept = [run.step(batch, step)["correlation"] for step in range(12)]
    assert kept[-1] < 0.7 * kept[0]


def test_features_of_vgg_keep_whole_pictures_and_patches(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.pth"
    torch.manual_seed(0)
    numbers = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24)
    layers = VGG16("relu5_1").convolutions
    state = {
        f"features.{n}.{k}": v for n, layer in zip(numbers, layers, strict=True) for k, v in layer.named_parameters()
    }
    torch.save({name: value.detach() for name, value in state.items()}, path)
    run = small_run(content=1.0, correlation=0.0, vgg16=str(path), patch_size=32)
    before = weights(run.system.network)
    shown = run.step(pictures(size=64), 0)
    assert shown["content"] > 0
    assert shown["content_patches"] > 0
    assert moved(run.system.network, before)
    assert not any("convolutions" in name for name in run.system.helpers.state_dict())


def test_missing_weights_of_vgg_are_told_with_the_way_round() -> None:
    with pytest.raises(ValueError, match=r"`options.vgg16: PATH`, or set `options.content: 0`"):
        small_run(content=1.0)


def test_crops_smaller_than_a_patch_are_told() -> None:
    with pytest.raises(ValueError, match=r"patches of 16x16 do not fit into pictures of 8x8"):
        small_run().step(pictures(size=8), 0)
