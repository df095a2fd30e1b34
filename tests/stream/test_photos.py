"""Photos: reading upright and in full colour, writing PNG exactly and JPEG closely, comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from stream import Pipeline, Settings
from stream.compare import compare_photos
from stream.errors import NotAVideo, OutputExists, OutputIsInput, PhotoHasNoFrames, UnsupportedContainer
from stream.media.photos import read_photo, write_photo
from stream.photos import PhotoRun
from stream.telemetry import Telemetry


@pytest.fixture
def picture() -> np.ndarray:
    """A dark colourful gradient, 61 x 95."""
    rows, columns = np.mgrid[0:61, 0:95]
    return np.stack([columns * 0.6, rows * 0.8, (rows + columns) * 0.3], axis=-1).astype(np.uint8)


def test_png_keeps_every_byte(picture, tmp_path):
    write_photo(tmp_path / "a.png", picture)
    read, notes = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(read, picture)
    assert notes == []


def test_jpeg_is_close_in_all_three_channels(picture, tmp_path):
    write_photo(tmp_path / "a.jpg", picture)
    read, _ = read_photo(tmp_path / "a.jpg")
    difference = np.abs(read.astype(int) - picture)
    assert difference.max() <= 12
    assert (difference.mean(axis=(0, 1)) < 2).all()


def test_strength_zero_returns_a_png_as_it_was(picture, tmp_path):
    write_photo(tmp_path / "a.png", picture)
    Pipeline(tmp_path / "a.png", tmp_path / "b.png", strength=0).run()
    np.testing.assert_array_equal(read_photo(tmp_path / "b.png")[0], picture)


def test_a_photo_is_enhanced_like_numpy_users_do_it(picture, tiny_bundle, tmp_path):
    from engines import enhance_picture

    write_photo(tmp_path / "a.png", picture)
    summary = Pipeline(tmp_path / "a.png", model=tiny_bundle).run()
    enhanced, _ = read_photo(tmp_path / "a.enhanced.png")
    np.testing.assert_array_equal(enhanced, enhance_picture(picture, tiny_bundle))
    assert enhanced.mean() > picture.mean() + 10
    assert (summary.frames_in, summary.frames_out, summary.width, summary.height) == (1, 1, 95, 61)


def test_comparisons_of_photos(picture, tiny_bundle, tmp_path):
    write_photo(tmp_path / "a.png", picture)
    for how, width in (("split", 95), ("side", 95 * 2 + 2)):
        Pipeline(tmp_path / "a.png", tmp_path / f"{how}.png", model=tiny_bundle, compare=how).run()
        joined, _ = read_photo(tmp_path / f"{how}.png")
        assert joined.shape == (61, width, 3)
        np.testing.assert_array_equal(joined[:, :45], picture[:, :45])
        assert joined[:, -40:].mean() > picture[:, -40:].mean() + 10


@pytest.mark.parametrize(("width", "line"), [(1, 2), (2, 2), (95, 2), (1920, 2), (3840, 4), (6001, 6)])
def test_the_line_of_a_photo_is_as_wide_as_that_of_a_frame(width, line):
    before, after = np.full((3, width, 3), 40, np.uint8), np.full((3, width, 3), 150, np.uint8)
    side, split = compare_photos(before, after, "side"), compare_photos(before, after, "split")
    assert side.shape == (3, 2 * width + line, 3)
    assert (side[:, width : width + line] == 255).all()
    assert split.shape == after.shape
    seam = width // 2
    assert (split[:, :seam] == 40).all()
    assert (split[:, seam : seam + line] == 255).all()
    assert (split[:, seam + line :] == 150).all()
    assert compare_photos(before, after, "none") is after
    assert (after == 150).all()


def test_frames_of_a_photo_are_refused_with_advice(picture, tmp_path):
    write_photo(tmp_path / "a.jpg", picture)
    with pytest.raises(PhotoHasNoFrames, match=r"a\.jpg is a photo.*run\(\).*enhance_picture"):
        next(Pipeline(tmp_path / "a.jpg", strength=0).frames())
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_transparency_and_depth_that_are_lost_are_named(tmp_path):
    import av

    for name, pixel_format, text in (("alpha.png", "rgba", "transparency"), ("deep.png", "rgb48be", "8 bits")):
        deep = av.VideoFrame(16, 16, pixel_format)
        context = av.CodecContext.create("png", "w")
        context.width, context.height, context.pix_fmt, context.time_base = 16, 16, pixel_format, deep.time_base or 1
        (tmp_path / name).write_bytes(b"".join(map(bytes, [*context.encode(deep), *context.encode(None)])))
        rgb, notes = read_photo(tmp_path / name)
        assert rgb.shape == (16, 16, 3)
        assert any(text in note for note in notes)


def test_photos_obey_the_rules_for_outputs(picture, tmp_path):
    write_photo(tmp_path / "a.png", picture)
    write_photo(tmp_path / "taken.png", picture)
    for target, error in (("a.png", OutputIsInput), ("taken.png", OutputExists), ("a.mp4", UnsupportedContainer)):
        with pytest.raises(error):
            Pipeline(tmp_path / "a.png", tmp_path / target, strength=0).run()


def test_a_text_file_is_no_photo(tmp_path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(NotAVideo):
        Pipeline(tmp_path / "a.png", strength=0).run()


def test_an_abort_in_time_writes_nothing(picture, tmp_path):
    write_photo(tmp_path / "a.png", picture)
    telemetry = Telemetry()
    run = PhotoRun(tmp_path / "a.png", tmp_path / "b.png", lambda: None, Settings(), telemetry)
    run.abort()
    run.start()
    assert run.wait(10)
    assert telemetry.snapshot().dropped == {"aborted": 1}
    assert not (tmp_path / "b.png").exists()
