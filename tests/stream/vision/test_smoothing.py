"""Smoothing in time: what stays, how fast it moves, what it never breaks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engines.curve.grid import CurveGrid
from stream.vision.backdrop import Backdrop, curve_at
from stream.vision.smoothing import GridSmoother

ROWS, COLS = 3, 4


@dataclass(frozen=True)
class Motion:
    """As much of an estimated motion as smoothing looks at."""

    flow: np.ndarray
    confidence: np.ndarray


LUMA = np.full((ROWS, COLS), 0.1, dtype=np.float32)


def gain(value: float) -> CurveGrid:
    """y' = value * y everywhere."""
    coefficients = np.array(CurveGrid.identity(ROWS, COLS).coefficients)
    coefficients[..., 0] = value
    return CurveGrid(coefficients)


def gain_of(grid: CurveGrid) -> float:
    return float(grid.coefficients[0, 0, 0])


def changing(step: int) -> np.ndarray:
    """Luma that clearly changes from step to step, up and down."""
    return np.full((ROWS, COLS), 0.1 if step % 2 else 0.3, dtype=np.float32)


@st.composite
def monotone_grids(draw):
    """Nodes with a + z*s >= 0 at both ends, wild otherwise."""
    values = draw(arrays.arrays(np.float32, (ROWS, COLS, 9), elements=st.floats(-2, 2, width=32)))
    s = values[..., 1]
    values[..., 0] = np.abs(values[..., 0]) + np.maximum(0, np.maximum(-0.5 * s, -16 * s))
    return CurveGrid(values)


@settings(deadline=None)
@given(monotone_grids(), st.floats(0, 2), st.integers(1, 5))
def test_a_constant_target_stays_as_it_is(grid, seconds, steps):
    smoother = GridSmoother()
    for _ in range(steps):
        out = smoother.step(grid, LUMA, seconds)
    np.testing.assert_allclose(out.coefficients, grid.coefficients, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.lists(monotone_grids(), min_size=2, max_size=6), st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_averages_of_monotone_curves_are_monotone(grids, gaps):
    smoother = GridSmoother()
    for step, (grid, seconds) in enumerate(zip(grids, gaps, strict=False)):
        assert smoother.step(grid, changing(step // 2), seconds).is_monotone(tolerance=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.5, 8), st.floats(0.5, 8), st.floats(0.001, 0.5), st.booleans())
def test_the_step_response_never_turns_back_or_overshoots(before, after, seconds, moving):
    smoother = GridSmoother()
    smoother.step(gain(before), LUMA, 0)
    path = [gain_of(smoother.step(gain(after), changing(moving * n), seconds)) for n in range(30)]
    towards = np.sign(after - before)
    assert (np.diff([before, *path]) * towards >= -1e-5).all()
    assert (np.array(path) * towards <= after * towards + 1e-5).all()


def moved(before: float, after: float, gaps: list[float], luma=changing) -> float:
    """Share of the way from one gain to the other after these steps."""
    smoother = GridSmoother()
    smoother.step(gain(before), LUMA, 0)
    for step, seconds in enumerate(gaps):
        smoother.step(gain(after), luma(step), seconds)
    return (gain_of(smoother.grid) - before) / (after - before)


@pytest.mark.parametrize("fps", [5, 24, 60])
def test_in_a_changing_scene_brightening_takes_its_time_constant_at_any_frame_rate(fps):
    frames = round(0.4 * fps)
    assert moved(1, 5, [1 / fps] * frames) == pytest.approx(1 - math.exp(-frames / fps / 0.4), abs=0.01)


def test_irregular_time_stamps_end_where_regular_ones_do():
    assert moved(1, 3, [0.04] * 10) == pytest.approx(moved(1, 3, [0.01, 0.11, 0.02, 0.06, 0.2]), abs=0.01)


def test_in_a_changing_scene_clear_darkening_is_faster_than_brightening():
    assert moved(2, 6, [0.04]) == pytest.approx(1 - math.exp(-0.04 / 0.4), abs=1e-4)
    assert moved(6, 2, [0.04]) == pytest.approx(1 - math.exp(-0.04 / 0.1), abs=1e-4)


def test_in_a_steady_scene_darkening_is_not_fast():
    assert moved(6, 2, [0.04], luma=lambda _: LUMA) == pytest.approx(1 - math.exp(-0.04 / 0.4), abs=1e-4)


def test_the_longer_a_scene_is_steady_the_less_a_new_wish_moves_it():
    shares = []
    for steady_s in (0.2, 0.6, 1.0):
        smoother = GridSmoother()
        smoother.step(gain(2), LUMA, 0)
        for _ in range(round(steady_s / 0.1)):
            smoother.step(gain(2), LUMA, 0.1)
        shares.append(gain_of(smoother.step(gain(3), LUMA, 0.04)) - 2)
    assert shares[0] == pytest.approx(1 - math.exp(-0.04 / 0.4), abs=1e-4)
    assert shares[0] > shares[1] > shares[2]


def test_what_has_been_steady_changes_by_a_quarter_of_a_code_a_second_at_first_and_is_followed_in_the_end():
    smoother = GridSmoother()
    for _ in range(25):
        smoother.step(gain(2), LUMA, 0.1)
    codes = [25.5 * gain_of(smoother.step(gain(3), LUMA, 0.1)) - 51 for _ in range(300)]
    assert 0 < codes[9] <= 0.25
    assert codes[29] <= 0.75
    assert codes[299] == pytest.approx(25.5, abs=2.5)
    assert np.diff(codes).max() <= 0.3  # at most 3 codes a second, ever


def test_a_bad_first_wish_is_not_held():
    smoother = GridSmoother()
    for step in range(60):
        smoother.step(gain(6 if step < 3 else 3), LUMA, 0.1)
    assert gain_of(smoother.grid) * 25.5 == pytest.approx(3 * 25.5, abs=2.5)


def test_a_change_of_the_scene_ends_the_steadiness_of_its_own_nodes_only():
    smoother = GridSmoother()
    for _ in range(100):
        smoother.step(gain(2), LUMA, 0.1)
    lamp = LUMA.copy()
    lamp[0, 0] = 0.5
    out = smoother.step(gain(4), lamp, 0.04).coefficients[..., 0] - 2
    assert out[0, 0] == pytest.approx(2 * (1 - math.exp(-0.04 / 0.4)), abs=1e-4)
    assert 0 < out[1, 1] * 25.5 <= 0.25 * 0.04


def test_after_a_change_the_new_wish_is_reached_for_good():
    smoother = GridSmoother()
    for _ in range(100):
        smoother.step(gain(2), LUMA, 0.04)
    for _ in range(100):
        smoother.step(gain(4), LUMA * 3, 0.04)
    assert gain_of(smoother.grid) == pytest.approx(4, abs=0.05)


def test_nodes_are_judged_one_by_one_and_at_their_own_luma():
    """The same pair of curves crosses at y = 0.25: darker below, brighter above."""
    smoother = GridSmoother()
    coefficients = np.array(CurveGrid.identity(1, 2).coefficients)
    smoother.step(CurveGrid(coefficients), np.array([[0.3, 0.3]], np.float32), 0)
    steeper = coefficients.copy()
    steeper[..., 0], steeper[..., 2] = 2.0, -0.25
    out = smoother.step(CurveGrid(steeper), np.array([[0.1, 0.6]], np.float32), 0.04)
    dark, bright = out.coefficients[0, :, 0] - 1
    assert dark == pytest.approx(1 - math.exp(-0.04 / 0.1), abs=1e-4)
    assert bright == pytest.approx(1 - math.exp(-0.04 / 0.4), abs=1e-4)


@pytest.mark.parametrize("luma", [changing, lambda _: LUMA], ids=["changing", "steady"])
def test_unrest_is_averaged_and_not_pulled_towards_the_dark(luma):
    """Noise of +-2 % in the gain averages to its mean, not to its lower half."""
    rng = np.random.default_rng(1)
    smoother = GridSmoother()
    smoother.step(gain(4), LUMA, 0)
    wishes = 4 * (1 + 0.02 * rng.standard_normal(2000))
    path = [gain_of(smoother.step(gain(wish), luma(n), 0.04)) for n, wish in enumerate(wishes)]
    assert np.mean(path) == pytest.approx(4, rel=0.01)
    assert np.std(path[500:]) < 0.02 * 4 * (0.5 if luma is changing else 0.15)


def test_what_is_uncovered_again_finds_its_exposure_and_not_the_wish_of_the_moment():
    """A wish that darkens everything while somebody walks past leaves no trail where he was."""
    smoother = GridSmoother()
    for _ in range(30):
        smoother.step(gain(4), LUMA, 0.1)
    passing = LUMA.copy()
    passing[1, 1] = 0.5
    for _ in range(10):
        covered = smoother.step(gain(2), passing, 0.1)
    assert covered.coefficients[1, 1, 0] < 2.5
    for _ in range(20):
        uncovered = smoother.step(gain(2), LUMA, 0.1)
    assert uncovered.coefficients[1, 1, 0] * 25.5 == pytest.approx(uncovered.coefficients[0, 0, 0] * 25.5, abs=1)
    assert uncovered.coefficients[0, 0, 0] * 25.5 >= 102 - 1


def test_what_is_behind_keeps_its_exposure_while_something_bright_stands_before_it():
    """The covered node and its halves show the old luma as it was, and what covers it as it is wished."""
    smoother = GridSmoother()
    for _ in range(30):
        smoother.step(gain(4), LUMA, 0.1)
    covered = LUMA.copy()
    covered[:, 1:3] = 0.5
    for _ in range(15):
        out = smoother.step(gain(1.2), covered, 0.1)
        behind = curve_at(out.coefficients, LUMA)
        assert np.abs(behind[:, 1:3] - 0.4).max() * 255 <= 1
        assert out.is_monotone(tolerance=1e-4)
    assert curve_at(out.coefficients, covered)[1, 1] == pytest.approx(0.6, abs=0.03)


def test_light_that_falls_on_everything_is_no_object():
    smoother = GridSmoother()
    for _ in range(30):
        smoother.step(gain(4), LUMA, 0.1)
    for _ in range(12):
        out = smoother.step(gain(2), LUMA * 3, 0.1)
    assert gain_of(out) == pytest.approx(2, abs=0.3)


@settings(deadline=None)
@given(monotone_grids(), monotone_grids(), arrays.arrays(np.float32, (ROWS, COLS), elements=st.floats(0, 1, width=32)))
def test_curves_that_show_what_is_behind_are_monotone(before, wish, luma):
    known = Backdrop(before.coefficients, LUMA, np.zeros_like(LUMA), np.ones_like(LUMA))
    unlike = (np.abs(np.sqrt(luma) - np.sqrt(LUMA)) > 0.05).astype(np.float32)
    bent = CurveGrid(known.behind(wish.coefficients, luma, unlike))
    assert bent.is_monotone(tolerance=1e-3)


def test_what_was_covered_for_long_is_not_remembered():
    smoother = GridSmoother()
    for _ in range(30):
        smoother.step(gain(4), LUMA, 0.1)
    for _ in range(120):
        smoother.step(gain(2), changing(1) + 0.1 * changing(_ % 2), 0.1)
    for _ in range(8):
        smoother.step(gain(2), LUMA, 0.1)
    assert gain_of(smoother.grid) == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_slow_dusk_is_followed(share):
    """Luma falls to 0.4 of itself in 20 s, and the wish brightens by as much; with another scene, nothing is wished."""
    smoother = GridSmoother()
    off = []
    for step in range(300):
        light = 1 - 0.6 * min(max(step / 10 - 5, 0) / 20, 1)
        wish = 3 / light**share
        smoother.step(gain(wish), LUMA * np.float32(light), 0.1)
        off.append(abs(gain_of(smoother.grid) - wish) * 25.5 * light)
    assert max(off) < 14
    assert off[-1] < 3


def test_the_average_goes_along_with_what_moves():
    """A bright patch two cells wide with its own curve goes a cell to the right, in a field of 8 px cells."""
    smoother = GridSmoother()
    luma, wish = np.full((ROWS, 12), 0.1, np.float32), np.array(CurveGrid.identity(ROWS, 12).coefficients)
    wish[..., 0] = 4
    luma[:, 4:6], wish[:, 4:6, 0] = 0.5, 1.5
    for _ in range(40):
        smoother.step(CurveGrid(wish), luma, 0.1)
    shifted_luma, shifted = np.roll(luma, 1, 1), CurveGrid(np.roll(wish, 1, 1))
    flow = np.zeros((8 * ROWS, 96, 2), np.float32)
    flow[..., 0] = -8
    moving = Motion(flow, np.ones((8 * ROWS, 96), np.float32))
    carried = smoother.step(shifted, shifted_luma, 0.04, moving).coefficients[:, 1:, 0]
    np.testing.assert_allclose(carried, shifted.coefficients[:, 1:, 0], atol=1e-3)
    lost = Motion(flow, np.zeros_like(moving.confidence))
    out = smoother.step(CurveGrid(np.roll(wish, 2, 1)), np.roll(luma, 2, 1), 0.04, lost).coefficients
    assert curve_at(out, np.roll(luma, 2, 1))[0, 7] == pytest.approx(2 - 1.25 * (1 - math.exp(-0.04 / 0.1)), abs=0.03)


def test_the_state_can_be_forgotten_and_restored_exactly():
    smoother = GridSmoother()
    smoother.step(gain(1), LUMA, 0)
    kept_grid, kept = smoother.step(gain(3), LUMA, 0.1), smoother.state
    followed = smoother.step(gain(5), LUMA, 0.04)
    smoother.state = None
    assert smoother.grid is None
    assert gain_of(smoother.step(gain(7), LUMA, 0.04)) == 7
    smoother.state = kept
    assert smoother.grid is kept_grid
    np.testing.assert_array_equal(smoother.step(gain(5), LUMA, 0.04).coefficients, followed.coefficients)


def test_a_grid_of_another_size_starts_afresh():
    smoother = GridSmoother()
    smoother.step(gain(3), LUMA, 0)
    other = CurveGrid.identity(5, 6)
    assert smoother.step(other, np.zeros((5, 6), np.float32), 0.04) is other


def test_time_constants_are_positive():
    with pytest.raises(ValueError, match="positive"):
        GridSmoother(brightening_s=0)
