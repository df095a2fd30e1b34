"""Outputs through GStreamer: pictures into pipelines of the user, and SRT; read back by others."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from live_clients import playable_pictures
from live_frames import moving, times_of

from benchmarks.live_server import free_port
from stream.errors import GStreamerMissing, PipelineInvalid, SecretMissing
from stream.live.outputs.output import Output, OutputEvent, OutputState
from stream.live.sink import LiveSink
from stream.media.gstreamer import build, gstreamer, tear_down

try:
    gstreamer()
except GStreamerMissing as error:
    pytest.skip(f"{error} scripts/install-gstreamer", allow_module_level=True)

OPEN_SINKS: list[LiveSink] = []


@pytest.fixture(autouse=True)
def sinks_end() -> Iterator[None]:
    yield
    while OPEN_SINKS:
        OPEN_SINKS.pop().abort()


class Feed:
    """Frames into one output, about as fast as live."""

    def __init__(self, uri: str) -> None:
        self.events: list[OutputEvent] = []
        self.sink = LiveSink([uri], events=self.events.append)
        OPEN_SINKS.append(self.sink)
        self.output: Output = self.sink.outputs[0]
        self.number = 0

    def until(self, condition: Callable[[], object], what: str, *, width: int = 320, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}; {self.events}"
            for frame in moving(1, first=self.number, width=width):
                self.sink.write(frame)
            self.number += 1
            time.sleep(0.02)

    def accounted(self) -> bool:
        output = self.output
        return output.in_flight == 0 and output.offered == output.written + output.dropped.total()


def test_a_pipeline_that_records(tmp_path: Path) -> None:
    target = tmp_path / "a.mkv"
    feed = Feed(f"gst:videoconvert ! x264enc tune=zerolatency ! h264parse ! matroskamux ! filesink location={target}")
    feed.until(lambda: feed.output.written >= 30, "written")
    feed.sink.close(20)
    assert feed.output.state is OutputState.CLOSED
    assert feed.accounted()
    times = times_of(target)
    assert len(times) == feed.output.written == playable_pictures(target)
    steps = {round(25 * (later - earlier)) for earlier, later in itertools.pairwise(times)}
    assert times[0] == pytest.approx(0, abs=0.001)
    assert 1 in steps, "the times are those of the frames"


def test_the_pixels_arrive_also_of_odd_sizes(tmp_path: Path) -> None:
    target = tmp_path / "raw"
    sink = LiveSink([f"gst:filesink location={target}"])
    OPEN_SINKS.append(sink)
    (frame,) = moving(1, width=319, height=181)
    sink.write(frame)
    sink.close(20)
    data, planes = target.read_bytes(), frame.planes
    pitch, rows = 320, 182
    assert len(data) == pitch * rows * 3 // 2
    assert data[pitch * 180 : pitch * 180 + 319] == planes.y[180].tobytes()
    assert data[pitch * rows : pitch * rows + 2] == bytes([planes.u[0, 0], planes.v[0, 0]])


def test_a_new_size_starts_the_pipeline_again(tmp_path: Path) -> None:
    feed = Feed(f"gst:jpegenc ! multifilesink location={tmp_path}/%05d.jpg")
    feed.until(lambda: feed.output.written >= 3, "written")
    before = feed.output.written
    feed.until(lambda: feed.output.written >= before + 3, "written", width=160)
    feed.sink.close(20)
    assert feed.accounted()
    assert feed.output.reconnects == 0
    assert {av.open(str(path)).streams.video[0].width for path in tmp_path.iterdir()} >= {160}


def test_a_pipeline_that_fails_is_started_again_and_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORDER_PASSWORD", "hunter2secret")
    with pytest.raises(SecretMissing):
        LiveSink(["rtsp://a:{NO_SUCH_VARIABLE_HERE}@127.0.0.1/x"])
    feed = Feed("gst:filesink location=/nowhere/{RECORDER_PASSWORD}")
    feed.until(lambda: [e.state for e in feed.events].count(OutputState.WAITING) >= 2, "two attempts")
    feed.sink.close(20)
    assert feed.accounted()
    assert feed.output.written == 0
    assert "hunter2secret" not in f"{feed.events} {feed.output.last_error} {feed.sink.notes}"


def test_a_secret_of_a_pipeline_counts_from_the_next_attempt_on(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("/nowhere/hunter2secret")
    feed = Feed(f"gst:filesink location={{file:{secret}}}")
    feed.until(lambda: feed.output.state is OutputState.WAITING, "refused")
    secret.write_text(f"{tmp_path}/found")
    feed.until((tmp_path / "found").exists, "another attempt with what is there now")
    feed.sink.close(20)


def test_every_pipeline_is_freed_whether_it_ended_or_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def kept(text: str) -> object:
        made.append(build(text))
        return made[-1]

    monkeypatch.setattr("stream.live.outputs.gst.build", kept)
    for uri, state in (
        (f"gst:filesink location={tmp_path}/a", OutputState.WRITING),
        ("gst:filesink location=/nowhere/a", OutputState.WAITING),
    ):
        feed = Feed(uri)
        feed.until(lambda feed=feed, state=state: feed.output.state is state, state.value)
        feed.sink.close(20)
    assert len(made) >= 4, "one to try, one to play, for each"
    assert {pipeline.get_state(0).state for pipeline in made} == {gstreamer().Gst.State.NULL}


def test_nonsense_is_refused_at_once() -> None:
    with pytest.raises(PipelineInvalid):
        LiveSink(["gst:no_such_element_at_all"])
    with pytest.raises(PipelineInvalid):
        LiveSink(["gst:"])


@pytest.mark.skipif(gstreamer().Gst.ElementFactory.find("srtsink") is None, reason="GStreamer was built without SRT")
def test_srt_to_a_listener_that_comes_and_goes() -> None:
    gst, port = gstreamer().Gst, free_port()
    feed = Feed(f"srt://127.0.0.1:{port}?passphrase=hunter2secret")
    feed.until(lambda: feed.output.state is OutputState.WAITING, "nobody listens")
    got = threading.Event()

    def listen() -> object:
        got.clear()
        pipeline = build(
            f"srtsrc uri=srt://127.0.0.1:{port}?mode=listener&passphrase=hunter2secret ! tsdemux ! h264parse"
            " ! avdec_h264 ! fakesink name=last signal-handoffs=true"
        )
        pipeline.iterate_all_by_element_factory_name("fakesink").next()[1].connect("handoff", lambda *_: got.set())
        pipeline.set_state(gst.State.PLAYING)
        return pipeline

    pipeline = listen()
    try:
        feed.until(got.is_set, "pictures at the listener")
        tear_down(pipeline)
        losses = len([event for event in feed.events if event.state is OutputState.WAITING])
        feed.until(
            lambda: len([event for event in feed.events if event.state is OutputState.WAITING]) > losses, "noticed"
        )
        pipeline = listen()
        feed.until(got.is_set, "pictures after the loss")
    finally:
        tear_down(pipeline)
    feed.sink.close(20)
    assert feed.output.in_flight == 0
    assert feed.output.reconnects >= 1
    assert "hunter2secret" not in f"{feed.events} {feed.output.uri} {feed.sink.notes}"
