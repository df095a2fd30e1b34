"""The compiled loops of the smoothing against NumPy, from any state."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.curve.grid import CurveGrid
from stream.vision import carry, smoothing_kernels
from stream.vision import smoothing_reference as reference
from stream.vision.backdrop import Backdrop
from stream.vision.smoothing import GridSmoother, State


@dataclass(frozen=True)
class Motion:
    flow: np.ndarray
    confidence: np.ndarray


def curves(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    """Monotone ones, like those that a network wants for the dark."""
    low, high = [1, -0.1, -0.05] + [0.8, -0.3, -0.1] * 2, [6, 0.5, 0.05] + [3, 0.3, 0.1] * 2
    found = rng.uniform(low, high, (rows, cols, 9)).astype(np.float32)
    found[..., 0] = np.maximum(found[..., 0], -16 * found[..., 1])
    return found


def any_state(rng: np.random.Generator, luma: np.ndarray) -> State:
    """A state in which every rule is at work at some nodes: held or free, covered, uncovered again, long forgotten."""
    shape = luma.shape

    def one_of(*values: float) -> np.ndarray:
        return rng.choice(np.float32(values), shape)

    def near(share: float) -> np.ndarray:
        other = rng.uniform(0, 1, shape).astype(np.float32) ** 2
        return np.where(rng.random(shape) < share, luma * rng.uniform(0.95, 1.05, shape).astype(np.float32), other)

    known = Backdrop(curves(rng, *shape), near(0.6), one_of(0, 2, 4.9, 6, 9.99, 10, np.inf), one_of(0, 0.3, 0.7, 1))
    steady, pulled = rng.uniform(0, 3, shape), rng.normal(0, 4, shape) * (rng.random(shape) < 0.5)
    return State(
        CurveGrid(curves(rng, *shape)),
        near(0.7),
        steady.astype(np.float32),
        one_of(0, 1),
        pulled.astype(np.float32),
        known,
        np.zeros((*shape, 2), np.float32),
        np.zeros(2, np.float32),
    )


def fields(state: State) -> dict[str, np.ndarray]:
    backdrop = state.backdrop
    return {
        "grid": state.grid.coefficients,
        "luma": state.luma,
        "steady_s": state.steady_s,
        "settled": state.settled,
        "pulled_s": state.pulled_s,
        "remembered": backdrop.coefficients,
        "remembered luma": backdrop.luma,
        "age": backdrop.age,
        "left": backdrop.left,
    }


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 9), st.floats(0, 0.5))
def test_a_step_from_any_state_is_the_one_that_numpy_makes(seed, rows, cols, seconds):
    rng = np.random.default_rng(seed)
    luma = rng.uniform(0, 1, (rows, cols)).astype(np.float32) ** 3
    smoother = GridSmoother()
    smoother.state = state = any_state(rng, luma)
    near = state.grid.coefficients + rng.normal(0, 0.003, (rows, cols, 9)).astype(np.float32)
    wish = CurveGrid(np.where(rng.random((rows, cols, 1)) < 0.5, near, curves(rng, rows, cols)))
    smoother.step(wish, luma, seconds)
    for (name, found), expected in zip(
        fields(smoother.state).items(), fields(reference.stepped(state, wish, luma, seconds)).values(), strict=True
    ):
        assert found.dtype == expected.dtype == np.float32, name
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5, err_msg=name)


def test_over_many_frames_the_loop_goes_where_numpy_goes():
    """Somebody bright walks past; rounding must not add up."""
    rng = np.random.default_rng(5)
    luma, wish = rng.uniform(0.02, 0.2, (6, 9)).astype(np.float32), curves(rng, 6, 9)
    smoother = GridSmoother()
    smoother.step(CurveGrid(wish), luma, 0)
    expected = State.first(CurveGrid(wish), luma)
    bent = 0
    for frame in range(120):
        seen, step = luma + rng.normal(0, 3e-4, luma.shape).astype(np.float32), CurveGrid(wish)
        if 40 <= frame < 90:
            seen[2:5, (frame - 40) // 8 : (frame - 40) // 8 + 2] = 0.6
            step = CurveGrid(wish * np.float32(0.8))
            bent += (expected.backdrop.left > 0.5).any()
        expected = reference.stepped(expected, step, seen, 0.04)
        found = smoother.step(step, seen, 0.04).coefficients
        np.testing.assert_allclose(found, expected.grid.coefficients, rtol=1e-5, atol=1e-4)
    assert bent


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 6), st.integers(1, 8))
def test_means_of_cells_are_those_of_numpy(seed, rows, cols, side):
    rng = np.random.default_rng(seed)
    shape = rows * side, cols * side
    motion = Motion(rng.normal(0, 5, (*shape, 2)).astype(np.float32), rng.random(shape).astype(np.float32) ** 2)
    np.testing.assert_allclose(
        carry.cell_means(motion.confidence, rows, cols),
        reference.cell_means(motion.confidence, rows, cols),
        rtol=1e-5,
        atol=1e-6,
    )
    (found, sure), (expected, known) = (
        measure(motion, rows, cols) for measure in (carry.cell_motion, reference.cell_motion)
    )
    np.testing.assert_array_equal(sure, known)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 6), st.floats(0, 9))
def test_fields_are_carried_as_numpy_carries_them(seed, rows, cols, far):
    rng = np.random.default_rng(seed)
    field = rng.normal(0, 1, (rows, cols, 3)).astype(np.float32)
    distance = rng.normal(0, far, (rows, cols, 2)).astype(np.float32)
    found, expected = carry.carried(field, distance), reference.carried(field, distance)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


def test_a_distance_that_is_no_number_reads_nothing_outside_of_the_field():
    field = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    distance = np.full((2, 3, 2), np.nan, np.float32)
    distance[0, 0] = np.inf
    found = carry.carried(field, distance)
    assert found[0, 0, 0] == 10
    np.testing.assert_array_equal(found[1], np.broadcast_to(field[0, 0], (3, 2)))


def test_what_does_not_fit_together_is_refused():
    """The loops look at no bounds."""
    grid, luma = CurveGrid.identity(3, 4), np.full((3, 4), 0.1, np.float32)
    with pytest.raises(ValueError, match="as many lumas"):
        GridSmoother().step(grid, luma[:2], 0.04)
    with pytest.raises(ValueError, match="cannot be carried"):
        carry.carried(grid.coefficients, np.zeros((2, 4, 2), np.float32))
    with pytest.raises(ValueError, match="its confidence"):
        carry.cell_motion(Motion(np.zeros((6, 6, 2), np.float32), np.ones((6, 8), np.float32)), 3, 4)
    with pytest.raises(ValueError, match="does not divide"):
        carry.cell_means(luma, 2, 4)


def test_a_number_changed_in_another_file_reaches_the_cache():
    """numba looks for changes in the file of the compiled function alone; it names what else it is made of."""
    folder = Path(smoothing_kernels.__file__).parent
    parts = smoothing_kernels.PARTS
    found = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest()[:12] for name in parts}
    assert found == parts, f"write these digests into {smoothing_kernels.__file__}"
