"""How late packets are judged to be: clocks that drift, wrap and jump are not lateness, waiting in a buffer is."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.media.sources.catching_up import CatchUp
from stream.media.sources.lateness import Lateness

STEP = 0.04
STARTS = st.floats(0, 1e5)
BUSY = 0.0
"""Seconds that a reader waits for a packet that is there already."""


def delays(offsets: list[float], *, start: float = 0.0, made_at: float = 0.0, waited: float = BUSY) -> list[float]:
    """Of packets made every 40 ms that arrive ``offsets`` seconds after they would at the best."""
    lateness = Lateness()
    return [
        lateness.observe(made_at + number * STEP, start + number * STEP + offset, waited)
        for number, offset in enumerate(offsets)
    ]


@given(STARTS, STARTS, st.lists(st.floats(0, 0.3), min_size=2, max_size=200))
def test_jitter_shows_as_it_is_once_one_packet_came_at_once(start: float, made: float, jitter: list[float]) -> None:
    found = delays([0.0, *jitter], start=start, made_at=made)
    assert found == pytest.approx([0.0, *jitter], abs=1e-3 + STEP * len(jitter) * 1e-3)
    assert min(found) >= 0


@given(STARTS, st.floats(-2e-4, 2e-4))
@settings(max_examples=10, deadline=None)
def test_clocks_that_differ_as_crystals_do_are_not_lateness_even_to_a_busy_reader(start: float, drift: float) -> None:
    minutes = [number * STEP * drift for number in range(22_500)]
    assert max(delays(minutes, start=start)) < 1e-3


def test_a_clock_that_is_wrong_by_a_percent_is_no_lateness_to_a_reader_with_nothing_to_do() -> None:
    ten_minutes = [number * STEP * 0.01 for number in range(15_000)]
    assert max(delays(ten_minutes, waited=0.8 * STEP)) < 0.05


@given(st.floats(0.02, 1.0))
def test_what_waits_longer_and_longer_is_seen_to_do_so(slower: float) -> None:
    offsets = [number * STEP * slower for number in range(250)]
    assert delays(offsets)[-1] == pytest.approx(offsets[-1], rel=0.1)


@given(STARTS, st.floats(2, 1e5), st.floats(0, 0.3))
def test_a_wrap_or_restart_of_time_stamps_begins_anew(made: float, back: float, late: float) -> None:
    lateness = Lateness()
    for number in range(50):
        lateness.observe(back + made + number * STEP, number * STEP)
    assert lateness.observe(made, 50 * STEP + late) == 0
    assert lateness.observe(made + STEP, 51 * STEP + late + 0.1) == pytest.approx(0.1, abs=0.001)


@given(st.floats(1, 1e5))
def test_a_leap_forward_of_time_stamps_is_not_lateness_nor_is_the_way_back(leap: float) -> None:
    lateness = Lateness()
    made = [number * STEP + (leap + 1 if 50 <= number < 100 else 0) for number in range(150)]
    assert max(lateness.observe(each, number * STEP) for number, each in enumerate(made)) < 1e-6


def test_a_group_of_pictures_sent_at_once_at_the_start_is_not_late_and_those_after_it_are_judged_by_its_last() -> None:
    lateness = Lateness()
    burst = [lateness.observe(number * STEP, 10.0 + number * 0.001) for number in range(50)]
    assert max(burst) == 0
    assert lateness.observe(50 * STEP, 10.0 + 0.049 + STEP) == pytest.approx(0, abs=1e-4)
    assert lateness.observe(51 * STEP, 10.0 + 0.049 + 2 * STEP + 0.7) == pytest.approx(0.7, abs=1e-3)


def test_reordered_times_of_a_stream_without_decoding_times_are_not_a_restart() -> None:
    lateness = Lateness()
    order = [0] + [number + shift for number in range(1, 300, 3) for shift in (2, 0, 1)]
    found = [lateness.observe(shown * STEP, number * STEP) for number, shown in enumerate(order)]
    assert 0 < max(found) <= 3 * STEP + 1e-6


class Machine:
    """A sender in real time, a connection that holds what is not read, and a reader with a decoder; no clock runs."""

    def __init__(self, *, decode_s: float, group: int, budget_s: float = 0.5) -> None:
        self.catch_up, self.now = CatchUp(budget_s), 0.0
        self.decode_s, self.group = decode_s, group
        self.decoded: dict[int, float] = {}
        """Seconds from being sent to being decoded, of each picture that was."""
        self.judged: dict[int, float] = {}
        """How late each of them was judged to be when it was read."""
        self.skipped: list[int] = []

    def run(self, sent_at: list[float], made: list[float] | None = None) -> None:
        for number, sent in enumerate(sent_at):
            asked, self.now = self.now, max(self.now + 1e-4, sent)
            when = made[number] if made else number * STEP
            key = number % self.group == 0
            if self.catch_up.passes_over(when, self.now, self.now - asked, key=key):
                self.skipped.append(number)
                continue
            self.judged[number] = self.catch_up.delay_s
            self.now += self.decode_s
            self.decoded[number] = self.now - sent

    @property
    def whole(self) -> bool:
        """Whether all that was decoded could be: after a picture that was passed over came a key frame."""
        return all(number % self.group == 0 or number - 1 in self.decoded for number in self.decoded)


@pytest.mark.parametrize("decode_s", [0.05, 0.08, 0.2])
@pytest.mark.parametrize("group", [10, 25, 50])
def test_a_slow_decoder_lags_by_a_bounded_time_and_all_is_accounted_for(decode_s: float, group: int) -> None:
    machine = Machine(decode_s=decode_s, group=group)
    machine.run([number * STEP for number in range(3000)])
    assert machine.whole
    assert len(machine.decoded) + len(machine.skipped) == 3000
    assert max(machine.decoded.values()) < 0.5 + 0.5 + 2 * decode_s + STEP
    assert len(machine.decoded) > 0.3 * 3000 * STEP / decode_s, "it works whenever there is something worth it"
    lags = {number: machine.decoded[number] - decode_s for number in machine.decoded}
    assert machine.judged == pytest.approx(lags, abs=0.1), "every picture knows its true age"


def test_a_decoder_that_keeps_up_passes_nothing_over_whatever_the_camera_does() -> None:
    pauses = [number * STEP - (number % 25) * STEP + 0.6 for number in range(2000)]  # a second at once, each second
    machine = Machine(decode_s=0.004, group=25)
    machine.run(pauses)
    assert machine.skipped == []
    stalled = [max(number * STEP, 23.0) if number > 500 else number * STEP for number in range(2000)]  # 3 s of silence
    machine = Machine(decode_s=0.004, group=250)
    machine.run(stalled)
    assert machine.skipped == []


def test_after_a_hiccup_of_the_machine_the_picture_is_new_again() -> None:
    machine = Machine(decode_s=0.03, group=25)
    machine.now = 4.0  # nobody read for so long, and 4 s of video wait
    machine.run([number * STEP for number in range(500)])
    assert machine.decoded[499] - 0.03 < 0.05
    assert machine.whole


def test_what_is_late_elsewhere_is_not_passed_over_for_ever() -> None:
    """A camera that pauses for five seconds and goes on where it was: no passing over brings that time back."""
    sent = [number * STEP + (5.0 if number > 250 else 0.0) for number in range(1000)]
    machine = Machine(decode_s=0.004, group=25)
    machine.run(sent)
    assert len(machine.skipped) < 3 * 25
    assert max(machine.judged[number] for number in range(400, 1000)) < 0.01


def test_a_clock_that_runs_wrong_costs_a_busy_reader_no_more_than_a_picture_now_and_then() -> None:
    sent = [number * STEP * 1.02 for number in range(15_000)]
    machine = Machine(decode_s=0.035, group=25)
    machine.run(sent)
    assert len(machine.skipped) < 15_000 * 0.1
    assert machine.whole


def test_a_stream_without_key_frames_goes_on_after_a_while() -> None:
    machine = Machine(decode_s=0.08, group=1_000_000)
    machine.run([number * STEP for number in range(2000)])
    assert machine.skipped
    assert max(machine.decoded) > 1500
