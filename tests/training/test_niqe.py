"""NIQE step by step on inputs whose answer is known, and frozen on pictures that the test draws itself."""

from __future__ import annotations

from math import gamma

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics.halve import halve
from training.metrics.niqe import features, fit_aggd, niqe, normalised, pristine

FROZEN = (8.2259857, 7.8193338, 7.792231)
FROZEN_PARAMETERS = (2.6013136801541448, 0.18677777557293712, 0.45347810202943506)


def generalised(rng: np.random.Generator, shape: float, left: float, right: float, count: int) -> np.ndarray:
    """Samples of the asymmetric generalised Gaussian: |x| = scale * Gamma(1/shape)^(1/shape)."""
    size = rng.gamma(1 / shape, size=count) ** (1 / shape)
    # The density is continuous at 0, so each side gets its share by its scale.
    below = rng.random(count) < left / (left + right)
    return np.where(below, -left * size, right * size)


@settings(max_examples=25, deadline=None)
@given(
    shape=st.floats(0.5, 3.0),
    left=st.floats(0.2, 2.0),
    skew=st.floats(0.5, 2.0),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_fit_finds_what_the_samples_were_drawn_from(shape: float, left: float, skew: float, seed: int) -> None:
    samples = generalised(np.random.default_rng(seed), shape, left, left * skew, 200_000)
    found, below, above = fit_aggd(samples)
    assert found == pytest.approx(shape, rel=0.06)
    assert below == pytest.approx(left, rel=0.12)
    assert above == pytest.approx(left * skew, rel=0.12)


def test_the_fit_of_a_normal_distribution_has_shape_two() -> None:
    shape, left, right = fit_aggd(np.random.default_rng(0).normal(0, 3, 400_000))
    assert shape == pytest.approx(2, abs=0.03)
    # The scale of a generalised Gaussian of shape 2 is sqrt(2) times the deviation.
    assert left == pytest.approx(3 * np.sqrt(2), rel=0.02)
    assert right == pytest.approx(3 * np.sqrt(2), rel=0.02)


def test_a_side_without_samples_has_no_scale() -> None:
    shape, left, right = fit_aggd(np.array([0.0, 1.0, 2.0]))
    assert shape == 0.2
    assert np.isnan(left)
    assert right == pytest.approx(np.sqrt(2.5) * np.sqrt(gamma(5) / gamma(15)))


def test_halving_has_the_weights_of_the_stretched_cubic() -> None:
    line = np.zeros((2, 32))
    line[:, 15] = 1024
    # Half of Keys' cubic at 2.25, 1.25, 0.25, 0.75 and 1.75, exactly.
    np.testing.assert_allclose(halve(line)[0, 5:10], [0, -36, 444, 116, -12], atol=1e-12)


def test_halving_mirrors_at_the_border_and_keeps_level_and_slope() -> None:
    ramp = np.add.outer(np.arange(20.0) * 3, np.arange(24.0)) + 7
    expected = np.add.outer((np.arange(10) * 2 + 0.5) * 3, np.arange(12) * 2 + 0.5) + 7
    np.testing.assert_allclose(halve(ramp)[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-10)
    np.testing.assert_allclose(halve(np.full((6, 8), 5.0)), 5)
    mirrored = np.concatenate((ramp[::-1], ramp, ramp[::-1]))
    np.testing.assert_allclose(halve(ramp), halve(mirrored)[10:20], atol=1e-10)
    with pytest.raises(ValueError, match="24x19 cannot be halved"):
        halve(ramp[:19])


def test_normalising_by_its_definition_at_one_pixel_and_at_the_corner() -> None:
    luma = np.random.default_rng(2).integers(0, 256, (20, 24)).astype(float)
    offsets = np.arange(-3, 4)
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * (7 / 6) ** 2))
    window /= window.sum()
    for row, col in ((9, 11), (0, 23)):
        around = luma[np.clip(row + offsets, 0, 19)[:, None], np.clip(col + offsets, 0, 23)]
        mean = (window * around).sum()
        deviation = np.sqrt((window * around**2).sum() - mean**2)
        assert normalised(luma)[row, col] == pytest.approx((luma[row, col] - mean) / (deviation + 1))


def test_flat_areas_are_nothing_and_not_rounding_noise() -> None:
    assert not normalised(np.full((96, 96), 0.299 * 254 + 0.587 * 254 + 0.114 * 254)).any()


def test_features_are_per_block_in_the_order_of_the_release() -> None:
    luma = drawn(1)[..., 1].astype(float)[:192, :288]
    found = features(luma)
    assert found.shape == (6, 36)
    block = normalised(luma)[96:192, 96:192]
    shape, left, right = fit_aggd(block)
    np.testing.assert_allclose(found[4, :2], (shape, (left + right) / 2))
    for place, shift in ((2, (0, 1)), (6, (1, 0)), (10, (1, 1)), (14, (1, -1))):
        shape, left, right = fit_aggd(block * np.roll(block, shift, (0, 1)))
        mean = (right - left) * gamma(2 / shape) / gamma(1 / shape)
        np.testing.assert_allclose(found[4, place : place + 4], (shape, mean, left, right))
    half = normalised(halve(luma))[48:96, 48:96]
    assert found[4, 18] == fit_aggd(half)[0]


def test_the_pristine_parameters_are_a_mean_and_a_covariance() -> None:
    mean, covariance = pristine()
    assert mean.shape == (36,)
    np.testing.assert_array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0
    assert (mean[0], mean[35], covariance[0, 0]) == FROZEN_PARAMETERS


def drawn(seed: int, height: int = 300, width: int = 410) -> np.ndarray:
    """Noise at five scales over a gradient: no photograph, but textured everywhere."""
    rng = np.random.default_rng(seed)
    picture = np.linspace(60, 150, width)[None, :, None] + np.zeros((height, 1, 3))
    for scale in (1, 2, 4, 8, 16):
        noise = rng.normal(0, 3 + scale, (height // scale + 1, width // scale + 1, 3))
        picture += np.kron(noise, np.ones((scale, scale, 1)))[:height, :width]
    return np.rint(picture).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("seed", "expected"), list(enumerate(FROZEN)))
def test_frozen_values(seed: int, expected: float) -> None:
    assert niqe(drawn(seed)) == pytest.approx(expected, abs=1e-6)


def test_what_exceeds_whole_blocks_is_not_seen() -> None:
    picture = drawn(0)
    spoilt = picture.copy()
    spoilt[288:], spoilt[:, 384:] = 0, 255
    assert niqe(spoilt) == niqe(picture)


def test_noise_and_blur_are_worse_and_pictures_without_texture_have_no_figure() -> None:
    picture = drawn(0)
    noisy = np.rint(picture + np.random.default_rng(0).normal(0, 40, picture.shape)).clip(0, 255).astype(np.uint8)
    assert niqe(noisy) > niqe(picture) + 1
    assert np.isnan(niqe(np.zeros((200, 200, 3), np.uint8)))
    with pytest.raises(ValueError, match="NIQE needs 96x96 pixels, the picture has 200x95"):
        niqe(picture[:95, :200])
