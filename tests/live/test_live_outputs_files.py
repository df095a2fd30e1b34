"""Outputs into files and folders: playable after kill -9, HLS, and sound that is carried, left out or late."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from live_clients import until
from live_frames import moving, times_of

from stream.live.backoff import Backoff
from stream.live.outputs.delivery import PacketOutput
from stream.live.outputs.output import OutputState
from stream.live.outputs.packets import TIME_BASE, audio_track
from stream.live.sink import LiveSink, LiveSinkSettings
from stream.media.encoder import EncoderSettings
from stream.media.frame import Packet
from stream.media.templates import detached

KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from live_frames import moving
from stream.live.sink import LiveSink, LiveSinkSettings
sink = LiveSink([{target!r}], LiveSinkSettings(key_every_s=0.5))
for frame in moving(10**6):
    sink.write(frame)
    print(sink.outputs[0].written, flush=True)
    time.sleep(0.005)
"""


def written(sink: LiveSink) -> None:
    until(lambda: all(output.in_flight == 0 for output in sink.outputs), "written")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_killed_program_leaves_a_playable_file(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a{suffix}"
    code = KILLED.format(tests=str(Path(__file__).parent), target=str(target))
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        reported = next(int(line) for line in iter(program.stdout.readline, "") if int(line) >= 60)
    finally:
        program.send_signal(signal.SIGKILL)
        program.communicate()
    times = times_of(target)
    assert len(times) >= reported - 13, "one fragment of half a second at most is lost"
    assert times == pytest.approx([n / 25 for n in range(len(times))], abs=0.001)


def test_a_file_can_be_watched_while_it_grows(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    sink = LiveSink([str(target)], LiveSinkSettings(key_every_s=0.5))
    for frame in moving(40):
        sink.write(frame)
    written(sink)
    assert len(times_of(target)) >= 25
    sink.close(20)
    assert len(times_of(target)) == 40


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_full_disk_leaves_a_playable_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], suffix: str
) -> None:
    """A file system that has room for so many bytes, down to the last one."""
    room, real = [40_000], os.write

    def write(file: int, data: bytes) -> int:
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = real(file, data[: room[0]])
        room[0] -= done
        return done

    monkeypatch.setattr("stream.live.outputs.growing.os.write", write)
    target = tmp_path / f"a{suffix}"
    sink = LiveSink([str(target)], LiveSinkSettings(key_every_s=0.4))
    (output,) = sink.outputs
    assert isinstance(output, PacketOutput)
    output._backoff = Backoff(0.01, 0.01)
    frames = moving(10**6)
    while output.dropped["lost"] < 3:
        sink.write(next(frames))
        until(lambda: output.in_flight == 0, "written")
    assert list(tmp_path.iterdir()) == [target]
    assert len(times_of(target)) == output.written
    room[0] = 10**9
    fed = output.written
    while output.written < fed + 30:
        sink.write(next(frames))
    written(sink)
    sink.close(20)
    assert sum(len(times_of(path)) for path in tmp_path.iterdir()) == output.written
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.2{suffix}", f"a{suffix}"]
    assert capfd.readouterr().err == "", "nothing is printed past the log"


def playlist(folder: Path, name: str = "index.m3u8") -> list[str]:
    return re.findall(r"^(?!#)\S+$", (folder / name).read_text(), re.MULTILINE)


def hls(folder: Path, count: int, *, codec: str = "libx264", width: int = 320, name: str = "index.m3u8") -> LiveSink:
    settings = LiveSinkSettings(encoder=EncoderSettings(codec=codec), key_every_s=0.4)
    sink = LiveSink([str(folder / name)], settings)
    for frame in moving(count, width=width):
        sink.write(frame)
    written(sink)
    sink.close(30)
    return sink


def test_an_hls_folder_holds_the_newest_segments(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    sink = hls(folder, 200)
    text, listed = (folder / "index.m3u8").read_text(), playlist(folder)
    assert len(listed) == 6
    assert "#EXT-X-PROGRAM-DATE-TIME" in text
    assert "#EXT-X-ENDLIST" not in text
    assert len(list(folder.iterdir())) <= 9, "older segments are deleted"
    assert len(times_of(folder / "index.m3u8")) >= 20
    for name in listed[:-1]:
        with av.open(str(folder / name)) as container:
            pictures = list(container.decode(video=0))
        assert pictures[0].key_frame
        assert len(pictures) == 10
    assert sink.outputs[0].written == 200


def test_an_hls_playlist_goes_on_over_sizes_and_runs(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    hls(folder, 30)
    (folder / "index-hls900.ts").write_bytes(b"left behind long ago")
    (folder / "notes.ts").write_bytes(b"not ours")
    before = playlist(folder)
    hls(folder, 30, width=160)
    after = playlist(folder)
    assert after[: len(before)] == before[-len(after) :][: len(before)]
    assert "#EXT-X-DISCONTINUITY" in (folder / "index.m3u8").read_text()
    assert not (folder / "index-hls900.ts").exists()
    assert (folder / "notes.ts").exists()
    assert all((folder / name).exists() for name in after)


def test_hls_outputs_in_one_folder_leave_each_other_and_recordings_alone(tmp_path: Path) -> None:
    widths = {"cam11.m3u8": 160, "cam.m3u8": 240, "cam1.m3u8": 320, "100%d.m3u8": 200}
    recordings = [tmp_path / name for name in ("cam1.2.ts", "cam20260101220000.ts", "cam_20260101220000.ts")]
    for path in recordings:
        path.write_bytes(b"a recording")
    for name, width in [*widths.items(), ("cam.m3u8", 240), ("cam1.m3u8", 320)]:
        hls(tmp_path, 125, name=name, width=width)
    for name, width in widths.items():
        assert len(playlist(tmp_path, name)) == 6
        for segment in playlist(tmp_path, name):
            with av.open(str(tmp_path / segment)) as container:
                assert container.streams.video[0].width == width, (name, segment)
    assert all(path.exists() for path in recordings)


def test_an_hls_playlist_that_was_lost_costs_no_segment(tmp_path: Path) -> None:
    hls(tmp_path, 35)
    before = {path.name: path.read_bytes() for path in tmp_path.glob("*.ts")}
    assert len(before) == 4
    (tmp_path / "index.m3u8").write_bytes(b"")
    hls(tmp_path, 15, width=160)
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert not set(playlist(tmp_path)) & set(before)


def test_an_hls_playlist_tells_of_a_time_without_pictures(tmp_path: Path) -> None:
    sink = LiveSink([str(tmp_path / "index.m3u8")], LiveSinkSettings(key_every_s=0.4))
    for first in (0, 25 * 60):
        for frame in moving(25, first=first):
            sink.write(frame)
        written(sink)
    sink.close(30)
    text = (tmp_path / "index.m3u8").read_text()
    assert re.search(r"hls2\.ts\n#EXT-X-DISCONTINUITY\n", text)
    lengths = [float(length) for length in re.findall(r"#EXTINF:([\d.]+)", text)]
    assert (len(lengths), max(lengths) < 1.0) == (6, True), text


def test_hls_of_h265_is_fragmented_mp4(tmp_path: Path) -> None:
    folder = tmp_path / "hls"
    hls(folder, 60, codec="libx265")
    assert "#EXT-X-MAP" in (folder / "index.m3u8").read_text()
    assert len(times_of(folder / "index.m3u8")) >= 20


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_full_disk_is_noticed_by_hls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], codec: str
) -> None:
    full, real = [False], os.write

    def write(file: int, data: bytes) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data)

    monkeypatch.setattr("stream.live.outputs.growing.os.write", write)
    settings = LiveSinkSettings(encoder=EncoderSettings(codec=codec, preset="ultrafast"), key_every_s=0.4)
    sink = LiveSink([str(tmp_path / "index.m3u8")], settings)
    (output,) = sink.outputs
    assert isinstance(output, PacketOutput)
    output._backoff = Backoff(0.01, 0.01)
    frames = moving(100_000)

    def feed_until(state: OutputState) -> None:
        while output.state is not state:
            sink.write(next(frames))
            until(lambda: output.in_flight == 0, "written")

    for _ in range(30):
        sink.write(next(frames))
    written(sink)
    before = playlist(tmp_path)
    assert len(before) == 2
    full[0] = True
    feed_until(OutputState.WAITING)
    while output.dropped["lost"] < 20:
        sink.write(next(frames))
        until(lambda: output.in_flight == 0, "written")
    assert "the disk is full" in output.last_error
    assert playlist(tmp_path) == before, "what players have stays as it was"
    assert all((tmp_path / name).exists() for name in before)
    assert output.written == 20, "what no playlist names is lost"
    full[0] = False
    feed_until(OutputState.WRITING)
    for _ in range(30):
        sink.write(next(frames))
    written(sink)
    sink.close(20)
    assert output.reconnects >= 1
    if codec == "libx264":  # that of H.265 begins anew once the next segment is whole
        assert playlist(tmp_path)[:2] == before
    assert all((tmp_path / name).stat().st_size for name in playlist(tmp_path))
    assert capfd.readouterr().err == "", "nothing is printed past the log"


# Sound.


def sound(codec: str, seconds: float, *, muxer: str, rate: int, folder: Path) -> Path:
    """A file with a tone in it."""
    target = folder / f"sound-{codec}.{muxer}"
    with av.open(str(target), "w", format=muxer) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        size = stream.codec_context.frame_size or rate // 50
        made = 0
        while made < seconds * rate:
            tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(made, made + 960) / rate)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(tone[None, :], "s16", "mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, made, Fraction(1, rate)
            container.mux(stream.encode(frame))
            made += 960
        container.mux(stream.encode(None))
        assert size
    return target


def with_sound(path: Path, count: int, *, sound_from_s: float = 0.0) -> Iterator[Packet | int]:
    """Packets of a file's sound, and numbers of pictures, in the order of their times."""
    with av.open(str(path)) as container:
        (template,) = detached([container.streams.audio[0]])
        packets = [packet for packet in container.demux(audio=0) if packet.pts is not None]
    pictures = 0
    for packet in packets:
        assert packet.pts is not None
        seconds = float(packet.pts * packet.time_base)
        while pictures / 25 < seconds and pictures < count:
            yield pictures
            pictures += 1
        if seconds < sound_from_s:
            continue
        offset = round(1_000_000 * TIME_BASE / packet.time_base)
        packet.pts = packet.dts = packet.pts + offset
        yield Packet(packet, template)
    while pictures < count:
        yield pictures
        pictures += 1


CODECS = {
    "aac": ("adts", 48_000, {".mp4": True, ".mkv": True, ".ts": True}),
    "libopus": ("ogg", 48_000, {".mp4": True, ".mkv": True, ".ts": True}),
    "pcm_alaw": ("wav", 8_000, {".mp4": False, ".mov": True, ".ts": False}),
}


@pytest.mark.parametrize("codec", CODECS)
def test_sound_is_carried_where_it_can_be(tmp_path: Path, codec: str) -> None:
    muxer, rate, carried = CODECS[codec]
    source = sound(codec, 2.0, muxer=muxer, rate=rate, folder=tmp_path)
    targets = {suffix: tmp_path / f"a{suffix}" for suffix in carried}
    sink = LiveSink([str(path) for path in targets.values()], LiveSinkSettings(key_every_s=0.5))
    frames = list(moving(50))
    for item in with_sound(source, 50):
        if isinstance(item, int):
            sink.write(frames[item])
        else:
            sink.write_packet(item)
    written(sink)
    sink.close(30)
    for suffix, path in targets.items():
        assert len(times_of(path)) == 50
        with av.open(str(path)) as container:
            assert bool(container.streams.audio) is carried[suffix], suffix
            if carried[suffix]:
                heard = sum(frame.samples for frame in container.decode(audio=0))
                assert heard == pytest.approx(2.0 * rate, rel=0.06)
                start = container.streams.audio[0].start_time
                assert start is None or abs(float(start * container.streams.audio[0].time_base)) < 0.1
            else:
                assert any(suffix in note and "left out" in note for note in sink.notes), sink.notes


def test_sound_that_is_absent_or_late_holds_up_nothing(tmp_path: Path) -> None:
    source = sound("aac", 2.0, muxer="adts", rate=48_000, folder=tmp_path)
    target = tmp_path / "a.mp4"
    sink = LiveSink([str(target)], LiveSinkSettings(key_every_s=0.2))
    items = [item for item in with_sound(source, 50) if not isinstance(item, int)]
    frames = list(moving(50))
    sink.write_packet(items[0])
    for number, frame in enumerate(frames):
        sink.write(frame)
        if number == 40:
            sink.write_packet(items[20])
    written(sink)
    assert len(times_of(target)) >= 40, "written before the end although the sound was silent"
    sink.close(20)
    assert len(times_of(target)) == 50


def test_templates_outlive_their_container(tmp_path: Path) -> None:
    source = sound("aac", 0.2, muxer="mp4", rate=48_000, folder=tmp_path)
    container = av.open(str(source))
    (template,) = detached([container.streams.audio[0]])
    container.close()
    del container
    track = audio_track(Packet(av.Packet(b"sound"), template))
    assert track is not None
    assert (track.codec, track.template.rate) == ("aac", 48_000)
    assert track.template.codec_context.extradata
