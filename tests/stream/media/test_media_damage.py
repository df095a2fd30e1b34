"""Interlaced, broken, truncated and wrong inputs: what comes out, and what is said."""

from __future__ import annotations

import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_clips import frames_of, pass_through, times, write_clip

from stream import errors
from stream.media import Frame, open_source


def interlaced(path: Path, frames: int = 10) -> Path:
    """MPEG-2 with a bar that moves between the fields of every frame."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"flags": "+ildct+ilme", "top": "1", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.bit_rate = 4_000_000
        for index in range(frames):
            image = av.VideoFrame(128, 96, "yuv420p")
            for plane, level in zip(image.planes, (40, 128, 128), strict=True):
                np.frombuffer(plane, np.uint8)[:] = level
            luma = np.frombuffer(image.planes[0], np.uint8).reshape(96, -1)
            luma[0::2, 8 * index : 8 * index + 16] = 200
            luma[1::2, 8 * index + 4 : 8 * index + 20] = 200
            image.pts = index
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    return path


def combing(luma: np.ndarray) -> float:
    """How much neighbouring rows differ more than rows of the same field."""
    rows = luma.astype(int)
    return float(np.abs(rows[1:-1] - rows[:-2]).mean() - np.abs(rows[2:] - rows[:-2]).mean())


@pytest.mark.parametrize("name", ["in.mpg", "in.mkv"])
def test_interlaced_video_is_deinterlaced_frame_for_frame(tmp_path: Path, name: str) -> None:
    source = interlaced(tmp_path / name)
    with av.open(str(source)) as container:
        decoded = list(container.decode(video=0))
    assert all(one.interlaced_frame for one in decoded), "the clip itself must be interlaced"
    notes = pass_through(source, tmp_path / "out.mp4")
    assert any("deinterlaced" in note for note in notes)
    assert times(tmp_path / "out.mp4") == times(source)
    frames = frames_of(source)
    assert len(frames) == 10
    woven = np.frombuffer(decoded[5].planes[0], np.uint8).reshape(96, -1)[:, :128]
    assert combing(woven) > 5
    assert combing(frames[5].planes.y) < 0.3 * combing(woven)
    assert not any(frame.picture.interlaced_frame for frame in frames)


def test_progressive_video_is_left_alone(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mpg", codec="mpeg2video", frames=5, time_base=Fraction(1, 25))
    assert not any("interlaced" in note for note in pass_through(source, tmp_path / "out.mp4"))


def spoilt(path: Path, *, flips: int = 0, keep: float = 1.0) -> Path:
    """The file with single bytes of its middle half changed, or without its end."""
    data = bytearray(path.read_bytes())
    chance = random.Random(1)
    for _ in range(flips):
        data[chance.randrange(len(data) // 4, len(data) * 3 // 4)] ^= chance.randrange(1, 256)
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def read(path: Path) -> tuple[list[Frame], int, list[str]]:
    with open_source(path) as source:
        frames = [item for item in source if isinstance(item, Frame)]
        return frames, source.damaged, source.notes


@pytest.mark.parametrize(("name", "codec"), [("in.mp4", "libx264"), ("in.ts", "libx264"), ("in.mpg", "mpeg2video")])
def test_corrupt_video_is_decoded_on_and_counted(tmp_path: Path, name: str, codec: str) -> None:
    source = write_clip(tmp_path / name, codec=codec, frames=60, size=(320, 192), time_base=Fraction(1, 25))
    intact, damaged, notes = read(source)
    assert (len(intact), damaged) == (60, 0)
    assert not any("damaged" in note for note in notes)
    frames, damaged, notes = read(spoilt(source, flips=20))
    assert damaged > 0
    assert len(frames) > 40
    assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})
    assert any(f"{damaged} damaged or lost picture" in note for note in notes)
    pass_through(source, tmp_path / "out.mp4")
    assert len(times(tmp_path / "out.mp4")) == len(frames)


@pytest.mark.parametrize("name", ["in.mkv", "in.mp4"])
def test_truncated_file_gives_what_is_there(tmp_path: Path, name: str) -> None:
    mux = {"movflags": "faststart"} if name.endswith("mp4") else {}
    source = spoilt(write_clip(tmp_path / name, frames=100, size=(320, 192), mux=mux), keep=0.6)
    frames, _, notes = read(source)
    assert 40 < len(frames) < 80
    assert any("truncated" in note for note in notes)
    pass_through(source, tmp_path / "out.mp4")
    assert len(times(tmp_path / "out.mp4")) == len(frames)


def test_truncated_avi_counts_what_is_missing(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.avi",
        codec="mjpeg",
        pixel_format="yuvj420p",
        frames=50,
        size=(160, 96),
        time_base=Fraction(1, 25),
    )
    frames, _, notes = read(spoilt(source, keep=0.5))
    assert 10 < len(frames) < 40
    assert any("truncated" in note for note in notes)


def test_size_change_on_the_way_is_scaled_and_said(tmp_path: Path) -> None:
    parts = [write_clip(tmp_path / f"{n}.ts", frames=10, size=size) for n, size in enumerate([(64, 48), (96, 64)])]
    joined = tmp_path / "in.ts"
    with av.open(str(parts[0])) as first, av.open(str(parts[1])) as second:
        later = first.duration / av.time_base
        with av.open(str(joined), "w", container_options={"mpegts_copyts": "1"}) as container:
            stream = container.add_stream_from_template(first.streams.video[0], opaque=True)
            for shift, part in ((0, first), (later, second)):
                for packet in part.demux():
                    if packet.size:
                        move = round(shift / packet.time_base)
                        packet.pts, packet.dts = packet.pts + move, packet.dts + move
                        packet.stream = stream
                        container.mux(packet)
    notes = pass_through(joined, tmp_path / "out.mp4")
    assert any("size changes" in note for note in notes)
    assert len(times(tmp_path / "out.mp4")) == 20
    assert {(f.planes.width, f.planes.height) for f in frames_of(joined)} == {(64, 48)}


def test_stop_ends_the_iteration_from_outside(tmp_path: Path) -> None:
    source = open_source(write_clip(tmp_path / "in.mp4", frames=200))
    seen = 0
    for _ in source:
        seen += 1
        if seen == 5:
            source.stop()
    assert 5 <= seen < 60


def sound_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        block = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        block.sample_rate = 48000
        container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    return path


def unknown_codec(path: Path) -> Path:
    write_clip(path, frames=2)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"avc1")
    data[at : at + 4] = b"zzzz"
    path.write_bytes(data)
    return path


def only_garbage(path: Path) -> Path:
    write_clip(path, frames=3)
    data = bytearray(path.read_bytes())
    start = data.find(b"mdat") + 4
    data[start : data.find(b"moov") - 4] = bytes(data.find(b"moov") - 4 - start)
    path.write_bytes(data)
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda folder: folder / "missing.mp4", errors.InputNotFound),
        (lambda folder: folder, errors.InputUnreadable),
        (lambda folder: written(folder / "empty.mp4", b""), errors.NotAVideo),
        (lambda folder: written(folder / "text.mp4", b"hello world\n" * 100), errors.NotAVideo),
        (lambda folder: spoilt(write_clip(folder / "cut.mp4"), keep=0.5), errors.NotAVideo),
        (lambda folder: sound_only(folder / "sound.mp4"), errors.NoVideoStream),
        (lambda folder: unknown_codec(folder / "unknown.mp4"), errors.UnknownCodec),
        (lambda folder: only_garbage(folder / "garbage.mp4"), errors.NothingDecodable),
        (lambda _: "rtsp://camera/live", errors.UnsupportedUri),
    ],
)
def test_wrong_inputs_are_told_apart(tmp_path: Path, make, error: type[errors.StreamError]) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error) as caught:
        open_source(make(tmp_path))
    text = str(caught.value)
    assert "\n" not in text
    assert text.count(". ") >= 1, "what happened, then what to do"
    assert caught.value.exit_code in (1, 2)


def test_text_and_a_film_without_its_index_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(errors.NotAVideo, match="not a video or photo"):
        open_source(written(tmp_path / "text.mp4", b"hello world\n" * 100))
    with pytest.raises(errors.NotAVideo, match=r"begins like an mp4 or mov and is cut off.*untrunc"):
        open_source(spoilt(write_clip(tmp_path / "cut.mp4"), keep=0.5))


def test_a_playlist_does_not_open_addresses(tmp_path: Path) -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    with pytest.raises(errors.StreamError):
        open_source(written(tmp_path / "list.m3u8", playlist))


CLOSE_WHILE_LOGGING = """
import logging, sys
from pathlib import Path
import av, av.logging
from stream.errors import NothingDecodable
from stream.media import open_source
av.logging.set_level(av.logging.INFO)
logging.disable(logging.CRITICAL)
closed = 0
for name in sorted(Path(sys.argv[1]).glob("damaged-*")):
    try:
        source = open_source(name, threads=8)
    except NothingDecodable:
        continue
    frames = iter(source)
    next(frames, None)
    source.close()
    closed += 1
    del frames, source
print(closed)
"""


def test_a_damaged_file_is_closed_while_its_decoder_is_at_work_and_logs(tmp_path: Path) -> None:
    """A thread of the decoder that logs needs the interpreter, which who frees the decoder holds."""
    whole = write_clip(tmp_path / "whole.mp4", frames=40, size=(640, 360)).read_bytes()
    for seed in range(60):
        draw, broken = random.Random(seed), bytearray(whole)
        start = whole.index(b"mdat") + len(whole) // 20
        for _ in range(len(whole) // 200):
            broken[draw.randrange(start, len(whole) - len(whole) // 5)] = draw.randrange(256)
        (tmp_path / f"damaged-{seed}.mp4").write_bytes(broken)
    command = [sys.executable, "-c", CLOSE_WHILE_LOGGING, str(tmp_path)]
    ended = subprocess.run(command, cwd=Path(__file__).parents[3], timeout=120, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert int(ended.stdout) > 40
