"""The loops at the end of a way against NumPy: sizes that blocks of 2x2 do not divide, ways that lead outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.vision.displacement_kernels import look_up, tally


def any_way(rng: np.random.Generator, h: int, w: int) -> np.ndarray:
    """Displacements up to far outside, errors, and a fifth of the blocks lost."""
    way = rng.normal(0, 8, ((h + 1) // 2, (w + 1) // 2, 4)).astype(np.float32)
    way[..., 2] = np.abs(way[..., 2])
    way[..., 3] = rng.random(way.shape[:2]) < 0.2
    return way


def at_pixels(way: np.ndarray, h: int, w: int) -> np.ndarray:
    return way.repeat(2, axis=0).repeat(2, axis=1)[:h, :w]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 33), st.integers(1, 33), st.integers(1, 40), st.integers(1, 40))
def test_a_map_is_looked_up_where_the_way_leads(seed, h, w, rows, columns):
    rng = np.random.default_rng(seed)
    ids, way = rng.integers(0, 17, (rows, columns), dtype=np.uint8), any_way(rng, h, w)
    found = np.full((h, w), 99, np.uint8)
    look_up(ids, way, found)
    there, (i, j) = at_pixels(way, h, w), np.indices((h, w), dtype=np.float32)
    x = np.clip((j + np.float32(0.5) + there[..., 0]) * np.float32(columns / w), 0, columns - 1)
    y = np.clip((i + np.float32(0.5) + there[..., 1]) * np.float32(rows / h), 0, rows - 1)
    expected = np.where(there[..., 3] > 0.5, 0, ids[y.astype(int), x.astype(int)])
    # One rounding less may decide otherwise where a place lies between two pixels of the map.
    assert np.count_nonzero(found != expected) <= 0.01 * found.size + 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 33), st.integers(1, 33), st.integers(1, 9))
def test_pixels_and_errors_are_summed_by_id(seed, h, w, run):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 5, (h, w), dtype=np.uint8).repeat(run, axis=1)[:, :w].copy()
    ids[0, 0] = 255
    way, sums = any_way(rng, h, w), np.full((256, 2), np.nan)
    tally(ids, way, sums)
    errors = at_pixels(way, h, w)[..., 2]
    for name in range(256):
        assert sums[name, 0] == np.count_nonzero(ids == name)
        assert sums[name, 1] == pytest.approx(errors[ids == name].sum(dtype=np.float64), rel=1e-5, abs=1e-6)
