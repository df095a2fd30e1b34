"""Degradations through real encoders, and batches that depend on the seed and the step alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from training_pictures import brackets, scene

from networks.colour import yuv_to_rgb
from training.data import find_pairs
from training.degrade import add_noise, degrade, noise_levels, through_h264, through_jpeg, to_display, to_linear
from training.samples import Augmentation, Batch, Samples

PLAIN = Augmentation(scale=0.25, degraded=0, mixed=0, versions=0, turned=0, light_colour=0, white_balance=0)


def codes(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("full_range", [False, True])
def test_h264_loses_detail_but_keeps_colours_and_levels(matrix: str, full_range: bool) -> None:
    picture = codes(scene(np.random.default_rng(0)) * 0.4)
    rough, fine = (through_h264([picture] * 3, crf, matrix, full_range) for crf in (40, 12))  # type: ignore[arg-type]
    assert rough.shape == fine.shape == picture.shape
    # swscale truncates where it converts, which costs a code or two; a wrong range or matrix costs far more.
    assert np.abs(fine.mean((0, 1)) - picture.mean((0, 1))).max() < 2.5
    error = [np.abs(got.astype(float) - picture).mean() for got in (fine, rough)]
    assert 0 < error[0] < error[1]


def test_jpeg_loses_more_at_lower_quality() -> None:
    picture = codes(np.random.default_rng(1).random((32, 48, 3)))
    errors = [np.abs(through_jpeg(picture, quality).astype(float) - picture).mean() for quality in (30, 95)]
    assert errors[0] > errors[1] > 0


def test_noise_has_the_variance_it_was_asked_for() -> None:
    rng = np.random.default_rng(2)
    for level in (0.0, 0.2):
        noisy = add_noise(np.full((200, 200, 3), level, np.float32), 1e-3, 1e-4, rng)
        assert noisy.mean() == pytest.approx(level, abs=5e-4)
        assert noisy.var() == pytest.approx(1e-3 * level + 1e-4, rel=0.03)


def test_noise_levels_follow_the_law() -> None:
    rng = np.random.default_rng(3)
    shot, read = np.array([noise_levels(rng) for _ in range(500)]).T
    assert 3e-5 <= shot.min() < shot.max() <= 1.5e-3
    assert np.polyfit(np.log(shot), np.log(read), 1) == pytest.approx([2.18, 1.2], abs=0.3)


def test_linear_light_and_back() -> None:
    values = np.linspace(0, 1, 50, dtype=np.float32)
    np.testing.assert_allclose(to_display(to_linear(values)), values, atol=1e-5)


def test_degrading_is_seeded_and_keeps_the_size() -> None:
    picture = codes(scene(np.random.default_rng(4)) * 0.2)
    one, again, other = (degrade(picture, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert one.shape == picture.shape
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return brackets(tmp_path_factory.mktemp("brackets"), scenes=2)


def equal(one: Batch, two: Batch) -> bool:
    return all(
        torch.equal(getattr(one, name), getattr(two, name)) for name in ("thumbnail", "other", "low", "high", "kr")
    )


def test_a_batch_depends_on_seed_and_step_alone(data: Path) -> None:
    augmentation = Augmentation(scale=0.25)
    first, second = (Samples(find_pairs(data), augmentation, 9) for _ in range(2))
    for step in (0, 1, 2):
        second.batch(step, 4)
    assert equal(first.batch(2, 4), second.batch(2, 4))
    assert not equal(first.batch(2, 4), first.batch(3, 4))
    assert not equal(first.batch(2, 4), Samples(find_pairs(data), augmentation, 10).batch(2, 4))


def test_shapes_are_those_of_the_run_time(data: Path) -> None:
    samples = Samples(find_pairs(data), Augmentation(versions=1, detail=1.5), 0)
    for step in range(6):
        batch = samples.batch(step, 4)
        height, width = batch.thumbnail.shape[-2:]
        assert (height, width) in ((192, 192), (144, 256), (256, 144))
        assert batch.other.shape == (1, 3, height, width)
        assert batch.low.shape == batch.high.shape == (4, 3, height * 3 // 2, width * 3 // 2)
        assert batch.kr.shape == (4, 1, 1)


def test_without_augmentation_dark_and_bright_show_the_same_place(data: Path) -> None:
    batch = Samples(find_pairs(data), PLAIN, 1).batch(0, 6)
    low, high = (yuv_to_rgb(planes, batch.kr, batch.kb) for planes in (batch.low, batch.high))
    for dark, bright in zip(low, high, strict=True):
        gain = (dark * bright).sum() / bright.square().sum()
        assert 0.1 < gain < 0.4
        assert (dark - gain * bright).abs().mean() < 0.03


def test_exposed_pictures_are_the_target_in_less_light(data: Path) -> None:
    augmentation = PLAIN.model_copy(update={"exposed": 1.0})
    batch = Samples(find_pairs(data), augmentation, 1).batch(0, 6)
    low, high = (yuv_to_rgb(planes, batch.kr, batch.kb) for planes in (batch.low, batch.high))
    for dark, bright in zip(low, high, strict=True):
        gain = (dark * bright).sum() / bright.square().sum()
        assert 0.35 ** (1 / 2.2) - 0.02 < gain < 1.02
        assert (dark - gain * bright).abs().mean() < 0.02
