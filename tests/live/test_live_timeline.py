"""Output times: they only rise and follow capture time, whatever the source's time stamps do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.live.timeline import LEAST_STEP, Timeline

RTP = Fraction(1, 90000)
TICKS = 90000
BOUND_S = 1.1
"""The timeline believes stamps up to one second away from capture time."""


def placed(
    stamps: list[int | None], captured: list[float], time_base: Fraction = RTP, restarts: frozenset[int] = frozenset()
) -> list[int]:
    """Output times of a run, with what must hold for every run checked."""
    timeline = Timeline()
    out: list[int] = []
    for index, (pts, at) in enumerate(zip(stamps, captured, strict=True)):
        if index in restarts:
            timeline.restart()
        out.append(timeline.place(pts, time_base, at))
    assert out[0] == 0
    assert all(later - earlier >= LEAST_STEP for earlier, later in itertools.pairwise(out)), "rising by a millisecond"
    for time, at in zip(out, captured, strict=True):
        assert abs(time / TICKS - (at - captured[0])) < BOUND_S + len(out) * LEAST_STEP / TICKS
    return out


def steady(count: int, interval_s: float, start: float = 100.0) -> list[float]:
    return [start + index * interval_s for index in range(count)]


@given(
    st.integers(0, (1 << 33) - 1),
    st.sampled_from([3600, 3003, 1500, 9000]),
    st.lists(st.floats(0, 0.015), min_size=60, max_size=60),
)
@settings(deadline=None)
def test_the_spacing_of_a_source_that_behaves_is_kept(start: int, step: int, delays: list[float]) -> None:
    captured = [at + delay for at, delay in zip(steady(60, step / TICKS), delays, strict=True)]
    out = placed([start + index * step for index in range(60)], captured)
    assert {later - earlier for earlier, later in itertools.pairwise(out)} == {step}


@pytest.mark.parametrize("bits", [32, 33])
@given(before=st.integers(1, 200))
@settings(deadline=None, max_examples=30)
def test_counters_wrap(bits: int, before: int) -> None:
    stamps: list[int | None] = [((1 << bits) - before * 3600 + index * 3600) % (1 << bits) for index in range(300)]
    out = placed(stamps, steady(300, 0.04))
    steps = [later - earlier for earlier, later in itertools.pairwise(out)]
    assert all(abs(step - 3600) <= 90 for step in steps), "the wrap is not seen"


@pytest.mark.parametrize("away_s", [0.0, 3.0, 3600.0])
def test_a_source_that_begins_at_zero_again_goes_on_where_capture_time_is(away_s: float) -> None:
    captured = [*steady(100, 0.04), *steady(100, 0.04, 104.0 + away_s)]
    stamps: list[int | None] = [*(10**9 + index * 3600 for index in range(100)), *(i * 3600 for i in range(100))]
    out = placed(stamps, captured, restarts=frozenset({100}))
    assert abs(out[100] - (4.0 + away_s) * TICKS) <= 1
    assert out[101] - out[100] == 3600


@given(st.sampled_from([-7 * 3600, -5.0, -1.5, 1.5, 5.0, 7 * 3600, 10**6]), st.integers(1, 99))
@settings(deadline=None)
def test_jumps_are_not_believed(jump_s: float, at: int) -> None:
    stamps: list[int | None] = [
        10**11 + index * 3600 + (round(jump_s * TICKS) if index >= at else 0) for index in range(100)
    ]
    out = placed(stamps, steady(100, 0.04))
    assert all(abs(later - earlier - 3600) <= 90 for earlier, later in itertools.pairwise(out)), (
        "neither a gap nor a pile"
    )


def test_a_single_odd_stamp_leaves_no_trace() -> None:
    stamps: list[int | None] = [10**9 + index * 3600 for index in range(100)]
    stamps[50] = 12345
    out = placed(stamps, steady(100, 0.04))
    assert out == [index * 3600 for index in range(100)]


@pytest.mark.parametrize("drift", [-1e-3, -1e-4, 1e-4, 1e-3])
def test_drifting_clocks_stay_with_capture_time(drift: float) -> None:
    count = 25 * 1200
    stamps: list[int | None] = [round(index * 3600 * (1 + drift)) for index in range(count)]
    captured = steady(count, 0.04)
    out = placed(stamps, captured)
    worst = max(abs(time / TICKS - (at - captured[0])) for time, at in zip(out, captured, strict=True))
    assert worst < 0.1, "uncorrected, twenty minutes of a bad clock make more than a second"
    steps = [later - earlier for earlier, later in itertools.pairwise(out)]
    assert min(steps) >= 3600 * 0.97
    assert max(steps) <= 3600 * 1.03


def test_a_burst_at_the_beginning_is_made_up_for() -> None:
    """Half a second of pictures waits at the server: they come at once, the others in time."""
    captured = [100.5] * 12 + steady(600, 0.04, 100.52)
    out = placed([index * 3600 for index in range(612)], captured)
    assert abs(out[-1] / TICKS - (captured[-1] - captured[0])) < 0.05


@given(
    st.lists(st.one_of(st.none(), st.integers(-(1 << 40), 1 << 40), st.integers(0, 50)), min_size=1, max_size=60),
    st.lists(st.floats(0, 2), min_size=60, max_size=60),
    st.sampled_from([RTP, Fraction(1, 1000), Fraction(1, 25), Fraction(1, 10**9)]),
    st.frozensets(st.integers(0, 59), max_size=5),
)
@settings(deadline=None)
def test_whatever_comes_time_rises_and_follows_capture(
    stamps: list[int | None], gaps: list[float], time_base: Fraction, restarts: frozenset[int]
) -> None:
    captured, now = [], 5.0
    for _, gap in zip(stamps, gaps, strict=False):
        captured.append(now)
        now += gap
    placed(stamps, captured, time_base, restarts)


@pytest.mark.parametrize("spoil", [lambda index: None, lambda index: 777], ids=["missing", "all the same"])
def test_useless_stamps(spoil: Callable[[int], int | None]) -> None:
    out = placed([spoil(index) for index in range(100)], steady(100, 0.04))
    assert out[-1] / TICKS == pytest.approx(99 * 0.04, abs=BOUND_S)


def test_other_streams_get_the_shift_of_the_video() -> None:
    timeline = Timeline()
    assert not timeline.known
    first = timeline.place(90000 * 50, RTP, 200.0)
    assert timeline.known
    audio = Fraction(1, 48000)
    assert timeline.shift(48000 * 50, audio) / 48000 == pytest.approx(first / TICKS)
    assert timeline.shift(48000 * 51, audio) - timeline.shift(48000 * 50, audio) == 48000
    timeline.restart()
    assert not timeline.known
