"""Overlap by more than half leaves nothing to choose, and agrees with the best assignment."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from stream.vision.identities import matched

MAPS = arrays(np.uint8, (6, 7), elements=st.integers(0, 4))


def iou(new: np.ndarray, old: np.ndarray, a: int, b: int) -> float:
    return np.count_nonzero((new == a) & (old == b)) / max(np.count_nonzero((new == a) | (old == b)), 1)


@given(new=MAPS, old=MAPS, blend=arrays(np.bool_, (6, 7)))
def test_pairs_are_unique_and_the_best_there_are(new, old, blend):
    new = np.where(blend, new, (old + 1) % 5).astype(np.uint8)
    pairs = matched(new, old)
    score = {(a, b): iou(new, old, a, b) for a in range(1, 5) for b in range(1, 5)}
    assert len(set(pairs.values())) == len(pairs)
    assert pairs == {a: b for (a, b), value in score.items() if value > 0.5}
    above = {pair: value if value > 0.5 else 0 for pair, value in score.items()}
    best = max(sum(above[pair] for pair in enumerate(order, 1)) for order in permutations(range(1, 5)))
    assert sum(score[pair] for pair in pairs.items()) == pytest.approx(best)


def test_exactly_half_is_no_match_and_background_never_is():
    new, old = np.array([[1, 1, 0, 0]], np.uint8), np.array([[2, 0, 0, 0]], np.uint8)
    assert matched(new, old) == {}
    assert matched(np.zeros_like(new), np.zeros_like(old)) == {}
    assert matched(new, np.where(new, 9, 0).astype(np.uint8)) == {1: 9}


def test_less_than_half_is_refused():
    with pytest.raises(ValueError, match="half"):
        matched(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), 0.4)
