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
    for grid, seconds in zip(grids, gaps, strict=False):
        assert smoother.step(grid, LUMA, seconds).is_monotone(tolerance=1e-4)


@given(st.floats(0.5, 8), st.floats(0.5, 8), st.floats(0.001, 0.5))
def test_the_step_response_never_turns_back_or_overshoots(before, after, seconds):
    smoother = GridSmoother()
    smoother.step(gain(before), LUMA, 0)
    path = [gain_of(smoother.step(gain(after), LUMA, seconds)) for _ in range(30)]
    towards = np.sign(after - before)
    assert (np.diff([before, *path]) * towards >= -1e-5).all()
    assert (np.array(path) * towards <= after * towards + 1e-5).all()


def test_brightening_takes_its_time_constant_at_any_frame_rate():
    for fps in (5, 24, 60):
        smoother = GridSmoother(brightening_s=0.4)
        smoother.step(gain(1), LUMA, 0)
        for _ in range(round(0.4 * fps)):
            smoother.step(gain(5), LUMA, 1 / fps)
        elapsed = round(0.4 * fps) / fps
        assert (gain_of(smoother.grid) - 1) / 4 == pytest.approx(1 - math.exp(-elapsed / 0.4), abs=1e-3)


def test_irregular_timestamps_end_where_regular_ones_do():
    gaps = {"regular": [0.04] * 10, "irregular": [0.01, 0.11, 0.02, 0.06, 0.2]}
    ends = {}
    for name, seconds in gaps.items():
        smoother = GridSmoother()
        smoother.step(gain(1), LUMA, 0)
        for gap in seconds:
            smoother.step(gain(3), LUMA, gap)
        ends[name] = gain_of(smoother.grid)
    assert ends["regular"] == pytest.approx(ends["irregular"], abs=1e-5)


def test_clear_darkening_is_faster_than_brightening():
    shares = {}
    for name, before, after in (("up", 2.0, 6.0), ("down", 6.0, 2.0)):
        smoother = GridSmoother()
        smoother.step(gain(before), LUMA, 0)
        shares[name] = (gain_of(smoother.step(gain(after), LUMA, 0.04)) - before) / (after - before)
    assert shares["up"] == pytest.approx(1 - math.exp(-0.04 / 0.4), abs=1e-4)
    assert shares["down"] == pytest.approx(1 - math.exp(-0.04 / 0.1), abs=1e-4)


def test_nodes_are_judged_one_by_one_and_at_their_own_luma():
    """The same pair of curves crosses at y = 0.25: darker below, brighter above."""
    smoother = GridSmoother()
    coefficients = np.array(CurveGrid.identity(1, 2).coefficients)
    smoother.step(CurveGrid(coefficients), np.zeros((1, 2), np.float32), 0)
    steeper = coefficients.copy()
    steeper[..., 0], steeper[..., 2] = 2.0, -0.25
    out = smoother.step(CurveGrid(steeper), np.array([[0.1, 0.6]], np.float32), 0.04)
    dark, bright = out.coefficients[0, :, 0] - 1
    assert dark == pytest.approx(1 - math.exp(-0.04 / 0.1), abs=1e-4)
    assert bright == pytest.approx(1 - math.exp(-0.04 / 0.4), abs=1e-4)


def test_jitter_is_not_pulled_towards_the_dark():
    """Noise of +-5 % in the gain of a dark cell averages to its mean, not to its lower half."""
    rng = np.random.default_rng(1)
    smoother = GridSmoother()
    smoother.step(gain(4), LUMA, 0)
    path = [gain_of(smoother.step(gain(4 * (1 + 0.05 * rng.standard_normal())), LUMA, 0.04)) for _ in range(2000)]
    assert np.mean(path) == pytest.approx(4, rel=0.02)
    assert np.std(path) < 0.05 * 4 * 0.35


def test_the_state_can_be_forgotten_and_restored_exactly():
    smoother = GridSmoother()
    smoother.step(gain(1), LUMA, 0)
    kept = smoother.step(gain(3), LUMA, 0.1)
    smoother.grid = None
    assert smoother.step(gain(7), LUMA, 0.04).coefficients[0, 0, 0] == 7
    smoother.grid = kept
    np.testing.assert_array_equal(smoother.step(kept, LUMA, 0.04).coefficients, kept.coefficients)


def test_a_grid_of_another_size_starts_afresh():
    smoother = GridSmoother()
    smoother.step(gain(3), LUMA, 0)
    other = CurveGrid.identity(5, 6)
    assert smoother.step(other, np.zeros((5, 6), np.float32), 0.04) is other


def test_time_constants_are_positive():
    with pytest.raises(ValueError, match="positive"):
        GridSmoother(brightening_s=0)
