"""What an output does with a writer that fails: attempts, counts and events, whatever goes wrong and wherever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
import pytest
from live_clients import until

from stream.errors import UnsupportedContainer
from stream.live.backoff import Backoff
from stream.live.outputs.delivery import PacketOutput
from stream.live.outputs.output import OutputEvent, OutputState
from stream.live.outputs.packets import AudioPacket, AudioTrack, EncodedPicture, VideoFormat

FORMAT = cast(VideoFormat, object())
TRACK = AudioTrack(cast(Any, None), "aac", (0,), 0)


class FakeWriter:
    """Does as the test says."""

    def __init__(self, script: Script) -> None:
        self.notes: list[str] = []
        self.unconfirmed = 0
        self.script = script
        self.abandoned, self.released = threading.Event(), threading.Event()
        script.writers.append(self)

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        self.script.opened.append(len(audio))
        if self.script.hang_opening:
            self.script.hanging.set()
            self.abandoned.wait(60 if self.script.connects else 1)
        if self.script.refuse_opening is not None:
            raise self.script.refuse_opening
        if audio and self.script.refuse_sound is not None:
            raise self.script.refuse_sound

    def is_complete(self, picture: EncodedPicture) -> bool:
        return self.script.one_each

    def write(self, picture: EncodedPicture) -> None:
        if self.script.hang:
            self.script.hanging.set()
            (self.released if self.script.deaf else self.abandoned).wait(60)
        if self.script.fail_writing is not None:
            raise self.script.fail_writing
        self.unconfirmed += self.script.unconfirmed

    def write_audio(self, packet: AudioPacket) -> None:
        self.script.sounds += 1

    def close(self) -> None:
        self.script.closed += 1

    def abandon(self) -> None:
        self.abandoned.set()


class Script:
    def __init__(self) -> None:
        self.refuse_opening: Exception | None = None
        self.refuse_sound: Exception | None = None
        self.fail_writing: Exception | None = None
        self.hang = self.deaf = self.hang_opening = self.connects = self.one_each = False
        self.hanging = threading.Event()
        self.unconfirmed = self.sounds = self.closed = 0
        self.opened: list[int] = []
        self.writers: list[FakeWriter] = []
        self.events: list[OutputEvent] = []
        self.asked = 0


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture(params=[False, True], ids=["file", "network"])
def output(script: Script, request: pytest.FixtureRequest) -> Iterator[PacketOutput]:
    script.connects = request.param
    made = PacketOutput(
        "rtsp://me:hunter2secret@host/x",
        lambda: FakeWriter(script),
        connects=request.param,
        backoff=Backoff(0.01, 0.01),
    )

    def ask() -> None:
        script.asked += 1

    made.start(ask, script.events.append)
    yield made
    made.finish()
    made.join(20)


def feed(output: PacketOutput, count: int = 1, *, key: bool = True) -> None:
    for number in range(output.offered, output.offered + count):
        output.write_picture(EncodedPicture(b"x", number * 3600, number * 3600, 3600, key, FORMAT))


def feed_until(output: PacketOutput, state: OutputState) -> None:
    def there() -> bool:
        feed(output)
        return output.state is state

    until(there, state.value)


def accounted(output: PacketOutput) -> bool:
    return output.offered == output.written + output.dropped.total() + output.in_flight


def test_a_failing_writer_is_replaced_until_one_works(script: Script, output: PacketOutput) -> None:
    script.refuse_opening = OSError(5, "no such luck with hunter2secret rtsp://me:hunter2secret@host/x")
    feed_until(output, OutputState.WAITING)
    until(lambda: feed(output) or len(script.opened) >= 3, "three attempts")
    script.refuse_opening = None
    feed_until(output, OutputState.WRITING)
    until(lambda: feed(output) or output.written > 5, "written")
    assert output.reconnects == 1
    assert accounted(output)
    assert script.asked >= 1, "a key frame was asked for"
    output.finish()
    assert output.join(20)
    assert output.in_flight == 0
    assert output.state is OutputState.CLOSED
    assert "me:hunter2secret" not in f"{script.events} {output.last_error} {output.uri}"
    until(lambda: script.closed == len(script.writers), "every writer was closed")


def test_good_health_makes_pauses_short_again(script: Script, output: PacketOutput) -> None:
    output._backoff = Backoff(0.01, 60.0, jitter=0.0, healthy_s=0.0)
    script.refuse_opening = OSError(5, "no such luck")
    until(lambda: feed(output) or len(script.opened) >= 4, "pauses that grow")
    script.refuse_opening = None
    feed_until(output, OutputState.WRITING)
    written = output.written
    until(lambda: feed(output) or output.written > written + 3, "in good health")
    told = len(script.events)
    script.fail_writing = OSError(32, "Broken pipe")
    until(lambda: feed(output) or len(script.events) > told, "lost again")
    pauses = [event.retry_in_s for event in script.events if event.retry_in_s is not None]
    script.fail_writing = None
    assert pauses[:3] == [0.01, 0.02, 0.04]
    assert script.events[told].retry_in_s == 0.01


def test_what_nobody_confirmed_is_lost(script: Script, output: PacketOutput) -> None:
    script.unconfirmed = 1
    feed_until(output, OutputState.WRITING)
    until(lambda: feed(output) or (len(script.writers[-1:]) and script.writers[-1].unconfirmed >= 4), "sent")
    assert output.written == 0
    script.fail_writing = OSError(32, "Broken pipe")
    until(lambda: feed(output) or output.dropped["lost"] >= 5, "counted")
    until(lambda: accounted(output), "the books agree")
    assert accounted(output)
    assert output.written == 0


def test_what_was_written_is_finalised_where_nothing_comes_any_more(script: Script) -> None:
    output = PacketOutput("a/", lambda: FakeWriter(script), rest_s=0.05)
    output.start(lambda: setattr(script, "asked", script.asked + 1), script.events.append)
    try:
        feed(output, 3)
        until(lambda: script.closed == len(script.writers) >= 1 and output.in_flight == 0, "finalised")
        assert (output.written, output.state, output.reconnects) == (3, OutputState.WRITING, 0)
        assert script.asked >= 1
        before = len(script.writers)
        feed(output, 2, key=False)
        feed(output)
        until(lambda: output.written == 4, "the next key frame")
        assert len(script.writers) > before
        assert output.dropped == {"before_key_frame": 2}
        assert accounted(output)
    finally:
        output.finish()
        assert output.join(20)


def test_no_file_begins_in_the_middle_whatever_came_while_the_last_one_ended(script: Script) -> None:
    output = PacketOutput("a/", lambda: FakeWriter(script), rest_s=5.0)
    output._request_key_frame = lambda: setattr(script, "asked", 1)
    output._write(EncodedPicture(b"x", 0, 0, 3600, False, FORMAT))
    assert (script.writers, script.asked, output.dropped) == ([], 1, {"before_key_frame": 1})


def test_pictures_that_come_slowly_belong_together_once_that_is_known(script: Script) -> None:
    output = PacketOutput("a/", lambda: FakeWriter(script), rest_s=5.0)
    output.start(lambda: None, script.events.append)
    try:
        for number in range(40):
            output.write_picture(EncodedPicture(b"x", number * 10 * 90_000, 0, 3600, True, FORMAT))
            until(lambda: output.in_flight == 0, "written")
            if number == 20:
                before = len(script.writers)
        assert len(script.writers) == before < 10
    finally:
        output.finish()
        assert output.join(20)


def test_what_can_never_work_is_given_up(script: Script, output: PacketOutput) -> None:
    script.refuse_opening = UnsupportedContainer("cannot hold this")
    feed_until(output, OutputState.FAILED)
    until(lambda: not output._thread.is_alive(), "the thread has ended")
    feed(output, 3)
    assert output.in_flight == 0
    assert accounted(output)
    assert len(script.opened) == 1


def test_sound_never_costs_the_video(script: Script, output: PacketOutput) -> None:
    script.refuse_sound = av.error.ArgumentError(22, "Invalid argument")
    output.write_audio(AudioPacket(b"x", 0, 0, Fraction(1, 48_000), TRACK))
    feed_until(output, OutputState.WRITING)
    until(lambda: feed(output) or output.written > 3, "written")
    assert script.opened == [1, 0]
    assert output.notes == ["the sound is left out: FFmpeg refuses it here"]
    assert all(event.state is not OutputState.WAITING for event in script.events)


def test_a_hanging_writer_is_abandoned_at_the_end(script: Script, output: PacketOutput) -> None:
    feed_until(output, OutputState.WRITING)
    script.hang = True
    feed(output, 3)
    output.finish()
    output.join(0.2)
    assert script.writers[-1].abandoned.is_set()
    until(lambda: output.state is OutputState.CLOSED, "closed")
    assert accounted(output)


def test_one_that_hangs_for_good_is_settled_as_lost_and_told(script: Script, output: PacketOutput) -> None:
    feed_until(output, OutputState.WRITING)
    until(lambda: output.in_flight == 0, "written")
    written = output.written
    script.hang = script.deaf = True
    feed(output, 3)
    until(lambda: script.hanging.is_set(), "one is being written")
    output.finish()
    try:
        assert not output.join(0.1)
        output.give_up()
        assert (output.state, output.in_flight, output.written) == (OutputState.FAILED, 0, written)
        assert output.dropped["lost"] >= 1
        assert accounted(output)
        assert script.events[-1].state is OutputState.FAILED
        assert "before it was finalised" in script.events[-1].error
        before = output.offered, output.written, output.dropped, output.last_error, len(script.events)
    finally:
        script.writers[-1].released.set()
    until(lambda: not output._thread.is_alive(), "it came back after all")
    assert before == (output.offered, output.written, output.dropped, output.last_error, len(script.events))
    assert output.state is OutputState.FAILED


def test_the_end_does_not_hide_the_last_true_error(script: Script, output: PacketOutput) -> None:
    script.refuse_opening = OSError(111, "Connection refused")
    feed_until(output, OutputState.WAITING)
    said = output.last_error
    assert "refused" in said
    script.refuse_opening = None
    script.hang_opening = True
    until(lambda: feed(output) or script.hanging.is_set(), "another attempt")
    script.refuse_opening = OSError(32, "killed")  # what the abandoned attempt ends in
    output.finish()
    assert output.join(20)
    if output.connects:
        assert output.last_error == said
    assert output.state is OutputState.CLOSED
    assert script.events[-1].retry_in_s is None
    assert accounted(output)
    assert output.in_flight == 0


def test_what_fails_at_the_end_is_not_tried_again(script: Script, output: PacketOutput) -> None:
    feed_until(output, OutputState.WRITING)
    until(lambda: output.in_flight == 0, "written")
    script.hang, script.fail_writing = True, OSError(32, "Broken pipe")
    feed(output, 3)
    output.finish()
    output.join(0.1)
    until(lambda: not output._thread.is_alive(), "the end")
    assert script.events[-1].state is OutputState.CLOSED
    assert [event.retry_in_s for event in script.events if event.state is OutputState.WAITING] == []
    assert "before it had taken all pictures" in output.last_error
    assert accounted(output)


def test_a_writer_that_is_complete_makes_way_at_a_key_frame(script: Script, output: PacketOutput) -> None:
    feed_until(output, OutputState.WRITING)
    until(lambda: output.in_flight == 0, "written")
    before = len(script.opened)
    script.one_each = True
    feed(output, 3, key=False)
    until(lambda: output.in_flight == 0, "written")
    assert len(script.opened) == before
    until(lambda: feed(output) or len(script.opened) > before, "another one")
    assert accounted(output)
    script.one_each = False
