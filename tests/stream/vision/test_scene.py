"""Cuts are found; what merely moves, flickers, flashes or rustles is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from night_clips import REFERENCE_CLIPS, luma_of_clip, needs_reference_clips

from engines.curve.grid import CurveGrid, tents
from stream.vision.scene import (
    Change,
    CutDetector,
    Look,
    differs,
    halved,
    histogram_distance,
    preview,
    structure_distance,
)

HEIGHT, WIDTH = 72, 128


def scene(seed: int, low: float = 0.1, high: float = 0.6, width: int = WIDTH) -> np.ndarray:
    """Smooth random blobs with brightness between ``low`` and ``high``, in proportions of the scene's own."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((9, 2 * width // 16)) ** rng.uniform(0.5, 2.0)
    picture = tents(HEIGHT, 9).T @ coarse @ tents(width, coarse.shape[1])
    return (low + (high - low) * (picture - picture.min()) / np.ptp(picture)).astype(np.float32)


def changes(pictures) -> list[Change]:
    detector = CutDetector()
    return [detector.update(picture) for picture in pictures]


def noisy(picture: np.ndarray, seed: int, sigma: float) -> np.ndarray:
    return np.clip(picture + np.random.default_rng(seed).normal(0, sigma, picture.shape), 0, 1).astype(np.float32)


def test_the_first_picture_begins_a_scene():
    assert changes([scene(1)]) == [Change.CUT]


def test_a_hard_cut_is_found_where_it_is():
    before, after = scene(1, 0.05, 0.45), scene(2, 0.3, 0.9)
    found = changes([before] * 5 + [after] * 5)
    assert [number for number, change in enumerate(found) if change is Change.CUT] == [0, 5]


def test_a_static_noisy_scene_has_no_cuts():
    pictures = [noisy(scene(3), seed, 0.15) for seed in range(30)]
    assert set(changes(pictures)[1:]) == {Change.NONE}


@pytest.mark.parametrize("step", [1, 4, 12])
def test_a_pan_is_no_cut(step):
    wide = scene(4, width=640)
    pictures = [wide[:, start : start + WIDTH] for start in range(0, 640 - WIDTH, step)]
    assert set(changes(pictures)[1:]) == {Change.NONE}


@pytest.mark.parametrize("gain", [0.4, 2.0])
def test_an_exposure_step_is_no_cut(gain):
    before = scene(5, 0.05, 0.45)
    assert changes([before, before * np.float32(gain), before])[1:] == [Change.NONE, Change.NONE]


def test_a_fade_to_another_scene_ends_without_a_hard_cut():
    first, second = scene(6, 0.05, 0.5), scene(7, 0.3, 0.9)
    pictures = [first + np.float32(t) * (second - first) for t in np.linspace(0, 1, 40)]
    assert set(changes(pictures)[1:]) == {Change.NONE}


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_after_a_flash_the_old_scene_is_recognised(frames):
    calm = scene(8, 0.05, 0.4)
    flash = np.full_like(calm, 0.98)
    found = changes([calm] * 3 + [flash] * frames + [calm] * 3)
    assert found[3] is Change.CUT
    assert found[3 + frames] is Change.FLASH_OVER
    assert set(found[4 + frames :]) == {Change.NONE}


def test_a_scene_longer_than_a_flash_is_a_scene():
    calm, other = scene(8, 0.05, 0.4), scene(9, 0.4, 0.95)
    found = changes([calm] * 3 + [other] * 4 + [calm])
    assert found[3] is Change.CUT
    assert found[-1] is Change.CUT


def test_two_cuts_in_a_row_are_no_flash():
    found = changes([scene(1, 0.0, 0.3), scene(2, 0.3, 0.6), scene(3, 0.65, 1.0)])
    assert found == [Change.CUT, Change.CUT, Change.CUT]


def test_rebasing_compares_with_the_scene_as_it_is_shown_now():
    """After a cut the new grid brightens: the same scene, shown brighter, is no second cut."""
    dark, bright = scene(10, 0.02, 0.1), scene(10, 0.3, 0.95)
    other = scene(11, 0.5, 1.0)
    detector = CutDetector()
    detector.update(other)
    assert detector.update(dark) is Change.CUT
    detector.rebase(bright)
    assert detector.update(bright) is Change.NONE


def test_another_picture_size_is_another_scene():
    assert differs(Look.of(scene(1)), Look.of(scene(1, width=64)))


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_distances_are_symmetric_bounded_and_zero_for_equals(first_seed, second_seed):
    first, second = Look.of(scene(first_seed)), Look.of(scene(second_seed, 0.2, 1.0))
    for distance, most in ((structure_distance, 1.0), (histogram_distance, 2.0 + 1e-5)):
        assert distance(first, first) == 0
        assert distance(first, second) == pytest.approx(distance(second, first))
        assert 0 <= distance(first, second) <= most


@given(st.floats(0.3, 3.0))
def test_structure_is_blind_to_monotone_brightness_changes(gamma):
    picture = scene(12, 0.05, 0.95)
    assert structure_distance(Look.of(picture), Look.of(picture ** np.float32(gamma))) < 0.03


def test_the_preview_is_the_curve_of_the_grid():
    coefficients = np.array(CurveGrid.identity(9, 16).coefficients)
    coefficients[..., 0], coefficients[..., 1], coefficients[..., 2] = 0.7, 0.25, 0.03
    luma = scene(13)
    expected = 0.7 * luma + 0.25 * np.sqrt(luma) + 0.03
    np.testing.assert_allclose(preview(luma, CurveGrid(coefficients)), expected, atol=1e-5)
    assert preview(luma, None) is luma


def test_halving_averages_two_by_two_pixels():
    luma = np.arange(16, dtype=np.float32).reshape(4, 4)
    np.testing.assert_array_equal(halved(luma), [[2.5, 4.5], [10.5, 12.5]])


@needs_reference_clips
def test_the_cut_of_a_real_night_clip_is_found_and_nothing_else():
    found = changes(luma_of_clip(REFERENCE_CLIPS / "city-night.mpg", exponent=0.45))
    assert [number for number, change in enumerate(found) if change is not Change.NONE] == [0, 116]


@needs_reference_clips
def test_a_real_surveillance_clip_has_no_cuts():
    found = changes(luma_of_clip(REFERENCE_CLIPS / "vtest.avi", exponent=0.6, frames=200))
    assert set(found[1:]) == {Change.NONE}
