"""Pauses between attempts, and which states may follow which."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.live.backoff import Backoff
from stream.live.state import IllegalTransition, SourceState, check_transition


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(choose=lambda: 0.5)
    assert [backoff.pause() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


@given(st.lists(st.floats(0, 1), min_size=12, max_size=12))
@settings(deadline=None)
def test_jitter_is_a_fifth_and_the_longest_is_the_longest(chosen: list[float]) -> None:
    numbers = iter(chosen)
    backoff = Backoff(choose=lambda: next(numbers))
    for expected in (0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30):
        pause = backoff.pause()
        assert 0.8 * expected - 1e-9 <= pause <= min(30.0, 1.2 * expected) + 1e-9


def test_jitter_spreads_attempts() -> None:
    assert len({Backoff().pause() for _ in range(50)}) > 40


def test_health_begins_anew_only_when_it_lasts() -> None:
    backoff = Backoff(choose=lambda: 0.5)
    for _ in range(4):
        backoff.pause()
    backoff.healthy(100.0)
    backoff.healthy(129.9)
    assert backoff.pause() == 8, "not healthy for 30 s"
    backoff.healthy(200.0)
    backoff.healthy(225.0)
    backoff.pause()
    backoff.healthy(226.0)
    backoff.healthy(256.0)
    assert backoff.pause() == 0.5


def test_slow_errors_wait_long_at_once_and_leave_the_ladder_alone() -> None:
    backoff = Backoff(choose=lambda: 0.5)
    assert backoff.pause(slow=True) == 30
    assert backoff.pause() == 0.5


ALLOWED = {
    "connecting": {"streaming", "reconnecting", "failed", "stopped"},
    "streaming": {"stalled", "reconnecting", "stopped"},
    "stalled": {"streaming", "reconnecting", "stopped"},
    "reconnecting": {"streaming", "failed", "stopped"},
    "failed": {"stopped"},
    "stopped": set[str](),
}


@pytest.mark.parametrize(("before", "after"), [*itertools.product(SourceState, SourceState)])
def test_only_eligible_transitions(before: SourceState, after: SourceState) -> None:
    if after.value in ALLOWED[before.value]:
        check_transition(before, after)
    else:
        with pytest.raises(IllegalTransition, match=before.value):
            check_transition(before, after)
