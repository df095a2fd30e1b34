"""While the source is away: the last picture, dimmed, with a line of text, at rising times that nothing jumps over."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_fakes import FakeSink, Rig, frame, packet
from live_frames import moving, times_of

from engines.colour import Colour
from stream.live.notice import LAG_S, RATE, Notice, clock_time, drawn
from stream.live.sink import LiveSink
from stream.live.summary import RunState
from stream.live.timeline import LEAST_STEP
from stream.live.writing import AWAY_S, LiveWriter, Presence

pytestmark = pytest.mark.timeout(90)


class Clock:
    def __init__(self) -> None:
        self.now = time.monotonic()

    def __call__(self) -> float:
        return self.now


def writer(away="hold"):
    clock = Clock()
    presence, sink, shown = Presence(clock), FakeSink(), []
    return clock, presence, sink, shown, LiveWriter(sink, presence, away, showing=shown.append, clock=clock)


@pytest.mark.parametrize("format", ["yuv420p", "nv12"])
@pytest.mark.parametrize("size", [(640, 360), (1920, 1080), (160, 90), (32, 16), (101, 57)])
def test_the_notice_is_the_picture_dimmed_with_text_in_a_corner(size, format):
    last = frame(1, size=size, luma=200, format=format)
    before = last.planes.y.copy()
    noted = drawn(last, "no signal since 12:03:27")
    assert np.array_equal(last.planes.y, before), "the last picture itself was drawn on"
    assert noted.planes.y.shape == before.shape
    dimmed = round(16 + 0.5 * (200 - 16))
    assert abs(int(np.median(noted.planes.y)) - dimmed) <= 1
    assert (noted.planes.y != np.median(noted.planes.y)).any()
    if size[1] >= 360:
        lower = noted.planes.y[size[1] // 2 :]
        assert 0.001 < (lower > dimmed + 20).mean() < 0.1
        assert (noted.planes.y[: size[1] // 2] == lower[0, 0]).all()
    assert noted.planes.colour == Colour()


def test_the_text_tells_local_time_and_the_date_if_it_is_not_today():
    now = time.monotonic()
    assert clock_time(now) in (time.strftime("%H:%M:%S"), time.strftime("%H:%M:%S", time.localtime(time.time() - 1)))
    assert clock_time(now - 3 * 86400).startswith(time.strftime("%Y-%m-%d", time.localtime(time.time() - 3 * 86400)))


def test_times_of_the_notice_follow_the_clock_of_the_source():
    last = frame(100)
    notice = Notice(last, last.captured_at)
    shown = notice.at(last.captured_at + 10 + LAG_S)
    assert shown.pts == last.pts + 900_000
    assert shown.picture is not notice.at(last.captured_at + 11).picture


def test_the_first_frames_of_a_source_that_is_back_keep_their_times():
    clock, presence, sink, _, out = writer()
    presence.arrived()
    first = frame(0)
    object.__setattr__(first, "captured_at", clock.now)
    out.write(first)
    start = clock.now
    for _ in range(50):
        clock.now += 0.1
        out.idle()
    assert out.notices > 5
    back = frame(1, pts=round((clock.now - start - 0.2) * 90_000))  # decoding it took a while
    object.__setattr__(back, "captured_at", clock.now - 0.2)
    out.write(back)
    assert sink.written[-1].pts == back.pts


def test_a_notice_is_shown_after_a_while_at_a_steady_rate_and_goes_with_the_next_frame():
    clock, presence, sink, shown, out = writer()
    presence.arrived()
    out.write(frame(0))
    for _ in range(40):
        out.idle()
        clock.now += 0.1
    assert shown == [True]
    assert out.notices == len(sink.written) - 1
    assert out.notices == pytest.approx((4.0 - AWAY_S) * RATE, abs=2)
    assert out.notice_shown
    presence.arrived()
    out.write(frame(100, age=-4.0))
    assert shown == [True, False]
    out.idle()
    assert not out.notice_shown
    times = [item.pts for item in sink.written]
    assert times == sorted(set(times))
    assert times[-1] == 100 * 3600


def test_a_frame_right_after_the_notice_has_a_time_of_its_own_in_containers_that_count_milliseconds(tmp_path):
    clock, target = Clock(), tmp_path / "a.mkv"
    presence, sink = Presence(clock), LiveSink([str(target)])
    out = LiveWriter(sink, presence, clock=clock)
    presence.arrived()
    for given_frame in moving(3):
        out.write(given_frame)
    for _ in range(20):
        clock.now += 0.2
        out.idle()
    for given_frame in moving(6):  # their times are taken by the notice
        out.write(given_frame)
    out.close(20)
    times = [round(1000 * time) for time in times_of(target)]
    assert len(times) == 9 + out.notices
    assert out.notices > 5
    assert times == sorted(set(times))


def test_before_the_first_picture_nothing_is_sent():
    clock, _, sink, _, out = writer()
    for _ in range(30):
        out.idle()
        clock.now += 0.5
    assert sink.items == []


def test_paused_outputs_get_nothing():
    clock, presence, sink, shown, out = writer("pause")
    presence.arrived()
    out.write(frame(0))
    for _ in range(30):
        clock.now += 0.5
        out.idle()
    assert (len(sink.items), shown) == (1, [])


def test_a_slow_source_is_not_away_between_its_frames():
    clock, presence, _, _, _ = writer()
    for _ in range(60):
        presence.arrived()
        clock.now += 2.0
        last = presence.away_since
    assert last is None
    clock.now += 10
    assert presence.away_since is not None


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["frame", "early", "restart", "away", "packet"]), st.floats(0.01, 5)), max_size=25
    )
)
def test_output_times_only_rise_whatever_comes(steps):
    clock, presence, sink, _, out = writer()
    start, pts, base = clock.now, 0, 0.0
    for number, (step, seconds) in enumerate(steps):
        clock.now += seconds
        if step == "away":
            for _ in range(5):
                clock.now += 0.3
                out.idle()
            continue
        if step == "packet":
            out.write_packet(packet(number))
            continue
        if step == "restart":
            base = clock.now - start
        presence.arrived()
        pts = round((clock.now - start - base - (0.2 if step == "early" else 0.0)) * 90_000)
        given_frame = frame(number, pts=pts)
        object.__setattr__(given_frame, "captured_at", clock.now)
        out.write(given_frame)
    times = [item.pts for item in sink.written]
    assert all(after - before >= LEAST_STEP for before, after in pairwise(times))
    if times:
        assert times[-1] - times[0] <= (clock.now - start + 1) * 90_000


def test_a_run_shows_the_notice_and_counts_it_apart():
    with Rig(away="hold") as rig:
        for number in range(3):
            rig.source.feed(frame(number))
            rig.until(lambda number=number: len(rig.sink.written) > number)
        rig.until(lambda: rig.run.stats().notices >= 2)
        assert rig.run.state is RunState.AWAY
        rig.source.feed(frame(3, pts=90_000 * 60))
        rig.until(lambda: rig.run.stats().frames_out == 4)
        stats = rig.run.stats()
    assert (stats.frames_in, stats.frames_out) == (4, 4)
    assert len(rig.sink.written) == 4 + stats.notices
    assert [fields["shown"] for fields in rig.told("notice")] == [True, False]
    times = [item.pts for item in rig.sink.written]
    assert times == sorted(set(times))
