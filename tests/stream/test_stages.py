"""The threads of a run: everything arrives in order, every failure surfaces as itself, and nothing ever hangs."""

from __future__ import annotations

import threading
import time

import pytest
from stream_fakes import FakeSink, FakeSource, Injected, fail_at

from stream.stages import Stages
from stream.telemetry import Telemetry

pytestmark = pytest.mark.timeout(30)


def unchanged(frame):
    return frame


def run(source, enhance=unchanged, sink=None, capacity=4):
    """Start, wait at most 10 s, and hold the books against each other."""
    telemetry = Telemetry()
    stages = Stages(source, enhance, sink, telemetry, capacity)
    stages.start()
    return stages, telemetry


def finish(stages, telemetry):
    assert stages.wait(10), "a thread hangs"
    stats = telemetry.snapshot()
    assert stats.frames_in == stats.frames_out + sum(stats.dropped.values())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("stream-")]
    return stats


@pytest.mark.parametrize("capacity", [1, 2, 8])
def test_frames_and_packets_arrive_once_and_in_order(capacity):
    sink = FakeSink()
    stats = finish(*run(FakeSource(50), sink=sink, capacity=capacity))
    expected = [item for n in range(50) for item in ([("frame", n), ("packet", n)] if n % 2 else [("frame", n)])]
    assert sink.items == expected
    assert sink.end == ["closed"]
    assert (stats.frames_in, stats.frames_out, stats.dropped) == (50, 50, {})


def test_a_slow_sink_holds_the_source_back_instead_of_dropping():
    read = []
    gate = threading.Semaphore(0)
    stages, telemetry = run(FakeSource(100, before=read.append), sink=FakeSink(before=lambda _: gate.acquire()))
    time.sleep(0.2)
    assert len(read) <= 12
    gate.release(100)
    assert finish(stages, telemetry).frames_out == 100


@pytest.mark.parametrize("number", [0, 1, 17])
def test_a_failing_source_surfaces_and_what_came_before_is_kept(number):
    source, sink = FakeSource(50, before=fail_at(number)), FakeSink()
    stages, telemetry = run(source, sink=sink)
    stats = finish(stages, telemetry)
    assert isinstance(stages.error, Injected)
    assert sink.frames == number == stats.frames_out
    assert sink.end == ["closed"]
    assert source.closed == 1


@pytest.mark.parametrize("number", [0, 1, 17])
@pytest.mark.parametrize("capacity", [1, 4])
def test_a_failing_enhancement_surfaces_and_stops_the_source(number, capacity):
    fail = fail_at(number)

    def enhance(frame):
        fail(frame.seq)
        return frame

    source, sink = FakeSource(10_000), FakeSink()
    stages, telemetry = run(source, enhance, sink, capacity)
    stats = finish(stages, telemetry)
    assert isinstance(stages.error, Injected)
    assert sink.frames == number
    assert sink.end == ["closed"]
    assert stats.frames_in < 10_000
    assert stats.dropped["failed"] >= 1


@pytest.mark.parametrize("number", [0, 1, 17])
@pytest.mark.parametrize("capacity", [1, 4])
def test_a_failing_sink_surfaces_and_leaves_no_output(number, capacity):
    sink = FakeSink(before=fail_at(number))
    stages, telemetry = run(FakeSource(10_000), sink=sink, capacity=capacity)
    stats = finish(stages, telemetry)
    assert isinstance(stages.error, Injected)
    assert sink.end == ["aborted"]
    assert stats.frames_in < 10_000


def test_a_sink_that_cannot_finalise_surfaces_and_leaves_no_output():
    def explode():
        raise Injected("at close")

    sink = FakeSink(at_close=explode)
    stages, telemetry = run(FakeSource(5), sink=sink)
    finish(stages, telemetry)
    assert isinstance(stages.error, Injected)
    assert sink.end == ["aborted"]


def test_the_first_failure_is_the_one_that_is_told():
    def explode():
        raise RuntimeError("a consequence")

    stages, telemetry = run(FakeSource(50, before=fail_at(9)), sink=FakeSink(at_close=explode))
    finish(stages, telemetry)
    assert isinstance(stages.error, Injected)


def test_a_stage_that_waits_for_room_is_released_by_a_failure_behind_it():
    """The sink fails only once both channels are full, so source and enhancement are blocked in ``put``."""
    read = []

    def fail_late(_):
        deadline = time.monotonic() + 5
        while len(read) < 4 and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.05)
        raise Injected("late")

    stages, telemetry = run(FakeSource(100, before=read.append), sink=FakeSink(before=fail_late), capacity=1)
    finish(stages, telemetry)
    assert isinstance(stages.error, Injected)


def test_a_stage_that_waits_for_items_is_released_by_a_failure_before_it():
    def fail_late(_):
        time.sleep(0.1)
        raise Injected("late")

    sink = FakeSink()
    stages, telemetry = run(FakeSource(100, before=fail_late), sink=sink)
    finish(stages, telemetry)
    assert isinstance(stages.error, Injected)
    assert sink.end == ["closed"]


def test_system_exit_in_a_stage_is_a_failure_too():
    def leave(_):
        raise SystemExit(3)

    stages, telemetry = run(FakeSource(5, before=leave), sink=FakeSink())
    finish(stages, telemetry)
    assert isinstance(stages.error, SystemExit)


def test_stop_finishes_what_is_in_flight_and_finalises():
    sink = FakeSink(before=lambda _: time.sleep(0.002))
    stages, telemetry = run(FakeSource(100_000), sink=sink)
    time.sleep(0.1)
    stages.stop()
    stats = finish(stages, telemetry)
    assert stages.error is None
    assert stages.stopped
    assert sink.end == ["closed"]
    assert 0 < stats.frames_in == stats.frames_out == sink.frames < 100_000
    assert stats.dropped == {}


def test_abort_gives_up_the_frames_in_flight_and_the_output():
    sink = FakeSink(before=lambda _: time.sleep(0.002))
    stages, telemetry = run(FakeSource(100_000), sink=sink)
    time.sleep(0.05)
    stages.abort()
    stats = finish(stages, telemetry)
    assert stages.error is None
    assert sink.end == ["aborted"]
    assert set(stats.dropped) <= {"aborted"}


def test_stop_and_abort_may_be_called_again_and_after_the_end():
    sink = FakeSink()
    stages, telemetry = run(FakeSource(3), sink=sink)
    finish(stages, telemetry)
    stages.stop()
    stages.abort()
    finish(stages, telemetry)
    assert sink.end == ["closed"]


def test_frames_without_a_sink_come_to_the_caller():
    source = FakeSource(20)
    stages, telemetry = run(source)
    assert [frame.seq for frame in stages.frames()] == list(range(20))
    assert finish(stages, telemetry).frames_out == 20
    assert source.closed


def test_leaving_the_loop_early_ends_the_threads():
    source = FakeSource(100_000)
    stages, telemetry = run(source)
    frames = stages.frames()
    assert next(frames).seq == 0
    frames.close()
    stats = finish(stages, telemetry)
    assert stats.frames_out == 1
    assert source.closed


@pytest.mark.parametrize("where", ["source", "enhancement"])
def test_a_failure_reaches_the_caller_of_frames(where):
    fail = fail_at(5)

    def enhance(frame):
        if where == "enhancement":
            fail(frame.seq)
        return frame

    stages, telemetry = run(FakeSource(50, before=fail if where == "source" else lambda _: None), enhance)
    seen = []
    with pytest.raises(Injected):
        seen.extend(frame.seq for frame in stages.frames())
    assert seen == list(range(5))
    finish(stages, telemetry)


def test_every_stage_reports_its_latency():
    stages, telemetry = run(FakeSource(10), sink=FakeSink())
    stats = finish(stages, telemetry)
    assert {name: figures.count for name, figures in stats.stages.items()} == dict.fromkeys(
        ("decode", "enhance", "encode", "total"), 10
    )
