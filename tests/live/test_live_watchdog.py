"""Signs of life, and how often a stage may start anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.live.watchdog import Heartbeat, Restarts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_only_work_counts_as_being_busy():
    clock = Clock()
    heart = Heartbeat(clock)
    clock.now = 1000.0
    assert heart.busy_s == 0
    with heart.work():
        clock.now += 7
        assert heart.busy_s == 7
    assert (heart.busy_s, heart.beats, heart.last) == (0, 1, 1007.0)


def test_work_that_fails_is_over_too():
    heart = Heartbeat(Clock())

    def fail():
        with heart.work():
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fail()
    assert (heart.busy_s, heart.beats) == (0, 1)


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 5))
def test_never_more_restarts_than_allowed_within_the_window(gaps, most):
    clock = Clock()
    restarts, allowed = Restarts(most, 60.0, clock), []
    for gap in gaps:
        clock.now += gap
        before = [at for at in allowed if clock.now - at <= 60.0]
        if restarts.allowed():
            allowed.append(clock.now)
            assert len(before) < most
    assert restarts.total == len(gaps)


def test_restarts_that_are_far_apart_go_on_for_ever():
    clock = Clock()
    restarts = Restarts(2, 60.0, clock)
    for _ in range(100):
        clock.now += 40
        assert restarts.allowed()
