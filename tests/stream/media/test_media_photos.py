"""Photos come out upright, of the same kind, with their tags."""

from __future__ import annotations

import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stream import errors
from stream.media import photos
from stream.media.photo_tags import copy_photo_tags, orientation
from stream.media.photos import check_photo_target, read_photo, write_photo


def scene(height: int = 47, width: int = 63) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    rgb = np.stack([columns * 3, rows * 4, (columns + rows) * 2], axis=-1).astype(np.uint8)
    rgb[8:20, 8:20] = (255, 0, 0)
    rgb[8:20, 30:44] = (0, 255, 0)
    return rgb


def exif(turn: int, order: str = "<") -> bytes:
    """A TIFF directory with a camera maker and an orientation."""
    head = (b"II*\x00" if order == "<" else b"MM\x00*") + struct.pack(order + "I", 8)
    maker = struct.pack(order + "HHI4s", 0x010F, 2, 4, b"Cam\x00")
    turned = struct.pack(order + "HHIHH", 0x0112, 3, 1, turn, 0)
    return head + struct.pack(order + "H", 2) + maker + turned + struct.pack(order + "I", 0)


def tagged(path: Path, turn: int, order: str = "<") -> Path:
    """Puts EXIF data and a colour profile into a JPEG or a PNG."""
    data = path.read_bytes()
    tiff = exif(turn, order)
    if path.suffix == ".jpg":
        parts = b""
        for marker, content in ((b"\xe1", b"Exif\x00\x00" + tiff), (b"\xe2", b"ICC_PROFILE\x00\x01\x01profile")):
            parts += b"\xff" + marker + struct.pack(">H", len(content) + 2) + content
        path.write_bytes(data[:2] + parts + data[2:])
    else:
        parts = b""
        for kind, content in ((b"eXIf", tiff), (b"iCCP", b"p\x00\x00" + zlib.compress(b"profile"))):
            parts += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        path.write_bytes(data[:33] + parts + data[33:])
    return path


@pytest.mark.parametrize(("name", "worst"), [("a.png", 0), ("a.jpg", 1), ("a.jpeg", 1), ("a.webp", 5)])
def test_pixels_survive(tmp_path: Path, name: str, worst: float) -> None:
    assert write_photo(tmp_path / name, scene()) == []
    rgb, notes = read_photo(tmp_path / name)
    assert notes == []
    difference = np.abs(rgb.astype(int) - scene())
    assert difference.mean() <= worst  # lossy WebP has chroma at half size
    for place, colour in (((14, 14), (255, 0, 0)), ((14, 37), (0, 255, 0))):
        assert np.abs(rgb[place].astype(int) - colour).max() <= 3, "pure colours must keep their matrix and range"
    assert [path.name for path in tmp_path.iterdir()] == [name]


# What a viewer does with each EXIF orientation to show the stored picture upright.
TURNS = {
    1: lambda rgb: rgb,
    2: lambda rgb: rgb[:, ::-1],
    3: lambda rgb: np.rot90(rgb, 2),
    4: lambda rgb: rgb[::-1],
    5: lambda rgb: rgb.transpose(1, 0, 2),
    6: lambda rgb: np.rot90(rgb, -1),
    7: lambda rgb: np.rot90(rgb, 2).transpose(1, 0, 2),
    8: lambda rgb: np.rot90(rgb, 1),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_orientation_is_applied_once(tmp_path: Path, suffix: str, turn: int, order: str) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    write_photo(source, scene())
    tagged(source, turn, order)
    rgb, _ = read_photo(source)
    upright = TURNS[turn](scene())
    assert rgb.shape == upright.shape
    assert np.abs(rgb.astype(int) - upright).mean() <= 2
    write_photo(target, rgb, like=source)
    assert orientation(source.read_bytes()) == turn
    assert orientation(target.read_bytes()) == 1
    again, _ = read_photo(target)
    assert np.abs(again.astype(int) - upright).mean() <= 3


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_tags_are_copied(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    write_photo(source, scene())
    tagged(source, 6)
    write_photo(target, scene(), like=source)
    data = target.read_bytes()
    assert exif(1) in data, "all of the EXIF data, with the orientation set to upright"
    profile = b"ICC_PROFILE\x00\x01\x01profile" if suffix == ".jpg" else zlib.compress(b"profile")
    assert data.count(profile) == 1
    with av.open(str(target)) as container:
        assert next(container.decode(video=0)).to_ndarray(format="rgb24").shape == scene().shape


@pytest.mark.parametrize(("source", "target"), [("in.jpg", "out.png"), ("in.png", "out.jpg")])
def test_camera_tags_cross_kinds(tmp_path: Path, source: str, target: str) -> None:
    write_photo(tmp_path / source, scene())
    tagged(tmp_path / source, 8)
    write_photo(tmp_path / target, scene(), like=tmp_path / source)
    assert exif(1) in (tmp_path / target).read_bytes()
    assert read_photo(tmp_path / target)[0].shape == scene().shape


def test_damaged_tags_do_no_harm() -> None:
    for tiff in (b"", b"II", b"II*\x00\xff\xff\xff\xff", b"MM\x00*\x00\x00\x00\x08\xff\xff" + bytes(20)):
        jpeg = b"\xff\xd8\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\x00\x00" + tiff + b"\xff\xda"
        assert orientation(jpeg) == 1
        copy_photo_tags(jpeg, b"\xff\xd8\xff\xdb\x00\x02\xff\xda")


def test_losses_are_named(tmp_path: Path) -> None:
    for name, pixel_format, word in (("a.png", "rgba", "transparency"), ("b.png", "rgb48be", "8 bits")):
        picture = av.VideoFrame.from_ndarray(scene(), "rgb24").reformat(format=pixel_format)
        context = av.CodecContext.create("png", "w")
        context.width, context.height, context.pix_fmt, context.time_base = 63, 47, pixel_format, Fraction(1, 25)
        (tmp_path / name).write_bytes(b"".join(map(bytes, [*context.encode(picture), *context.encode(None)])))
        rgb, notes = read_photo(tmp_path / name)
        assert any(word in note for note in notes)
        assert np.abs(rgb.astype(int) - scene()).max() <= 1


def test_a_percent_sign_is_no_pattern(tmp_path: Path) -> None:
    write_photo(tmp_path / "night%03d.png", scene())
    assert np.array_equal(read_photo(tmp_path / "night%03d.png")[0], scene())


def test_wrong_photos_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    for name, error in (
        ("missing.png", errors.InputNotFound),
        ("text.png", errors.NotAVideo),
        ("cut.png", errors.NotAVideo),
    ):
        with pytest.raises(error):
            read_photo(tmp_path / name)
    with pytest.raises(errors.UnsupportedContainer, match=r"\.png"):
        check_photo_target(tmp_path / "out.bmp")
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.OutputNotWritable):
        write_photo(tmp_path / "file" / "out.png", scene())


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("stream.media.sinks.partial.os.write", full)
    with pytest.raises(errors.DiskFull):
        photos.write_photo(tmp_path / "out.png", scene())
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []
