"""The grid's own rules: shapes, weights, blends, what it refuses, and when its curves rise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engines.curve.grid import CELL, CurveGrid, grid_shape, tents, tents_at, thumbnail_shape
from engines.errors import NotFiniteError

coefficients = arrays(np.float32, (2, 3, 9), elements=st.floats(-4, 4, width=32))


def test_shapes_of_usual_pictures() -> None:
    assert thumbnail_shape(1920, 1080) == (144, 256)
    assert thumbnail_shape(3840, 2160) == (144, 256)
    assert thumbnail_shape(512, 512) == (192, 192)
    assert thumbnail_shape(1080, 1920) == (256, 144)
    assert grid_shape(1920, 1080) == (18, 32)


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_every_picture_has_a_thumbnail_of_about_the_same_area(width: int, height: int) -> None:
    h, w = thumbnail_shape(width, height)
    assert h % CELL == 0
    assert w % CELL == 0
    assert 0.9 < h * w / 36_864 < 1.1
    assert grid_shape(width, height) == (h // CELL, w // CELL)


@given(st.integers(1, 400), st.integers(1, 40))
def test_weights_of_every_pixel_sum_to_one(pixels: int, nodes: int) -> None:
    weights = tents(pixels, nodes)
    assert weights.shape == (nodes, pixels)
    assert (weights >= 0).all()
    assert np.abs(weights.sum(axis=0) - 1).max() < 1e-12


def test_nodes_sit_at_cell_centres_and_hold_outside() -> None:
    assert (tents_at(np.array([0.125, 0.375]), 4) == np.eye(4)[:, :2]).all()
    assert (tents_at(np.array([0.0, 1.0]), 4) == np.eye(4)[:, [0, 3]]).all()
    assert np.allclose(tents_at(np.array([0.25]), 4)[:, 0], [0.5, 0.5, 0, 0])


def test_identity_and_its_neighbour() -> None:
    grid = CurveGrid.identity(3, 4)
    assert (grid.rows, grid.cols) == (3, 4)
    assert grid.is_identity
    values = grid.coefficients.copy()
    values[2, 3, 8] = 1e-30
    assert not CurveGrid(values).is_identity


@given(coefficients)
def test_blend_ends_are_exact_and_the_way_is_straight(values: np.ndarray) -> None:
    grid = CurveGrid(values)
    assert grid.blend(0).is_identity
    assert (grid.blend(1).coefficients == values).all()
    middle = (values + CurveGrid.identity(2, 3).coefficients) / 2
    assert np.allclose(grid.blend(0.5).coefficients, middle, atol=1e-6)


def test_what_is_no_grid_is_refused() -> None:
    for bad in (np.nan, np.inf, -np.inf):
        values = CurveGrid.identity(2, 2).coefficients.copy()
        values[0, 1, 4] = bad
        with pytest.raises(NotFiniteError):
            CurveGrid(values)
    with pytest.raises(ValueError, match=r"\[rows, cols, 9\]"):
        CurveGrid(np.zeros((2, 2, 8), np.float32))
    with pytest.raises(ValueError, match=r"\[rows, cols, 9\]"):
        CurveGrid(np.zeros((0, 2, 9), np.float32))
    with pytest.raises(ValueError, match=r"strength is 0\.\.1"):
        CurveGrid.identity(2, 2).blend(1.5)


def test_a_grid_does_not_change_with_the_array_it_was_made_of() -> None:
    values = CurveGrid.identity(2, 2).coefficients.copy()
    grid = CurveGrid(values)
    values[:] = 0
    assert grid.is_identity
    with pytest.raises(ValueError, match="read-only"):
        grid.coefficients[0, 0, 0] = 2


@given(coefficients, st.sampled_from([219.0, 255.0]))
def test_monotone_means_no_step_down_at_any_code(values: np.ndarray, codes: float) -> None:
    y = np.arange(codes + 1) / codes
    curve = values.astype(np.float64)
    steps = np.diff(curve[..., :1] * y + curve[..., 1:2] * np.sqrt(y), axis=-1) * codes
    grid = CurveGrid(values)
    if grid.is_monotone(0):
        assert steps.min() > -1e-5
    if steps.min() < -1e-3 and codes == 255.0:
        assert not grid.is_monotone()


@given(coefficients)
def test_repair_makes_falling_curves_rise_and_leaves_the_others(values: np.ndarray) -> None:
    grid = CurveGrid(values)
    repaired = grid.made_monotone(np.full((16, 24), 0.25, np.float32))
    assert repaired.is_monotone()
    rises = (grid.slopes[0] >= 0) & (grid.slopes[1] >= 0)
    assert np.abs(repaired.coefficients - values)[rises].max(initial=0) < 1e-6
    assert (repaired.coefficients[..., 3:] == values[..., 3:]).all()
    weights = np.array([0.25, 0.5, 1.0])
    assert np.abs((repaired.coefficients[..., :3] - values[..., :3]) @ weights).max() < 1e-5
