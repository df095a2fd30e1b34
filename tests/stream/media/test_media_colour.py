"""Range, matrix, primaries, transfer, aspect: kept in the output, and honoured in every conversion."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from media_clips import frames_of, pass_through, times, write_clip

from engines.colour import Colour
from stream.errors import HdrNotSupported
from stream.media import EncoderSettings, fresh_like, open_sink, open_source

LIMITED, FULL = 1, 2
BT709 = {"color_range": LIMITED, "colorspace": 1, "color_primaries": 1, "color_trc": 1}
TAGS: dict[str, tuple[dict[str, int], Colour]] = {
    "709 limited": (BT709, Colour("bt709", False)),
    "709 full": ({**BT709, "color_range": FULL}, Colour("bt709", True)),
    "601 PAL": (
        {"color_range": LIMITED, "colorspace": 5, "color_primaries": 5, "color_trc": 6},
        Colour("bt601", False),
    ),
    "601 NTSC": (
        {"color_range": LIMITED, "colorspace": 6, "color_primaries": 6, "color_trc": 6},
        Colour("bt601", False),
    ),
    "2020": (
        {"color_range": LIMITED, "colorspace": 9, "color_primaries": 9, "color_trc": 14},
        Colour("bt2020nc", False),
    ),
}


def read_tags(path: Path) -> dict[str, int]:
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        return {name: int(getattr(picture, name)) for name in BT709}


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv"])
@pytest.mark.parametrize("name", TAGS)
def test_tags_are_kept_and_honoured(tmp_path: Path, name: str, target: str) -> None:
    tags, colour = TAGS[name]
    source = write_clip(tmp_path / "in.mp4", frames=3, **tags)
    assert read_tags(source) == tags, "the clip itself must carry the tags"
    notes = pass_through(source, tmp_path / target)
    assert read_tags(tmp_path / target) == tags
    assert frames_of(source)[0].planes.colour == colour
    assert not any("assumed" in note for note in notes)


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), "bt601"), ((64, 720), "bt709")])
def test_untagged_video_is_assumed_said_and_left_untagged(tmp_path: Path, size: tuple[int, int], matrix: str) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=2, size=size)
    notes = pass_through(source, tmp_path / "out.mp4")
    colour = frames_of(source)[0].planes.colour
    assert (colour.matrix, colour.full_range) == (matrix, False)
    assert any("names no colour matrix" in note and "assumed" in note for note in notes)
    assert read_tags(tmp_path / "out.mp4") == {name: 0 if name == "color_range" else 2 for name in BT709}


def test_reserved_tags_are_tolerated(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=2, colorspace=3, color_primaries=3, color_trc=3)
    pass_through(source, tmp_path / "out.mp4")
    assert frames_of(source)[0].planes.colour.matrix == "bt601"
    assert len(times(tmp_path / "out.mp4")) == 2


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_refused_with_advice(tmp_path: Path, transfer: int) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=2, colorspace=9, color_primaries=9, color_trc=transfer)
    with pytest.raises(HdrNotSupported, match="tone"):
        open_source(source)


def test_full_range_jpeg_video(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mkv", codec="mjpeg", pixel_format="yuvj420p", frames=3, time_base=Fraction(1, 1000)
    )
    frame = frames_of(source)[0]
    assert frame.picture.format.name == "yuvj420p"
    assert frame.planes.colour == Colour("bt601", True)
    pass_through(source, tmp_path / "out.mp4")
    assert read_tags(tmp_path / "out.mp4")["color_range"] == FULL
    before, after = frames_of(source)[2].planes, frames_of(tmp_path / "out.mp4")[2].planes
    assert np.abs(before.y.astype(int) - after.y).mean() < 2, "the levels must not be squeezed on the way"


@pytest.mark.parametrize(("sides", "name"), [((4, 3), "out.mp4"), ((16, 11), "out.mkv")])
def test_sample_aspect_ratio(tmp_path: Path, sides: tuple[int, int], name: str) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=2, sample_aspect_ratio=Fraction(*sides))
    pass_through(source, tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(*sides)


def test_chroma_location(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", frames=2, options={"chroma_sample_location": "topleft"})
    with open_source(source) as opened:
        assert opened.video.colour_tags.chroma_location == "topleft"
    pass_through(source, tmp_path / "out.mp4")
    with open_source(tmp_path / "out.mp4") as written:
        assert written.video.colour_tags.chroma_location == "topleft"


def flat_clip(
    path: Path, rgb: tuple[int, int, int], pixel_format: str, codec: str, size: tuple[int, int], **tags: Any
) -> Path:
    """One colour, written through a lossless codec; RGB formats keep the numbers, others get the given tags' matrix."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        picture = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), rgb, np.uint8), "rgb24")
        if pixel_format != "rgb24":
            matrix = {1: 1, 6: 5, 9: 9}.get(tags.get("colorspace", 0), 5)
            span = tags.get("color_range", LIMITED)
            picture = picture.reformat(
                format=pixel_format, dst_colorspace=matrix, dst_color_range=span, src_color_range=FULL
            )
        picture.pts = 0
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


RED = (255, 0, 0)
# Y'CbCr of pure red: BT.601-7 and BT.709-6 quantisation, limited and full range.
RED_CODES = {("bt601", False): (81, 90, 240), ("bt709", False): (63, 102, 240), ("bt601", True): (76, 85, 255)}


@pytest.mark.parametrize(("size", "matrix"), [((64, 48), "bt601"), ((64, 720), "bt709")])
@pytest.mark.parametrize("pixel_format", ["bgr0", "gbrp"])
def test_rgb_becomes_properly_tagged_video(
    tmp_path: Path, pixel_format: str, size: tuple[int, int], matrix: str
) -> None:
    source = flat_clip(tmp_path / "in.nut", RED, pixel_format, "ffv1" if pixel_format == "bgr0" else "utvideo", size)
    notes = pass_through(source, tmp_path / "out.mp4")
    planes = frames_of(source)[0].planes
    assert planes.colour == Colour(matrix, False)  # type: ignore[arg-type]
    expected = RED_CODES[matrix, False]
    for plane, code in zip((planes.y, planes.u, planes.v), expected, strict=True):
        assert np.abs(plane.astype(int) - code).max() <= 1
    assert any("converted from" in note for note in notes)
    tags = read_tags(tmp_path / "out.mp4")
    assert (tags["colorspace"], tags["color_range"]) == ({"bt601": 6, "bt709": 1}[matrix], LIMITED)


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv410p"])
@pytest.mark.parametrize(("matrix", "span"), [(1, LIMITED), (1, FULL), (6, LIMITED)])
def test_other_yuv_keeps_its_codes(tmp_path: Path, pixel_format: str, matrix: int, span: int) -> None:
    tags = {"colorspace": matrix, "color_range": span}
    rgb = (200, 40, 90)
    source = flat_clip(tmp_path / "in.mkv", rgb, pixel_format, "ffv1", (64, 48), **tags)
    reference = flat_clip(tmp_path / "reference.mkv", rgb, "yuv420p", "ffv1", (64, 48), **tags)
    frame, expected = frames_of(source)[0], frames_of(reference)[0]
    assert frame.picture.format.name == "yuv420p"
    assert frame.planes.colour == expected.planes.colour
    assert frame.planes.colour.full_range == (span == FULL)
    for name in ("y", "u", "v"):
        difference = getattr(frame.planes, name).astype(int) - getattr(expected.planes, name)
        assert np.abs(difference).max() <= 1, name


def test_grey_keeps_its_codes(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="ffv1", pixel_format="gray", frames=2, time_base=Fraction(1, 1000))
    with av.open(str(source)) as container:
        grey = next(container.decode(video=0)).to_ndarray()
    planes = frames_of(source)[0].planes
    assert np.array_equal(planes.y, grey)
    assert (planes.u == 128).all()
    assert (planes.v == 128).all()


@pytest.mark.parametrize("size", [(64, 48), (63, 47), (62, 47), (319, 179)])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12"])
def test_planes_are_views_on_the_decoded_bytes(tmp_path: Path, pixel_format: str, size: tuple[int, int]) -> None:
    codec = "ffv1" if pixel_format == "yuv420p" else "rawvideo"
    name = "in.mkv" if codec == "ffv1" else "in.nut"
    source = write_clip(tmp_path / name, codec=codec, pixel_format=pixel_format, frames=2, size=size)
    with av.open(str(source)) as container:
        expected = next(container.decode(video=0))
    frame = frames_of(source)[0]
    assert frame.picture.format.name == pixel_format
    width, height = size
    chroma_width = (width + 1) // 2
    raw = [
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : width if index == 0 else None]
        for index, plane in enumerate(expected.planes)
    ]
    u, v = (raw[1][:, 0::2], raw[1][:, 1::2]) if pixel_format == "nv12" else raw[1:]
    assert frame.planes.y.shape == (height, width)
    assert np.array_equal(frame.planes.y, raw[0])
    assert np.array_equal(frame.planes.u, u[:, :chroma_width])
    assert np.array_equal(frame.planes.v, v[:, :chroma_width])


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12"])
def test_fresh_pictures_reach_the_file(tmp_path: Path, pixel_format: str) -> None:
    codec, name = ("mjpeg", "in.mkv") if pixel_format == "yuvj420p" else ("rawvideo", "in.nut")
    source_path = write_clip(tmp_path / name, codec=codec, pixel_format=pixel_format, frames=4)
    source = open_source(source_path)
    sink = open_sink(tmp_path / "out.mkv", source, EncoderSettings(crf=1, preset="ultrafast"))
    originals = []
    for frame in source:
        fresh = fresh_like(frame)
        for plane in ("y", "u", "v"):
            getattr(fresh.planes, plane)[:] = getattr(frame.planes, plane)
        originals.append(fresh.planes.y.copy())
        assert (fresh.pts, fresh.time_base, fresh.duration) == (frame.pts, frame.time_base, frame.duration)
        sink.write(fresh)
    sink.close()
    written = [frame.planes.y for frame in frames_of(tmp_path / "out.mkv")]
    assert len(written) == len(originals) == 4
    for before, after in zip(originals, written, strict=True):
        assert np.abs(before.astype(int) - after).max() <= 4


def test_odd_sizes_come_out_padded_and_said(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", codec="ffv1", size=(319, 179), frames=3, time_base=Fraction(1, 1000))
    notes = pass_through(source, tmp_path / "out.mp4", EncoderSettings(crf=1, preset="ultrafast"))
    assert any("odd size 319x179" in note and "320x180" in note for note in notes)
    before, after = frames_of(source)[0].planes, frames_of(tmp_path / "out.mp4")[0].planes
    assert (after.width, after.height) == (320, 180)
    assert np.abs(before.y.astype(int) - after.y[:179, :319]).max() <= 6
    assert np.abs(after.y[:, 319].astype(int) - after.y[:, 318]).max() <= 6


def test_encoder_without_the_pixel_format_keeps_the_levels(tmp_path: Path) -> None:
    source = write_clip(
        tmp_path / "in.mkv", codec="mjpeg", pixel_format="yuvj420p", frames=3, time_base=Fraction(1, 1000)
    )
    pass_through(source, tmp_path / "out.mp4", EncoderSettings(codec="libsvtav1", crf=10, options={"preset": "12"}))
    frame = frames_of(tmp_path / "out.mp4")[0]
    assert frame.planes.colour.full_range
    assert np.abs(frames_of(source)[0].planes.y.astype(int) - frame.planes.y).mean() < 3
