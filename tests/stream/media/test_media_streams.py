"""Sound, subtitles, chapters, titles, rotation: packet for packet and tag for tag, in the containers that hold them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from media_clips import (
    FAST,
    covers_of,
    packets_of,
    pass_through,
    times,
    trimmed,
    write_clip,
    write_covered_clip,
    write_data_clip,
    write_film,
)

from stream.media import Frame, fresh_like, open_sink, open_source

FILMS = [
    ("in.mp4", "aac", "mov_text", "out.mp4"),
    ("in.mp4", "ac3", "mov_text", "out.mov"),
    ("in.mov", "pcm_s16le", "mov_text", "out.mp4"),
    ("in.mov", "pcm_s16le", None, "out.mov"),
    ("in.mp4", "libmp3lame", None, "out.mp4"),
    ("in.mkv", "libopus", "srt", "out.mkv"),
    ("in.mkv", "flac", "srt", "out.mkv"),
    ("in.mkv", "aac", None, "out.mp4"),
]


def durations(path: Path) -> tuple[float, ...]:
    with av.open(str(path)) as container:
        timed = container.streams if "mov" in container.format.name else ()
        streams = [s.duration * s.time_base for s in timed if s.type != "data"]
        return (container.duration / av.time_base, *map(float, streams))


@pytest.mark.parametrize(("name", "audio", "subtitle", "target"), FILMS)
def test_packets_are_copied_bit_exact_and_in_sync(
    tmp_path: Path, name: str, audio: str, subtitle: str | None, target: str
) -> None:
    source = write_film(tmp_path / name, audio=audio, subtitle=subtitle)
    pass_through(source, tmp_path / target)
    assert packets_of(source, "audio") == packets_of(tmp_path / target, "audio")
    if subtitle:
        assert packets_of(source, "subtitle") == packets_of(tmp_path / target, "subtitle")
    assert times(tmp_path / target) == times(source)
    if Path(name).suffix == Path(target).suffix:
        assert durations(tmp_path / target) == durations(source)


def test_start_far_from_zero_stays_in_sync(tmp_path: Path) -> None:
    source = write_film(tmp_path / "in.mp4", start=Fraction(337, 100))
    pass_through(source, tmp_path / "out.mp4")
    assert times(source)[0] == Fraction(337, 100)
    assert times(tmp_path / "out.mp4") == times(source)
    assert packets_of(source, "audio") == packets_of(tmp_path / "out.mp4", "audio")
    assert packets_of(source, "subtitle") == packets_of(tmp_path / "out.mp4", "subtitle")


@pytest.mark.parametrize("end", [None, Fraction(9, 10)])
@pytest.mark.parametrize("cut", [Fraction(1, 2), Fraction(1, 3)])
def test_edit_lists_are_honoured(tmp_path: Path, cut: Fraction, end: Fraction | None) -> None:
    source = trimmed(write_film(tmp_path / "whole.mp4", subtitle=None), tmp_path / "in.mp4", cut, end)
    assert len(times(source)) < 50, "the trim must hide frames"
    pass_through(source, tmp_path / "out.mp4")
    assert times(tmp_path / "out.mp4") == times(source)
    assert packets_of(source, "audio") == packets_of(tmp_path / "out.mp4", "audio")
    assert durations(tmp_path / "out.mp4") == durations(source)


def test_adts_sound_from_a_transport_stream_loses_only_its_headers(tmp_path: Path) -> None:
    source = write_film(tmp_path / "in.ts", subtitle=None)
    pass_through(source, tmp_path / "out.mp4")
    copied = packets_of(tmp_path / "out.mp4", "audio")
    assert copied == [(when, data[7:]) for when, data in packets_of(source, "audio")]
    pass_through(source, tmp_path / "out.ts")
    assert packets_of(tmp_path / "out.ts", "audio") == packets_of(source, "audio")
    assert times(tmp_path / "out.mp4") == times(tmp_path / "out.ts") == times(source)


@pytest.mark.parametrize("name", ["film.mp4", "film.mov", "film.mkv"])
def test_titles_chapters_languages_and_rotation(tmp_path: Path, name: str) -> None:
    subtitle = "srt" if name.endswith("mkv") else "mov_text"
    source = write_film(tmp_path / name, subtitle=subtitle, rotation=90)
    target = tmp_path / f"out.{name}"
    assert not [note for note in pass_through(source, target) if "left out" in note]
    with av.open(str(source)) as before, av.open(str(target)) as after:
        assert {key.lower(): value for key, value in after.metadata.items()} == {
            key.lower(): value for key, value in before.metadata.items()
        }
        for old, new in zip(before.streams, after.streams, strict=True):
            assert (new.type, new.language, new.metadata.get("title")) == (
                old.type,
                old.language,
                old.metadata.get("title"),
            )
            assert new.disposition == old.disposition
        assert [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in after.chapters()] == [
            (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in before.chapters()
        ]
        pair = next(before.decode(video=0)), next(after.decode(video=0))
    assert pair[0].rotation == pair[1].rotation == 90


def test_camera_tags_survive(tmp_path: Path) -> None:
    source = tmp_path / "in.mov"
    with av.open(str(write_clip(tmp_path / "plain.mov"))) as plain:
        options = {"movflags": "use_metadata_tags"}
        with av.open(str(source), "w", container_options=options) as container:
            copy = container.add_stream_from_template(plain.streams.video[0], opaque=True)
            container.metadata["com.apple.quicktime.location.ISO6709"] = "+52.5200+013.4050/"
            for packet in plain.demux():
                if packet.size:
                    packet.stream = copy
                    container.mux(packet)
    pass_through(source, tmp_path / "out.mov")
    with av.open(str(tmp_path / "out.mov")) as container:
        assert container.metadata["com.apple.quicktime.location.ISO6709"] == "+52.5200+013.4050/"


def test_what_the_container_cannot_hold_is_named(tmp_path: Path) -> None:
    source = write_film(tmp_path / "in.mkv", audio="flac", subtitle="srt")
    notes = pass_through(source, tmp_path / "out.mov")
    assert any("stream 1 (audio, flac) is left out: .mov cannot hold it" in note for note in notes)
    assert any("stream 2 (subtitle, srt) is left out: .mov cannot hold it" in note for note in notes)
    assert times(tmp_path / "out.mov") == times(source)


def test_coarser_times_of_matroska_are_named(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", pts=[0, 511, 1027])
    notes = pass_through(source, tmp_path / "out.mkv")
    assert any("rounded" in note for note in notes)
    for before, after in zip(times(source), times(tmp_path / "out.mkv"), strict=True):
        assert abs(before - after) <= Fraction(1, 2000)


@pytest.mark.parametrize(
    ("name", "codec", "target"),
    [
        ("in.mp4", "bin_data", "out.mp4"),
        ("in.mp4", "bin_data", "out.mov"),
        ("in.ts", "klv", "out.ts"),
        ("in.ts", "klv", "out.mov"),
    ],
)
def test_data_streams_are_copied(tmp_path: Path, name: str, codec: str, target: str) -> None:
    source = write_data_clip(tmp_path / name, codec)
    before = packets_of(source, "data")
    assert len(list(before)) == 20
    notes = pass_through(source, tmp_path / target)
    assert packets_of(tmp_path / target, "data") == before
    assert times(tmp_path / target) == times(source)
    assert not [note for note in notes if "left out" in note]


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
def test_data_that_a_container_cannot_hold_is_named(tmp_path: Path, target: str) -> None:
    notes = pass_through(write_data_clip(tmp_path / "in.ts", "klv"), tmp_path / target)
    assert f"stream 1 (data, klv) is left out: {Path(target).suffix} cannot hold it" in notes
    assert len(times(tmp_path / target)) == 25


def sound_packets(path: Path) -> dict[str, list[tuple[Fraction, bytes]]]:
    """By language, in the order of the tracks."""
    with av.open(str(path)) as container:
        found: dict[str, list[tuple[Fraction, bytes]]] = {s.language or "": [] for s in container.streams.audio}
        for packet in container.demux(*container.streams.audio):
            if packet.size:
                found[packet.stream.language].append((packet.pts * packet.time_base, bytes(packet)))
        return found


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv"])
def test_every_sound_track_is_copied(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    parts = [
        write_film(tmp_path / f"{index}-{name}", audio=audio, subtitle=None, start=Fraction(index, 5))
        for index, audio in enumerate(("aac", "libmp3lame"))
    ]
    with av.open(str(parts[0])) as one, av.open(str(parts[1])) as two, av.open(str(source), "w") as container:
        copies = {}
        for film, stream in [(one, one.streams.video[0]), (one, one.streams.audio[0]), (two, two.streams.audio[0])]:
            copies[film, stream.index] = container.add_stream_from_template(stream, opaque=True)
            copies[film, stream.index].metadata["language"] = "deu" if film is two else "fra"
        for film in (one, two):
            for packet in film.demux():
                if packet.size and (film, packet.stream.index) in copies:
                    packet.stream = copies[film, packet.stream.index]
                    container.mux(packet)
    before = sound_packets(source)
    assert list(before) == ["fra", "deu"]
    assert before["fra"] != before["deu"]
    pass_through(source, tmp_path / f"out.{name}")
    after = sound_packets(tmp_path / f"out.{name}")
    assert list(after) == list(before)
    assert after == before


@pytest.mark.parametrize("codec", ["mjpeg", "png"])
@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "out.mov"])
@pytest.mark.parametrize("name", ["in.mp4", "in.mkv"])
def test_a_cover_is_no_video_and_is_kept_or_named(tmp_path: Path, name: str, target: str, codec: str) -> None:
    source, cover = write_covered_clip(tmp_path / name, codec)
    assert covers_of(source) == [cover]
    with open_source(source) as opened:
        assert (opened.video.codec, opened.video.width) == ("h264", 64), "the cover is larger, and is not the video"
    notes = pass_through(source, tmp_path / target)
    assert len(times(tmp_path / target)) == 12
    if target == "out.mov":
        assert covers_of(tmp_path / target) == []
        assert f"stream 1 (cover, {codec}) is left out: .mov cannot hold it" in notes
    else:
        assert covers_of(tmp_path / target) == [cover]
        assert not [note for note in notes if "left out" in note]
    with open_source(tmp_path / target) as written:
        assert written.video.width == 64, "the result can be enhanced again"


def test_attachments_are_kept(tmp_path: Path) -> None:
    cover = tmp_path / "fonts.mkv"
    write_film(tmp_path / "film.mkv", audio="flac", subtitle="srt")
    with av.open(str(tmp_path / "film.mkv")) as film, av.open(str(cover), "w") as container:
        copies = {s.index: container.add_stream_from_template(s, opaque=True) for s in film.streams}
        container.add_attachment("font.ttf", "font/ttf", b"not really a font")
        for packet in film.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                container.mux(packet)
    pass_through(cover, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        attached = [s for s in container.streams if s.type == "attachment"]
        assert [(s.name, s.mimetype, s.data) for s in attached] == [("font.ttf", "font/ttf", b"not really a font")]


def captioned(path: Path, frames: int = 8) -> Path:
    """A transport stream whose pictures carry closed captions: an SEI message before the slices of each."""
    plain = write_clip(path.with_name("plain.ts"), frames=frames, options={"bf": "0"})
    with av.open(str(plain)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0], opaque=True)
        for index, packet in enumerate(source.demux()):
            if not packet.size:
                continue
            data = bytes(packet)
            at = max(data.find(b"\x00\x00\x01" + kind) for kind in (b"\x65", b"\x41", b"\x61"))
            caption = bytes([0xFC, 0x94, 0x20 + index])
            message = b"\xb5\x00\x31GA94\x03\x41\xff" + caption + b"\xff"
            sei = b"\x00\x00\x01\x06\x04" + bytes([len(message)]) + message + b"\x80"
            changed = av.Packet(data[:at] + sei + data[at:])
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.is_keyframe, changed.stream = packet.is_keyframe, stream
            container.mux(changed)
    return path


def captions_of(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        pictures = list(container.decode(video=0))
        return [bytes(data) for one in pictures for data in one.side_data if data.type.name == "A53_CC"]


def test_closed_captions_survive_new_pixels(tmp_path: Path) -> None:
    source_path = captioned(tmp_path / "in.ts")
    expected = [bytes([0xFC, 0x94, 0x20 + index]) for index in range(8)]
    assert captions_of(source_path) == expected, "the clip itself must carry captions"
    with open_source(source_path) as source:
        sink = open_sink(tmp_path / "out.mp4", source, FAST)
        for frame in source:
            assert isinstance(frame, Frame)
            fresh = fresh_like(frame)
            fresh.planes.y[:] = 99
            assert not (frame.planes.y == 99).all(), "the source's own picture must stay as it is"
            sink.write(fresh)
        sink.close()
    assert captions_of(tmp_path / "out.mp4") == expected
    assert times(tmp_path / "out.mp4") == times(source_path)
