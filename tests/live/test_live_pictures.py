"""What a connection makes of streams: key frames, interlacing, formats, changes on the way, colours, pace."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Stream
from live_collector import UNSHAKEN, Collector

from stream.errors import HdrNotSupported, InputNotFound, NothingDecodable, StreamError
from stream.media.colour import ColourTags, put_tags
from stream.media.frame import Frame
from stream.media.notes import Notes
from stream.media.sources.connection import Connection, SourceOptions, open_connection
from stream.media.sources.demuxed import DemuxedConnection
from stream.media.sources.live_pictures import LivePictures

ONCE = SourceOptions(options={"loop": "0"})


def clip(
    path: Path,
    count: int = 25,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    rate: int = 100,
    **options: str,
) -> Path:
    """A short clip, its pictures brighter and brighter; 100 a second, so that real time does not take long."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options={"g": "10", "bf": "0", **options})
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.thread_count = 1
        for number in range(count):
            grey = np.full((size[1], size[0], 3), 20 + 4 * number, np.uint8)
            picture = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=pixel_format)
            picture.pts, picture.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def frames_of(connection: Connection) -> list[Frame]:
    try:
        return [item for item in connection if isinstance(item, Frame)]
    finally:
        connection.close()


def test_decoding_begins_at_a_key_frame_and_what_was_before_is_counted(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.ts", 30).read_bytes()
    for start in range(0, len(whole), 188):
        (tmp_path / "cut.ts").write_bytes(whole[:376] + whole[376 + start :])  # tables, then from somewhere on
        try:
            connection = open_connection(f"live:{tmp_path / 'cut.ts'}", ONCE)
        except StreamError:
            continue
        if connection.before_key_frame:
            break
        connection.close()
    found = frames_of(connection)
    assert found[0].key_frame
    assert 0 < connection.before_key_frame < 10
    assert len(found) < 30
    assert all(frame.picture.is_corrupt is False for frame in found)


class Counting(DemuxedConnection):
    """Counts what went into the decoder."""

    read = 0

    def _packets(self) -> Iterator[av.Packet[Stream]]:
        for packet in super()._packets():
            self.read += packet.size > 0
            yield packet


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video"])
def test_decoding_holds_no_picture_back(tmp_path: Path, codec: str) -> None:
    tune = {"tune": "zerolatency", "x265-params": "log-level=none"} if codec.startswith("lib") else {}
    path = clip(tmp_path / "clip.ts", codec=codec, rate=25, **tune)
    connection = Counting(av.open(str(path)), str(path))
    at = [connection.read for item in connection if isinstance(item, Frame)]
    connection.close()
    assert at == list(range(1, 26))


@pytest.mark.parametrize("pixel_format", ["yuv422p", "yuv444p", "yuv420p10le"])
def test_other_formats_become_planes(tmp_path: Path, pixel_format: str) -> None:
    connection = open_connection(f"live:{clip(tmp_path / 'clip.mkv', pixel_format=pixel_format)}", ONCE)
    found = frames_of(connection)
    assert len(found) == 25
    assert {frame.picture.format.name for frame in found} == {"yuv420p"}
    assert connection.video.pixel_format == pixel_format
    assert connection.video.frame_format == "yuv420p"
    assert any("converted" in note for note in connection.notes)


def test_motion_jpeg(tmp_path: Path) -> None:
    found = frames_of(open_connection(f"live:{clip(tmp_path / 'c.mkv', codec='mjpeg', pixel_format='yuvj420p')}", ONCE))
    assert len(found) == 25
    assert found[0].planes.colour.full_range


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_is_refused_and_not_tried_again_soon(tmp_path: Path, transfer: str) -> None:
    path = clip(tmp_path / "hdr.mkv", color_trc=transfer, colorspace="bt2020nc", color_primaries="bt2020")
    with pytest.raises(HdrNotSupported) as failure:
        open_connection(f"live:{path}", ONCE)
    assert failure.value.retry_slowly


def test_interlaced_video_is_deinterlaced_with_its_times(tmp_path: Path) -> None:
    path = clip(tmp_path / "i.ts", flags="+ildct+ilme", **{"x264-params": "interlaced=1:tff=1"})
    connection = open_connection(f"live:{path}", ONCE)
    found = frames_of(connection)
    assert any("interlaced" in note for note in connection.notes)
    assert len(found) >= 23, "one or two are held back at the end of a live stream"
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(found))
    assert all(not frame.picture.interlaced_frame for frame in found)


def test_reordered_pictures_come_in_order_with_the_arrival_of_their_own_packets(tmp_path: Path) -> None:
    path = clip(tmp_path / "b.ts", bf="3", b_strategy="0")
    found = frames_of(open_connection(f"live:{path}", ONCE))
    assert len(found) == 25
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(found))


def test_a_stream_that_changes_size_and_format_is_never_scaled(tmp_path: Path) -> None:
    """Two transport streams with one set of tables behind each other, as from a camera that was set anew."""
    one = clip(tmp_path / "one.ts").read_bytes()
    two = clip(tmp_path / "two.ts", size=(128, 96), pixel_format="yuv422p").read_bytes()
    (tmp_path / "both.ts").write_bytes(one + two)
    connection = open_connection(f"live:{tmp_path / 'both.ts'}", ONCE)
    sizes = [(frame.planes.width, frame.planes.height, connection.video.width) for frame in connection]
    connection.close()
    assert [size for size, _ in itertools.groupby(sizes)] == [(64, 48, 64), (128, 96, 128)]


def test_colours_that_change_on_the_way_are_followed() -> None:
    pictures = LivePictures("cam", "h264", Fraction(1, 25), None, None, Notes())
    seen = []
    for pts, tags in enumerate(
        [
            ColourTags(1, 6),
            ColourTags(1, 6),
            ColourTags(1, 1),
            ColourTags(2, 1),
            ColourTags(2, 9, 9, 14),
            ColourTags(1, 1),
        ]
    ):
        picture = av.VideoFrame(64, 48, "yuv420p")
        picture.pts = pts
        put_tags(picture, tags)
        (frame,) = pictures.take(picture)
        assert pictures.video is not None
        seen.append((frame.planes.colour.matrix, frame.planes.colour.full_range, id(pictures.video)))
        assert pictures.video.colour_tags == tags
    assert [colour[:2] for colour in seen] == [
        ("bt601", False), ("bt601", False), ("bt709", False), ("bt709", True), ("bt2020nc", True), ("bt709", False),
    ]  # fmt: skip
    assert seen[0][2] == seen[1][2] != seen[2][2], "described anew after a change, and only then"
    hdr = av.VideoFrame(64, 48, "yuv420p")
    hdr.pts = 9
    put_tags(hdr, ColourTags(1, 9, 9, 16))
    with pytest.raises(HdrNotSupported, match="PQ"):
        list(pictures.take(hdr))


def test_each_frame_has_the_arrival_of_its_own_packet() -> None:
    """Packets arrive in the order 0 3 1 2, pictures come out in the order 0 1 2 3."""
    pictures = LivePictures("cam", "h264", Fraction(1, 25), None, None, Notes())
    found = []
    for pts, ready in ((0, [0]), (3, []), (1, [1]), (2, [2, 3])):
        pictures.arrived(pts, 100.0 + pts)
        for number in ready:
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts = number
            found += list(pictures.take(picture))
    assert [frame.captured_at for frame in found] == [100.0, 101.0, 102.0, 103.0]
    for number in range(1000):  # packets that never become pictures
        pictures.arrived(10_000 + number, 0.0)
    assert len(pictures._arrivals) <= 128


def test_the_shape_of_pixels_comes_along_and_a_turn_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(16, 11)
        stream.set_display_rotation(90)
        for number in range(5):
            picture = av.VideoFrame(64, 48, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    connection = open_connection(f"live:{path}", ONCE)
    assert {frame.sample_aspect_ratio for frame in frames_of(connection)} == {Fraction(16, 11)}
    assert any("as it is stored" in note for note in connection.notes), connection.notes


def test_undecodable_video_is_an_error(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mkv")
    container = av.open(str(path))
    whole = DemuxedConnection._decode
    try:
        DemuxedConnection._decode = lambda self, packet: []  # type: ignore[assignment, method-assign]
        with pytest.raises(NothingDecodable):
            DemuxedConnection(container, str(path))
    finally:
        DemuxedConnection._decode = whole  # type: ignore[method-assign]


def test_a_file_is_played_at_its_pace_and_over_and_over(tmp_path: Path) -> None:
    path = clip(tmp_path / "clip.mp4", rate=50)
    with Collector(f"live:{path}", *UNSHAKEN) as reading:
        frames = reading.wait_frames(60)
    assert reading.source.generation == 1, "beginning again is no disconnect"
    steps = [later.pts - earlier.pts for earlier, later in itertools.pairwise(frames)]
    assert min(steps) > 0
    assert frames[59].time == pytest.approx(59 / 50, abs=1.1)
    assert frames[59].captured_at - frames[0].captured_at >= 0.9 * 59 / 50
    luma = [int(frame.planes.y[0, 0]) for frame in frames]
    assert luma[25] == luma[0] != luma[24]


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(InputNotFound):
        open_connection("live:/no/such/clip.mp4", ONCE)


@pytest.mark.parametrize("tagged", ["bt709", "smpte170m", ""])
def test_colours_follow_the_tags(tmp_path: Path, tagged: str) -> None:
    options = {"colorspace": tagged} if tagged else {}
    connection = open_connection(f"live:{clip(tmp_path / 'clip.mkv', **options)}", ONCE)
    frame = frames_of(connection)[0]
    assert frame.planes.colour.matrix == ("bt709" if tagged == "bt709" else "bt601")
    assert any("assumed" in note for note in connection.notes) == (not tagged)


def test_whatever_is_opened_meets_the_contract(tmp_path: Path) -> None:
    opening: Callable[[str, SourceOptions], Connection] = open_connection
    connection = opening(f"live:{clip(tmp_path / 'clip.mkv')}", ONCE)
    assert (connection.damaged, connection.before_key_frame, connection.streams) == (0, 0, [])
    assert connection.video.time_base == next(iter(connection)).time_base
    connection.stop()
    assert list(connection) == []
    connection.close()
