"""Smoothing in time: what stays, how fast it moves, what it never breaks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engines.curve.grid import CurveGrid
from stream.vision.smoothing import GridSmoother

ROWS, COLS = 3, 4
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


@given(monotone_grids(), st.floats(0, 2), st.integers(1, 5))
def test_a_constant_target_stays_as_it_is(grid, seconds, steps):
    smoother = GridSmoother()
    for _ in range(steps):
        out = smoother.step(grid, LUMA, seconds)
    np.testing.assert_allclose(out.coefficients, grid.coefficients, atol=1e-6)


@settings(max_examples=60)
@given(st.lists(monotone_grids(), min_size=2, max_size=6), st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_averages_of_monotone_curves_are_monotone(grids, gaps):
    smoother = GridSmoother()
    for step, (grid, seconds) in enumerate(zip(grids, gaps, strict=False)):
        assert smoother.step(grid, changing(step // 2), seconds).is_monotone(tolerance=1e-4)


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
    for steady_s in (0.2, 1.0, 2.0, 60.0):
        smoother = GridSmoother()
        smoother.step(gain(2), LUMA, 0)
        for _ in range(round(steady_s / 0.1)):
            smoother.step(gain(2), LUMA, 0.1)
        shares.append(gain_of(smoother.step(gain(3), LUMA, 0.04)) - 2)
    assert shares[0] == pytest.approx(1 - math.exp(-0.04 / 0.4), abs=1e-4)
    assert shares[0] > shares[1] > shares[2]
    assert shares[3] == pytest.approx(1 - math.exp(-0.04 / 2.0), abs=1e-4)


def test_a_change_of_the_scene_ends_the_steadiness_of_its_own_nodes_only():
    smoother = GridSmoother()
    for _ in range(100):
        smoother.step(gain(2), LUMA, 0.1)
    lamp = LUMA.copy()
    lamp[0, 0] = 0.5
    out = smoother.step(gain(4), lamp, 0.04).coefficients[..., 0] - 2
    assert out[0, 0] == pytest.approx(2 * (1 - math.exp(-0.04 / 0.4)), abs=1e-4)
    assert out[1, 1] == pytest.approx(2 * (1 - math.exp(-0.04 / 2.0)), abs=1e-4)


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
