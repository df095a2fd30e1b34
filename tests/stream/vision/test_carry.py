"""Nodes that go along with the picture: means per cell, what is sure, small steps summed up, nothing invented."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.vision.carry import SURE, carried, cell_motion, due


@dataclass(frozen=True)
class Field:
    flow: np.ndarray
    confidence: np.ndarray


def field(height: int, width: int, dx: float = 0.0, dy: float = 0.0, confidence: float = 1.0) -> Field:
    flow = np.zeros((height, width, 2), np.float32)
    flow[:] = dx, dy
    return Field(flow, np.full((height, width), confidence, np.float32))


@pytest.mark.parametrize("scale", [1, 2])
def test_motion_is_told_in_cells_whatever_the_fields_size(scale):
    step, sure = cell_motion(field(24 * scale, 40 * scale, 4.0 * scale, -2.0 * scale), 3, 5)
    assert sure.all()
    np.testing.assert_allclose(step, np.broadcast_to([0.5, -0.25], (3, 5, 2)), atol=1e-6)


def test_pixels_count_by_their_confidence_and_what_is_not_sure_stays():
    motion = field(16, 16, 8.0)
    motion.flow[:8, :4] = 100
    motion.confidence[:8, :4] = 0
    motion.confidence[8:, :8] = SURE / 2
    step, sure = cell_motion(motion, 2, 2)
    np.testing.assert_array_equal(sure, [[True, True], [False, True]])
    np.testing.assert_allclose(step[..., 0], [[1, 1], [0, 1]], atol=1e-6)


def test_a_field_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="does not divide"):
        cell_motion(field(25, 40), 3, 5)


def test_small_steps_are_summed_up_and_none_is_lost():
    total, travelled = np.zeros(2, np.float32), np.zeros(2, np.float32)
    carried_at = []
    for step in range(20):
        travelled = travelled + np.array([0.06, 0], np.float32)
        now = due(travelled)
        travelled, total = travelled - now, total + now
        if now.any():
            carried_at.append(step)
    assert carried_at == [4, 9, 14, 19]
    assert total[0] + travelled[0] == pytest.approx(20 * 0.06, abs=1e-5)


def test_the_content_is_found_where_it_was():
    values = np.random.default_rng(0).random((4, 6, 3)).astype(np.float32)
    one_left = np.broadcast_to(np.float32([-1, 0]), (4, 6, 2))
    np.testing.assert_array_equal(carried(values, one_left)[:, 1:], values[:, :-1])
    half_down = np.broadcast_to(np.float32([0, 0.5]), (4, 6, 2))
    np.testing.assert_allclose(carried(values, half_down)[:-1], (values[:-1] + values[1:]) / 2, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(-30, 30, width=32), st.floats(-30, 30, width=32))
def test_carrying_never_leaves_the_range_of_what_was_there(seed, dx, dy):
    values = np.random.default_rng(seed).normal(size=(3, 4, 2)).astype(np.float32)
    out = carried(values, np.broadcast_to(np.float32([dx, dy]), (3, 4, 2)))
    assert out.min() >= values.min() - 1e-5
    assert out.max() <= values.max() + 1e-5
