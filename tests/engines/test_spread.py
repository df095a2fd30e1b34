"""Coefficients at the pixels of a small picture are those that the operator's own weights give."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.curve.grid import tents
from engines.curve.spread import spread

SIDES = st.integers(1, 40)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 20), st.integers(1, 20), SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_spreading_is_the_product_with_the_tents(count, rows, cols, h, w, seed):
    nodes = np.random.default_rng(seed).normal(size=(rows, cols, count)).astype(np.float32)
    wanted = tents(h, rows).T @ np.moveaxis(nodes.astype(np.float64), 2, 0) @ tents(w, cols)
    np.testing.assert_allclose(spread(nodes, h, w), wanted, atol=2e-6 * max(1, np.abs(nodes).max()), rtol=1e-5)
