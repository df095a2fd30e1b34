"""Tiles cover every pixel with weights that sum to 1, keep to the sizes asked for, and hand over smoothly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.tiles import OVERLAP, cut


def total(length: int, **options) -> np.ndarray:
    axis = cut(length, **options)
    covered = np.zeros(axis.starts[-1] + axis.size)
    for start, weights in zip(axis.starts, axis.weights, strict=True):
        assert weights.dtype == np.float32
        covered[start : start + axis.size] += weights
    assert len(covered) >= length
    return covered


@given(length=st.integers(1, 3000), most=st.integers(64, 700), multiple=st.sampled_from([1, 2, 8, 12, 16, 32]))
def test_every_pixel_is_covered_once_in_sum(length: int, most: int, multiple: int) -> None:
    np.testing.assert_allclose(total(length, most=most, multiple=multiple), 1, atol=1e-6)
    axis = cut(length, most, multiple)
    end = -(-length // multiple) * multiple
    assert axis.size % multiple == 0
    assert axis.size <= most or len(axis.starts) == 1
    assert (axis.starts[0], axis.starts[-1] + axis.size) == (0, end)
    if len(axis.starts) > 1:
        assert axis.size - max(np.diff(axis.starts)) >= min(OVERLAP, axis.size // 4)
        assert all(start % 8 == 0 for start in axis.starts[:-1]) or axis.size < 160


@given(length=st.integers(1, 2000), exact=st.integers(16, 700))
def test_an_exact_size_is_kept(length: int, exact: int) -> None:
    assert cut(length, exact=exact).size == exact
    np.testing.assert_allclose(total(length, exact=exact), 1, atol=1e-6)


@pytest.mark.parametrize(("length", "count", "size"), [(512, 1, 512), (540, 2, 296), (1080, 3, 392), (1920, 4, 512)])
def test_tiles_are_few_and_little_is_drawn_twice(length: int, count: int, size: int) -> None:
    axis = cut(length, 512)
    assert (len(axis.starts), axis.size) == (count, size)


def test_without_a_limit_there_is_one_tile_padded_to_the_multiple() -> None:
    axis = cut(1081, 0, 16)
    assert (axis.starts, axis.size) == ((0,), 1088)
    assert (axis.weights[0] == 1).all()


def test_the_edges_of_tiles_count_nothing_and_the_ramp_is_smooth() -> None:
    axis = cut(1080, 512)
    margin = OVERLAP // 4
    for i, weights in enumerate(axis.weights):
        assert (weights[:margin] == (0 if i else 1)).all()
        assert (weights[-margin:] == (0 if i < 2 else 1)).all()
        assert np.abs(np.diff(weights)).max() < 2 / (OVERLAP / 2)
