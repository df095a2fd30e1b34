"""A live run: every frame is accounted for, whatever fails, and the outputs are always finalised."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import Future

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from live_fakes import FakeNetwork, FakeSink, FakeSource, Injected, Rig, frame, packet
from pydantic import ValidationError

from engines.errors import EngineError, ModelError
from stream.errors import ConnectionLost, EncoderUnavailable, SettingFixed, StageStuck
from stream.live.configuration import StreamConfig
from stream.live.course import Limits
from stream.live.run import LiveRun
from stream.live.stages import BURST
from stream.live.state import SourceState
from stream.live.summary import RunState, result_line, status_line, to_json
from stream.live.warming import warm_up
from stream.media import Frame
from stream.settings import Settings

pytestmark = pytest.mark.timeout(90)
QUICK = Limits(stuck_s=0.3, first_stuck_s=0.3, drain_s=0.3, close_s=0.5)


def numbers(sink):
    return [item.seq if isinstance(item, Frame) else f"p{item.data.pts}" for item in sink.items]


def feed_slowly(rig, count, first=0, **options):
    """One frame after the other, each only once the one before has come out."""
    for number in range(first, first + count):
        before = rig.run.stats().frames_out
        rig.source.feed(frame(number, **options))
        rig.until(lambda before=before: rig.run.stats().frames_out > before)


def test_frames_and_packets_come_out_in_order_and_nothing_is_dropped():
    with Rig() as rig:
        for number in range(20):
            rig.source.feed(frame(number), packet(number))
            rig.until(lambda number=number: len(rig.sink.items) == 2 * (number + 1))
    assert numbers(rig.sink) == [name for n in range(20) for name in (n, f"p{n}")]
    assert rig.sink.end == ["closed"]
    assert rig.run.state is RunState.STOPPED
    stats = rig.run.stats()
    assert (stats.frames_in, stats.frames_out, stats.dropped) == (20, 20, {})
    assert stats.stages["total"].count == 20
    assert rig.source.closed == 1


def test_a_slow_enhancement_drops_the_oldest_before_anything_is_spent_on_them():
    gate = threading.Semaphore(0)
    network = FakeNetwork(lambda given: gate.acquire() and given)
    with Rig(network=network) as rig:
        rig.source.feed(frame(0))
        rig.until(lambda: network.made and network.made[0].seen)
        rig.source.feed(*(frame(number) for number in range(1, 40)))
        rig.until(lambda: rig.run.stats().frames_in == 40)
        assert rig.run.stats().dropped == {"queue_full": 39 - BURST}
        gate.release(100)
        rig.until(lambda: rig.run.stats().in_flight == 0)
    assert numbers(rig.sink) == [0, *range(40 - BURST, 40)]
    assert network.made[0].seen == numbers(rig.sink)


def test_frames_that_waited_too_long_are_stale():
    gate = threading.Event()
    with Rig(enhance=lambda given: gate.wait(30) and given, staleness=0.2) as rig:
        rig.source.feed(frame(0))
        rig.until(lambda: rig.network.made and rig.network.made[0].seen)
        rig.source.feed(frame(1, age=10), frame(2, age=-3600))
        rig.until(lambda: rig.run.stats().frames_in == 3)
        gate.set()
        rig.until(lambda: rig.run.stats().in_flight == 0)
    assert numbers(rig.sink) == [0, 2]
    assert rig.run.stats().dropped == {"stale": 1}


def test_a_slow_encoder_holds_the_enhancement_back():
    gate = threading.Semaphore(0)
    with Rig(sink=FakeSink(before=lambda _: gate.acquire())) as rig:
        rig.source.feed(*(frame(number) for number in range(30)))
        rig.until(lambda: rig.run.stats().frames_in == 30)
        assert sum(len(made.seen) for made in rig.network.made) <= 3
        gate.release(100)
        rig.until(lambda: rig.run.stats().in_flight == 0)
    assert numbers(rig.sink)[-1] == 29


def test_frames_before_the_network_is_loaded_make_room_for_newer_ones():
    loading: Future = Future()
    with Rig(network=loading) as rig:
        rig.source.feed(*(frame(number, age=-3600) for number in range(20)))
        rig.until(lambda: rig.run.stats().frames_in == 20)
        assert rig.run.state is RunState.STARTING
        loading.set_result(FakeNetwork())
        rig.until(lambda: rig.run.stats().in_flight == 0)
        assert rig.run.state is RunState.RUNNING
    assert rig.run.stats().dropped == {"starting": 20 - BURST}
    assert numbers(rig.sink) == list(range(20 - BURST, 20))


def test_a_network_that_cannot_be_loaded_ends_the_run_with_its_error():
    loading: Future = Future()
    with Rig(network=loading) as rig:
        rig.source.feed(frame(0))
        rig.until(lambda: rig.run.stats().frames_in == 1)
        loading.set_exception(ModelError("the bundle is broken"))
        assert rig.run.join(30)
    assert isinstance(rig.run.error, ModelError)
    assert rig.run.state is RunState.FAILED
    assert rig.run.stats().dropped == {"failed": 1}
    assert rig.sink.end == ["closed"]


def test_stopping_does_not_wait_for_a_network_that_is_still_loading():
    with Rig(network=Future(), limits=QUICK) as rig:
        rig.source.feed(frame(0))
        rig.until(lambda: rig.run.stats().frames_in == 1)
    assert rig.run.stats().dropped == {"stopped": 1}
    assert rig.run.state is RunState.STOPPED


def test_a_frame_that_the_network_cannot_do_comes_out_as_it_was():
    def enhance(given):
        raise EngineError("no result")

    with Rig(enhance=enhance) as rig:
        feed_slowly(rig, 12)
    stats = rig.run.stats()
    assert (stats.frames_out, stats.passed_through, stats.restarts) == (12, 12, 0)
    assert rig.run.error is None
    assert rig.told("enhance")[0]["error"] == "no result"


def test_a_fault_in_the_enhancement_starts_it_anew():
    def enhance(given):
        if given.seq == 3:
            raise Injected("a bug")
        return given

    with Rig(enhance=enhance) as rig:
        feed_slowly(rig, 8)
    assert numbers(rig.sink) == list(range(8))
    assert rig.run.stats().restarts == 1
    assert [made.seen for made in rig.network.made] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert rig.told("restart")[0]["stage"] == "enhance"


def test_faults_again_and_again_end_the_run_with_the_error_and_finalise_the_outputs():
    def enhance(given):
        raise Injected("a bug")

    with Rig(enhance=enhance) as rig:
        for number in range(50):
            rig.source.feed(frame(number))
        assert rig.run.join(30)
    assert isinstance(rig.run.error, Injected)
    assert rig.run.state is RunState.FAILED
    assert rig.sink.end == ["closed"]
    assert rig.run.stats().restarts == 6


@pytest.mark.parametrize("error", [EncoderUnavailable("refused"), Injected("a bug")])
def test_a_frame_that_cannot_be_written_is_counted_and_the_next_one_is_written(error):
    def before(given):
        if given.seq == 2:
            raise error

    with Rig(sink=FakeSink(before=before)) as rig:
        feed_slowly(rig, 2)
        rig.source.feed(frame(2))
        rig.until(lambda: rig.run.stats().dropped)
        feed_slowly(rig, 2, first=3)
    assert numbers(rig.sink) == [0, 1, 3, 4]
    assert rig.run.stats().dropped == {"failed": 1}


def test_outputs_that_never_work_end_the_run():
    def before(given):
        raise EncoderUnavailable("refused")

    with Rig(sink=FakeSink(before=before)) as rig:
        for number in range(20):
            rig.source.feed(frame(number))
            rig.until(lambda number=number: rig.run.stats().in_flight == 0 or rig.run.join(0))
            if rig.run.join(0):
                break
        assert rig.run.join(30)
    assert isinstance(rig.run.error, EncoderUnavailable)
    assert rig.sink.end == ["closed"]


def test_an_enhancement_that_is_stuck_is_left_to_itself_and_replaced():
    hang = threading.Event()

    def enhance(given):
        if given.seq == 1:
            hang.wait(60)
        return given

    with Rig(enhance=enhance, limits=Limits(stuck_s=1.0, first_stuck_s=60)) as rig:
        feed_slowly(rig, 1)
        rig.source.feed(frame(1))
        rig.until(lambda: rig.run.stats().dropped)
        assert rig.run.stats().stuck_threads == 1
        feed_slowly(rig, 3, first=2)
        hang.set()
        rig.until(lambda: rig.run.stats().stuck_threads == 0)
        feed_slowly(rig, 1, first=5)
    assert numbers(rig.sink) == [0, 2, 3, 4, 5]
    assert rig.run.stats().dropped == {"stuck": 1}
    assert rig.told("stuck")[0]["stage"] == "enhance"


def test_an_enhancement_that_is_stuck_again_and_again_ends_the_run():
    hang = threading.Event()
    with Rig(enhance=lambda given: hang.wait(60) and given, limits=QUICK) as rig:
        for number in range(200):
            rig.source.feed(frame(number, age=-3600))
        rig.until(lambda: rig.run.join(0))
        hang.set()
    assert isinstance(rig.run.error, StageStuck)
    assert rig.run.stats().dropped["stuck"] == 2
    assert rig.run.stats().dropped["failed"] > 0
    assert rig.sink.end == ["closed"]


def test_a_writer_that_is_stuck_ends_the_run():
    hang = threading.Event()
    with Rig(sink=FakeSink(before=lambda _: hang.wait(60)), limits=QUICK) as rig:
        rig.source.feed(*(frame(number) for number in range(4)))
        rig.until(lambda: rig.run.join(0))
        hang.set()
    assert isinstance(rig.run.error, StageStuck)


def test_a_fault_in_the_source_opens_another_one_and_times_go_on():
    with Rig() as rig:
        feed_slowly(rig, 3)
        rig.source.feed(Injected("a bug"))
        rig.until(lambda: len(rig.sources) >= 2)
        for number in range(3):
            rig.source.feed(frame(number, pts=number * 3600))
            rig.until(lambda number=number: len(rig.sink.written) == 4 + number)
    times = [item.pts for item in rig.sink.written]
    assert times == sorted(set(times))
    assert rig.sources[0].closed
    assert rig.run.error is None


def test_a_source_that_hangs_without_saying_so_is_replaced():
    hang = threading.Event()
    with Rig(limits=Limits(silent_s=1.0)) as rig:
        feed_slowly(rig, 2)
        rig.source.feed(lambda: hang.wait(60))
        rig.until(lambda: len(rig.sources) >= 2)
        rig.source.feed(frame(2))
        rig.until(lambda: len(rig.sink.written) == 3)
        hang.set()
    assert rig.told("stuck")[0]["stage"] == "receive"
    assert numbers(rig.sink) == [0, 1, 2]


def test_a_source_that_says_that_it_is_away_is_left_in_peace():
    with Rig(limits=Limits(silent_s=0.3)) as rig:
        feed_slowly(rig, 1)
        rig.source.state = SourceState.RECONNECTING
        watched = time.monotonic()
        rig.until(lambda: time.monotonic() - watched > 1)
    assert len(rig.sources) == 1


def test_a_source_that_is_given_up_ends_the_run_with_its_error_and_what_came_is_kept():
    with Rig() as rig:
        feed_slowly(rig, 3)
        rig.source.feed(ConnectionLost("rtsp://user:secret@camera/1 gave no picture"))
        assert rig.run.join(30)
    assert isinstance(rig.run.error, ConnectionLost)
    assert rig.sink.end == ["closed"]
    assert rig.run.summary().exit_reason == "failed"
    assert "secret" not in to_json(rig.run.summary())


def test_a_source_that_ends_by_itself_completes_the_run():
    with Rig() as rig:
        feed_slowly(rig, 3)
        rig.source.feed(None)
        assert rig.run.join(30)
        assert rig.run.state is RunState.STOPPED
        assert rig.run.summary().exit_reason == "complete"
    assert numbers(rig.sink) == [0, 1, 2]


def test_stopping_finishes_what_is_in_flight():
    gate = threading.Semaphore(0)
    with Rig(enhance=lambda given: gate.acquire() and given, limits=Limits(drain_s=60)) as rig:
        rig.source.feed(*(frame(number, age=-3600) for number in range(5)))
        rig.until(lambda: rig.run.stats().frames_in == 5)
        rig.run.stop()
        gate.release(5)
    assert numbers(rig.sink) == [0, 1, 2, 3, 4]
    assert rig.run.stats().dropped == {}


def test_stopping_gives_up_what_takes_too_long():
    hang = threading.Event()
    with Rig(enhance=lambda given: hang.wait(60) and given, limits=Limits(drain_s=0.2)) as rig:
        rig.source.feed(*(frame(number, age=-3600) for number in range(5)))
        rig.until(lambda: rig.run.stats().frames_in == 5)
        rig.run.stop()
        assert rig.run.join(30)
        hang.set()
    assert rig.run.stats().dropped == {"stopped": 5}
    assert rig.run.error is None
    assert rig.sink.end == ["closed"]


def test_aborting_gives_up_what_is_in_flight():
    hang = threading.Event()
    with Rig(enhance=lambda given: hang.wait(60) and given) as rig:
        rig.source.feed(*(frame(number, age=-3600) for number in range(3)))
        rig.until(lambda: rig.run.stats().frames_in == 3)
        rig.run.abort()
        assert rig.run.join(30)
        hang.set()
    assert rig.run.stats().dropped == {"stopped": 3}
    assert rig.sink.end == ["aborted"]


@pytest.mark.parametrize("when", range(6))
def test_stopping_at_any_moment_leaves_no_thread_and_no_frame(when):
    with Rig() as rig:
        rig.source.feed(*(frame(number) for number in range(when * 20)))
        rig.until(lambda: rig.run.stats().frames_in >= when * 10)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("live-")]


def test_settings_change_while_it_runs():
    with Rig(strength=1.0) as rig:
        feed_slowly(rig, 2)
        rig.run.apply({"strength": 0.25})
        feed_slowly(rig, 1, first=2)
        rig.run.apply({"network_every": 5, "denoise": "off"})
        feed_slowly(rig, 1, first=3)
        with pytest.raises(ValidationError):
            rig.run.apply({"strength": 7})
        with pytest.raises(SettingFixed, match="codec"):
            rig.run.apply({"strength": 0.5, "codec": "libx265"})
        feed_slowly(rig, 1, first=4)
    first, second = rig.network.made
    assert first.strengths == [1.0, 1.0, 0.25]
    assert second.strengths == [0.25, 0.25]
    assert (second.settings.network_every, second.settings.denoise) == (5, "off")


def test_a_run_without_a_network_refuses_a_strength_that_would_do_nothing():
    run = LiveRun(
        StreamConfig("a", "testsrc:", ("null:",), Settings(strength=0.0)),
        None,
        open_source=lambda *_: FakeSource(),
        open_sink=lambda *_: FakeSink(),
    )
    with pytest.raises(SettingFixed, match=r"strength 0.*Start it anew"):
        run.apply({"strength": 1.0})
    run.apply({"denoise": "off"})


def test_a_new_connection_or_another_picture_gets_an_enhancer_of_its_own():
    with Rig() as rig:
        feed_slowly(rig, 2)
        feed_slowly(rig, 2, first=2, generation=2)
        feed_slowly(rig, 2, first=4, generation=2, size=(64, 32))
        feed_slowly(rig, 2, first=6, generation=2, size=(64, 32), format="nv12")
    assert [made.seen for made in rig.network.made] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert rig.run.stats().network_runs == 8


def test_daylight_passes_through_untouched_and_the_network_does_not_run():
    with Rig(when="dark") as rig:
        given = [frame(number, luma=150) for number in range(5)]
        for number, one in enumerate(given):
            rig.source.feed(one)
            rig.until(lambda number=number: len(rig.sink.written) == number + 1)
        assert rig.run.stats().night is False
    assert all(out.picture is one.picture for out, one in zip(rig.sink.written, given, strict=True))
    assert rig.network.made == []
    assert rig.told("gate") == [{"state": "day"}]


def test_a_dark_scene_is_enhanced_with_the_gate():
    with Rig(when="dark") as rig:
        feed_slowly(rig, 2, luma=25)
        assert rig.run.stats().night is True
    assert rig.network.made[0].strengths == [1.0, 1.0]


def test_the_summary_holds_everything_and_no_password():
    with Rig(source_options={"password": "secret"}) as rig:
        feed_slowly(rig, 2)
        assert "running" in status_line(rig.run.stats())
    summary = rig.run.summary()
    written = json.loads(to_json(summary))
    assert written["figures"]["state"] == "stopped"
    assert (written["figures"]["frames_in"], written["figures"]["notices"]) == (2, 0)
    assert written["exit_reason"] == "interrupted"
    assert written["bundle"]["name"] == "fake"
    assert "user:secret" not in to_json(summary)
    assert "2 frames in, 2 out" in result_line(summary)
    assert [fields["state"] for fields in rig.told("run")] == ["started", "stopped"]


def test_a_run_starts_once_and_has_no_figures_before():
    with Rig() as rig:
        with pytest.raises(RuntimeError, match="once"):
            rig.run.start()
        rig.run.request_key_frame()
    assert rig.sink.key_frames == 1


def test_what_loads_lazily_is_loaded_before_the_first_frame():
    def fail(given):
        raise EngineError("not today")

    for network in (FakeNetwork(), FakeNetwork(fail)):
        warm_up(network, Settings())
        assert len(network.made) == 1
        assert network.made[0].seen


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(
            ["frame", "old frame", "packet", "next", "bug here", "bug there", "bug in source", "size", "wait"]
        ),
        max_size=40,
    ),
    st.sampled_from(["stop", "abort", "end", "lost"]),
)
def test_whatever_happens_in_whatever_order_every_frame_is_accounted_for(steps, ending):
    """The books are held against each other while it runs (``until``) and at the end (``Rig``)."""
    failing: dict[str, set[int]] = {"here": set(), "there": set()}

    def enhance(given):
        if given.seq in failing["here"]:
            raise Injected("while enhancing")
        return given

    def before(given):
        if given.seq in failing["there"]:
            raise Injected("while writing")

    with Rig(enhance=enhance, sink=FakeSink(before=before), limits=Limits(drain_s=5)) as rig:
        generation, size = 1, (32, 16)
        for number, step in enumerate(steps):
            if step == "next":
                generation += 1
            elif step == "size":
                size = (size[0] + 16, size[1])
            elif step == "packet":
                rig.source.feed(packet(number))
            elif step == "wait":
                rig.until(lambda: rig.run.stats().in_flight == 0 or rig.run.join(0))
            elif step == "bug in source":
                rig.source.feed(Injected("while reading"))
            else:
                for where in failing:
                    if step == f"bug {where}":
                        failing[where].add(number)
                age = 100.0 if step == "old frame" else 0.0
                rig.source.feed(frame(number, generation=generation, size=size, age=age))
        if ending == "abort":
            rig.run.abort()
        elif ending != "stop":
            rig.source.feed(None if ending == "end" else ConnectionLost("gone"))
            rig.until(lambda: rig.run.join(0))
    times = [written.pts for written in rig.sink.written]
    assert times == sorted(set(times))
    assert rig.sink.end in (["closed"], ["aborted"] if ending == "abort" else ["closed"])
    assert not isinstance(rig.run.error, AssertionError)


def test_python_programs_run_a_stream_with_one_call():
    options = {"size": "320x192", "fps": "25"}
    with LiveRun.of("testsrc:", "null:", strength=0, source_options=options) as run:
        deadline = time.monotonic() + 60
        while run.stats().frames_out < 10:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    stats = run.stats()
    assert (stats.width, stats.height) == (320, 192)
    assert stats.frames_in == stats.frames_out + sum(stats.dropped.values())
    assert stats.outputs[0].written == stats.frames_out


def test_outputs_that_nobody_can_finalise_are_given_up():
    release = threading.Event()
    sink = FakeSink(at_close=lambda: release.wait(60))
    with Rig(sink=sink) as rig:
        rig.source.feed(frame(0))
        rig.until(lambda: len(sink.written) == 1)
        rig.run.stop()
        try:
            assert rig.run.join(60)
            assert sink.outputs[0].given_up == 1
        finally:
            release.set()
