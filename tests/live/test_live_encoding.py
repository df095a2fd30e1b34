"""The live encoder: no delay, key frames by time and on request, bounded rate, headers in band, other pictures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_frames import moving

from stream.errors import EncoderUnavailable
from stream.live.encoding import LiveEncoder
from stream.live.encoding_options import live_options, rate_cap
from stream.live.outputs.muxing import Muxing
from stream.live.outputs.packets import TIME_BASE, EncodedPicture
from stream.live.sink import LiveSink
from stream.media.encoder import EncoderSettings
from stream.media.frame import Frame

AVAILABLE = [name for name in ("libx264", "libx265", "libsvtav1", "libvpx-vp9") if name in av.codecs_available]


def encoder(codec: str = "libx264", *, key_every_s: float = 2.0, **more: object) -> LiveEncoder:
    return LiveEncoder(EncoderSettings(codec=codec, **more), bitrate=None, key_every_s=key_every_s)  # type: ignore[arg-type]


def noisy(count: int, ticks: int = 3600) -> Iterator[Frame]:
    """Pictures that cost as many bits as an encoder may spend."""
    random = np.random.default_rng(1)
    for frame in moving(count, ticks=ticks):
        frame.planes.y[:] = random.integers(16, 235, frame.planes.y.shape, np.uint8)
        yield frame


@pytest.mark.parametrize("codec", AVAILABLE)
def test_every_picture_comes_out_at_once_and_keys_come_by_time(codec: str) -> None:
    made = encoder(codec, key_every_s=0.4)
    encoded: list[EncodedPicture] = []
    for number, frame in enumerate(moving(45)):
        given = made.encode(frame)
        assert len(given) == 1, f"picture {number} is held back"
        encoded += given
    assert [picture.key_frame for picture in encoded] == [number % 10 == 0 for number in range(45)]
    assert [picture.pts for picture in encoded] == [1_000_000 + 3600 * number for number in range(45)]
    assert all(picture.dts == picture.pts for picture in encoded)
    assert made.drain() == []


@pytest.mark.parametrize("codec", AVAILABLE)
def test_a_key_frame_on_request(codec: str) -> None:
    made = encoder(codec, key_every_s=60)
    keys = []
    for number, frame in enumerate(moving(8)):
        if number == 5:
            made.request_key_frame()
        keys += [picture.key_frame for picture in made.encode(frame)]
    assert keys == [True, False, False, False, False, True, False, False]


def test_keys_follow_time_not_the_announced_rate() -> None:
    made = encoder(key_every_s=1.0)
    frames = [replace(frame, duration=3600) for frame in moving(33, ticks=30_000)]  # 3 a second, announced as 25
    keys = [picture.pts for frame in frames for picture in made.encode(frame) if picture.key_frame]
    seconds = [round(float((pts - keys[0]) * TIME_BASE), 2) for pts in keys]
    assert seconds == [float(n) for n in range(11)]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_who_joins_at_any_key_frame_can_decode(codec: str) -> None:
    made = encoder(codec, key_every_s=0.2)
    encoded = [picture for frame in moving(20) for picture in made.encode(frame)]
    assert encoded[0].format.template.codec_context.extradata, "containers with a header want it there, too"
    decoder = av.CodecContext.create(encoded[0].format.codec, "r")
    pictures = []
    for picture in encoded[10:]:  # the second but one key frame, without anything from before
        pictures += decoder.decode(av.Packet(picture.data))
    pictures += decoder.decode(None)
    assert len(pictures) == 10
    assert pictures[0].width == 320


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("muxer", ["mp4", "matroska", "flv", "mpegts"])
def test_one_encode_suits_every_container(codec: str, muxer: str) -> None:
    made = encoder(codec, key_every_s=0.2)
    encoded = [picture for frame in moving(12) for picture in made.encode(frame)]
    target = io.BytesIO()
    muxing = Muxing(target, muxer, encoded[0].format, [], {})
    for picture in encoded:
        muxing.write(picture)
    muxing.close()
    target.seek(0)
    with av.open(target) as container:
        times = [float(picture.pts * picture.time_base) for picture in container.decode(video=0)]
    assert times == pytest.approx([n / 25 for n in range(12)], abs=0.001)


def test_the_rate_is_bounded_also_when_the_announced_one_is_wrong() -> None:
    cap = 300_000
    made = LiveEncoder(EncoderSettings(crf=1), bitrate=cap, key_every_s=60)
    frames = [replace(frame, duration=9000) for frame in noisy(300, ticks=900)]  # 100 a second, announced as 10
    encoded = [picture for frame in frames for picture in made.encode(frame)]
    late = encoded[100:]
    seconds = float((late[-1].pts - late[0].pts) * TIME_BASE)
    rate = 8 * sum(len(picture.data) for picture in late) / seconds
    assert rate < 1.5 * cap
    assert len({id(picture.format) for picture in encoded}) == 1, "outputs need not begin anew for that"


def test_a_change_of_size_or_format_rebuilds_the_encoder() -> None:
    made = encoder()
    kinds = [
        moving(3),
        moving(3, first=3, width=160),
        moving(3, first=6, width=160, pixel_format="nv12"),
        moving(2, first=9),
    ]
    encoded = [picture for kind in kinds for frame in kind for picture in made.encode(frame)]
    assert len(encoded) == 11
    assert made.rebuilt == 3
    assert [picture.key_frame for picture in encoded] == [True, False, False] * 3 + [True, False]
    assert len({id(picture.format) for picture in encoded}) == 4


def test_colour_tags_arrive_and_a_change_of_them_rebuilds() -> None:
    made = encoder()
    frames = list(moving(4))
    for frame in frames[2:]:
        frame.picture.colorspace, frame.picture.color_range = 1, 2
    encoded = [picture for frame in frames for picture in made.encode(frame)]
    assert made.rebuilt == 1
    decoder = av.CodecContext.create("h264", "r")
    pictures = decoder.decode(av.Packet(encoded[2].data)) + decoder.decode(None)
    assert (int(pictures[0].colorspace), int(pictures[0].color_range)) == (1, 2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_the_shape_of_pixels_arrives_and_a_change_of_it_rebuilds(tmp_path: Path, suffix: str) -> None:
    shapes = [Fraction(16, 11)] * 5 + [Fraction(1)] * 3 + [None] * 2
    sink = LiveSink([str(tmp_path / f"a{suffix}")])
    for frame, shape in zip(moving(10), shapes, strict=True):
        sink.write(replace(frame, sample_aspect_ratio=shape))
    sink.close(20)
    found = []
    for name in (f"a{suffix}", f"a.2{suffix}"):
        with av.open(str(tmp_path / name)) as container:
            pictures = list(container.decode(video=0))
            found.append((container.streams.video[0].sample_aspect_ratio or 1, len(pictures)))
    assert found == [(Fraction(16, 11), 5), (1, 5)]


def test_odd_sizes_are_padded_with_a_note() -> None:
    made = encoder()
    (frame,) = moving(1, width=319, height=179)
    (picture,) = made.encode(frame)
    assert (picture.format.width, picture.format.height) == (320, 180)
    assert "odd size" in made.notes[0]


def test_time_stamps_that_do_not_rise_are_made_to() -> None:
    made = encoder()
    frames = [replace(frame, pts=pts) for frame, pts in zip(moving(4), [5, 5, 3, 4000], strict=True)]
    assert [picture.pts for frame in frames for picture in made.encode(frame)] == [5, 6, 7, 4000]


def test_other_time_bases_become_90000() -> None:
    made = encoder()
    frames = [replace(frame, pts=number * 40, time_base=Fraction(1, 1000)) for number, frame in enumerate(moving(3))]
    assert [picture.pts for frame in frames for picture in made.encode(frame)] == [0, 3600, 7200]


def test_options_of_the_user_win() -> None:
    given = live_options(EncoderSettings(options={"tune": "film", "x264-params": "repeat-headers=0"}), 320, 180, None)
    assert given["tune"] == "film"
    assert given["x264-params"] == "repeat-headers=1:repeat-headers=0"
    made = encoder(options={"bf": "2", "tune": "film", "rc-lookahead": "5"})
    frames = [picture for frame in moving(30) for picture in made.encode(frame)]
    assert len(frames) < 30, "the user wanted a delay"
    assert len(frames) + len(made.drain()) == 30


def test_encoders_of_hardware_hold_nothing_back() -> None:
    def options(codec: str, **own: str) -> dict[str, str]:
        return live_options(EncoderSettings(codec=codec, options=own), 1280, 720, None)

    for codec in ("h264_qsv", "hevc_qsv", "av1_qsv"):
        assert {"async_depth": "1", "forced_idr": "1", "bf": "0", "global_quality": "24"}.items() <= options(
            codec
        ).items()
    assert {"async_depth": "1", "b": "4000000"}.items() <= options("h264_vaapi").items()
    assert {"delay": "0", "zerolatency": "1"}.items() <= options("h264_nvenc").items()
    assert options("h264_qsv", async_depth="4")["async_depth"] == "4"


def test_wrong_options_are_said_before_anything_starts() -> None:
    with pytest.raises(EncoderUnavailable, match="nonsense"):
        encoder(options={"nonsense": "1"})
    with pytest.raises(EncoderUnavailable):
        encoder("no_such_encoder")


@given(
    width=st.integers(16, 8192),
    height=st.integers(16, 8192),
    bitrate=st.none() | st.integers(1000, 10**9),
)
def test_the_cap_is_sensible(width: int, height: int, bitrate: int | None) -> None:
    options = live_options(EncoderSettings(), width, height, bitrate)
    cap = int(options["maxrate"])
    assert cap == (bitrate or rate_cap(width, height))
    assert 0 < int(options["bufsize"]) <= cap
    assert rate_cap(1280, 720) == 4_000_000
    assert rate_cap(2 * width, height) > rate_cap(width, height)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 40_000), st.booleans()), min_size=1, max_size=60))
def test_keys_are_never_too_far_apart(steps: list[tuple[int, bool]]) -> None:
    made = encoder(key_every_s=0.5, preset="ultrafast")
    (frame,) = moving(1, width=64, height=64)
    pts, keys, last = 0, [], 0
    for step, wanted in steps:
        pts += step
        if wanted:
            made.request_key_frame()
        for picture in made.encode(replace(frame, pts=pts, duration=0)):
            assert picture.key_frame or not wanted
            if picture.key_frame:
                keys.append(pts)
            assert pts - keys[-1] <= 0.5 / TIME_BASE + max(step, last)
        last = step
