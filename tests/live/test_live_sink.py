"""One encode, several outputs: what arrives in each, what is counted, and that nobody waits for anybody."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from live_clients import until
from live_frames import moving, times_of

from stream.errors import OutputNotWritable, UnsupportedContainer, WrongOutputs
from stream.live.outputs.delivery import PacketOutput
from stream.live.outputs.output import OutputEvent, OutputState
from stream.live.outputs.patient import open_patiently
from stream.live.sink import LiveSink, LiveSinkSettings
from stream.live.summary import output_figures
from stream.quantities import keep


def test_several_outputs_from_one_encode(tmp_path: Path) -> None:
    events: list[OutputEvent] = []
    targets = [tmp_path / name for name in ("a.mp4", "b.mkv", "c.ts")]
    sink = LiveSink([*map(str, targets), "null:"], LiveSinkSettings(), events.append)
    for frame in moving(60):
        sink.write(frame)
    sink.close(20)
    for output in sink.outputs:
        assert (output.offered, output.written, output.in_flight) == (60, 60, 0)
        assert output.state is OutputState.CLOSED
        assert output.dropped.total() == 0
    for target in targets:
        assert times_of(target) == pytest.approx([n / 25 for n in range(60)], abs=0.001)
    streams = [av.open(str(target)).streams.video[0] for target in targets]
    assert {(s.codec_context.name, s.width, s.height) for s in streams} == {("h264", 320, 180)}
    assert [e.state for e in events if e.uri == "null:"] == [OutputState.WRITING, OutputState.CLOSED]


def test_a_new_size_continues_in_another_file(tmp_path: Path) -> None:
    sink = LiveSink([str(tmp_path / "a.mp4")])
    for frame in [*moving(20), *moving(20, width=160, height=96, first=20)]:
        sink.write(frame)
    sink.close(20)
    assert len(times_of(tmp_path / "a.mp4")) == 20
    second = tmp_path / "a.2.mp4"
    assert len(times_of(second)) == 20
    assert av.open(str(second)).streams.video[0].width == 160
    assert any("a.2.mp4" in note for note in sink.notes)


def record(target: Path, count: int, *, overwrite: bool = False) -> LiveSink:
    sink = LiveSink([str(target)], LiveSinkSettings(overwrite=overwrite))
    for frame in moving(count):
        sink.write(frame)
    sink.close(20)
    return sink


def test_a_file_that_exists_is_kept_and_the_recording_goes_on_beside_it(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"precious")
    for part in (2, 3):
        sink = record(target, 5)
        assert any(f"a.{part}.mp4" in note for note in sink.notes), sink.notes
        assert len(times_of(tmp_path / f"a.{part}.mp4")) == 5
    assert target.read_bytes() == b"precious"


def test_overwriting_ends_where_a_stream_would_lose_what_it_wrote_itself(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.write_bytes(b"of another day")
    record(target, 5, overwrite=True)
    assert len(times_of(target)) == 5
    record(target, 7, overwrite=True)
    assert (len(times_of(target)), len(times_of(tmp_path / "a.2.mp4"))) == (5, 7)


def test_an_output_that_cannot_begin_holds_up_no_other_and_begins_when_it_can(tmp_path: Path) -> None:
    in_the_way, secret = tmp_path / "folder", tmp_path / "secret"
    in_the_way.touch()
    uris = [str(in_the_way / "a.mkv"), str(tmp_path / "b.mkv"), f"udp://127.0.0.1:9/?x={{file:{secret}}}"]
    with pytest.raises(OutputNotWritable):
        LiveSink(uris)
    sink = LiveSink(uris, LiveSinkSettings(key_every_s=0.2), open_one=open_patiently)
    late, good, unknown = sink.outputs
    number = 0

    def write_until(condition) -> None:
        nonlocal number

        def done() -> bool:
            nonlocal number
            sink.write(next(moving(1, first=number)))
            number += 1
            return condition()

        until(done, "the outputs")

    try:
        write_until(lambda: {late.state, unknown.state} == {OutputState.WAITING} and good.written > 5)
        assert "is a file, not a folder" in late.last_error
        assert "needs the file" in unknown.last_error
        in_the_way.unlink()
        secret.write_text("word")
        write_until(lambda: late.written > 5)
    finally:
        sink.close(20)
    assert len(times_of(in_the_way / "a.mkv")) == late.written
    assert len(times_of(tmp_path / "b.mkv")) == number


def test_a_container_that_cannot_hold_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedContainer):
        LiveSink([str(tmp_path / "a.wav")])


def test_what_an_abandoned_file_does_not_hold_yet_does_not_count_as_written(tmp_path: Path) -> None:
    sink = LiveSink([str(tmp_path / "a.mp4")])
    (output,) = sink.outputs
    assert isinstance(output, PacketOutput)
    for frame in moving(60):
        sink.write(frame)
    until(lambda: output.written >= 55, "written")
    assert output._writer is not None
    output._writer.abandon()
    assert output.written == 50, "the fragment that has begun is in memory"
    sink.close(20)
    assert (output.written, output.in_flight) == (60, 0), "it came to its end after all"
    assert len(times_of(tmp_path / "a.mp4")) == 60


@pytest.mark.parametrize("same", ["a.mp4", "./a.mp4", "x/../a.mp4", "file:{folder}/a.mp4"])
def test_the_same_place_twice_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WrongOutputs, match="given twice"):
        LiveSink(["a.mp4", "null:", same.format(folder=tmp_path)])
    with pytest.raises(WrongOutputs, match="given twice"):
        LiveSink(["rec/", "rec"], LiveSinkSettings(segment_s=60))
    assert list(tmp_path.iterdir()) == []
    LiveSink(["null:", "null:"]).close()


def test_outputs_that_look_alike_without_their_keys_have_numbers() -> None:
    events: list[OutputEvent] = []
    sink = LiveSink([f"rtmp://127.0.0.1:1/live2/abcdefgh-ijkl-mnop-{n}" for n in "qrs"], None, events.append)
    sink.close(0.1)
    shown = [output.uri for output in sink.outputs]
    assert shown == ["rtmp://127.0.0.1:1/live2/***" + end for end in ("", " #2", " #3")]
    assert [figures.uri for figures in output_figures(sink.outputs)] == shown
    assert {event.uri for event in events} <= set(shown)


def test_keep_without_segments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongOutputs, match="segment"):
        LiveSink([str(tmp_path / "a.mp4")], LiveSinkSettings(keep=keep("7d")))
    assert list(tmp_path.iterdir()) == []
