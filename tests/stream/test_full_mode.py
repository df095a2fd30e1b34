"""Mode full from the command line and in Python: real files through networks whose results are known."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from night_clips import REFERENCE_CLIPS, dark_picture, needs_reference_clips, write_dark_clip, write_photo_file
from tiny_bundle import write_picture_bundle, write_tiny_bundle
from typer.testing import CliRunner

from engines import enhance_picture
from engines.errors import BundleError, ModelError
from stream import Pipeline
from stream.cli import app
from stream.media.photos import read_photo, write_photo

pytestmark = pytest.mark.timeout(60)
FAST = {"preset": "ultrafast"}
SEMANTICS = {"embedding": (1, 256, "eh", "ew"), "regions": (1, 4, "rh", "rw")}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    for name, what in (
        ("root", "root"),
        ("same", "same"),
        ("nan", "nan above half"),
        ("half", "half the size"),
        ("mean", "mean of all"),
    ):
        write_picture_bundle(folder / name, what)
    write_picture_bundle(folder / "semantic", "root", SEMANTICS)
    write_tiny_bundle(folder / "curves")
    return folder


@pytest.fixture(autouse=True)
def here(tmp_path, bundles, monkeypatch) -> Path:
    """An empty current folder, with the bundles to be found by name."""
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(bundles))
    monkeypatch.setenv("STREAM_ENHANCE_PRESET", "ultrafast")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_dark_clip(tmp_path_factory.mktemp("clips") / "dark.mp4", frames=12, size=(162, 90), sound=True)


def call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def decoded(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def arrays(frames) -> list[np.ndarray]:
    """All codes of each frame in a row: y, u, v."""
    return [np.concatenate([p.ravel() for p in (f.planes.y, f.planes.u, f.planes.v)]) for f in frames]


def rgb(picture: av.VideoFrame) -> np.ndarray:
    """Untagged small pictures are BT.601, limited range."""
    return picture.to_ndarray(format="rgb24", src_colorspace="ITU601").astype(float) / 255


def write_clip(path: Path, codec: str, pixel_format: str, size: tuple[int, int] = (96, 64), **tags: int) -> Path:
    with av.open(str(path), "w") as container:
        options = {"x265-params": "log-level=error"} if codec == "libx265" else {}
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = Fraction(1, 25)
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for number in range(4):
            picture = dark_picture(number, *size).reformat(format=pixel_format)
            picture.pts, picture.time_base = number, Fraction(1, 25)
            for name, value in tags.items():
                setattr(picture, name, value)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("mode", ["fused", "full"])
def test_a_clip_becomes_brighter_in_both_modes_with_its_times_and_sound(clip, mode):
    result = call(clip, "out.mp4", "--mode", mode, "--model", "root", "--json", "-")
    assert result.exit_code == 0
    record = json.loads(result.stdout)
    assert (record["mode"], record["bundle"]["kind"], record["inputs_not_given"]) == (mode, "picture", [])
    assert (record["frames_in"], record["frames_out"], record["dropped"]) == (12, 12, {})
    assert record["network_runs"] == (6 if mode == "fused" else 12)
    assert ("thumbnail" in record["stages"], "to_rgb" in record["stages"]) == (mode == "fused", mode == "full")
    for stage in ("network", "apply", "enhance"):
        assert record["stages"][stage]["count"] == (record["network_runs"] if stage == "network" else 12)
    before, after = decoded(clip), decoded(Path("out.mp4"))
    assert [frame.pts * frame.time_base for frame in after] == [frame.pts * frame.time_base for frame in before]
    assert np.mean([rgb(f) for f in after]) > 2 * np.mean([rgb(f) for f in before])
    with av.open("out.mp4") as container:
        assert container.streams.audio


def test_frames_are_what_the_network_draws(clip):
    for before, after in zip(decoded(clip), Pipeline(clip, model="root", mode="full").frames(), strict=True):
        wanted, got = np.sqrt(rgb(before)), rgb(after.picture)
        assert np.abs(wanted - got)[20:].mean() < 0.012
        assert np.abs(wanted.mean(axis=(0, 1)) - got.mean(axis=(0, 1))).max() < 0.01


def test_strength_blends_code_by_code(clip):
    runs = [list(Pipeline(clip, model="root", mode="full", strength=s).frames()) for s in (0, 0.5, 1)]
    for before, half, whole in zip(*map(arrays, runs), strict=True):
        assert np.abs(half - (before / 2 + whole / 2)).max() <= 1


@pytest.mark.parametrize("tile", [64, 100, 0])
def test_tiles_give_what_the_whole_frame_gives(clip, tile):
    whole = arrays(Pipeline(clip, model="root", mode="full").frames())
    for want, got in zip(whole, arrays(Pipeline(clip, model="root", mode="full", tile=tile).frames()), strict=True):
        assert np.abs(want.astype(int) - got).max() <= 1


def test_the_size_of_tiles_is_the_one_asked_for(clip):
    """A network that paints all that it sees in one colour: as many colours as the frame has tiles."""
    spread = {}
    for tile in (0, 64, 512):
        frame = next(iter(Pipeline(clip, model="mean", mode="full", tile=tile).frames()))
        spread[tile] = int(np.ptp(frame.planes.y.astype(int)))
    assert spread[0] <= 1
    assert spread[512] <= 1
    assert spread[64] > 5


SOURCES = {
    "10 bit": ("a.mp4", "libx265", "yuv420p10le", {}),
    "4:2:2": ("a.mp4", "libx264", "yuv422p", {}),
    "4:4:4": ("a.mkv", "libx264", "yuv444p", {}),
    "RGB": ("a.mkv", "ffv1", "bgr0", {}),
    "grey": ("a.mkv", "ffv1", "gray", {}),
    "NV12": ("a.mkv", "rawvideo", "nv12", {}),
    "odd": ("a.mkv", "ffv1", "yuv420p", {"size": (95, 63)}),
    "full range": ("a.mkv", "ffv1", "yuv420p", {"color_range": 2, "colorspace": 1}),
    "BT.2020": ("a.mkv", "ffv1", "yuv420p", {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 14}),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_whatever_comes_in_is_drawn_and_keeps_its_tags(kind):
    name, codec, pixel_format, options = SOURCES[kind]
    source = write_clip(Path(name), codec, pixel_format, **options)
    untouched = list(Pipeline(source, strength=0).frames())
    same = list(Pipeline(source, model="same", mode="full").frames())
    for want, got in zip(arrays(untouched), arrays(same), strict=True):
        np.testing.assert_array_equal(got, want)
    assert call(source, "out.mkv", "--mode", "full", "--model", "root").exit_code == 0
    assert call(source, "plain.mkv", "--strength", "0").exit_code == 0
    bright, plain = decoded(Path("out.mkv")), decoded(Path("plain.mkv"))
    assert len(bright) == len(plain) == 4
    for after, before in zip(bright, plain, strict=True):
        for tag in ("width", "height", "color_range", "colorspace", "color_primaries", "color_trc"):
            assert getattr(after, tag) == getattr(before, tag)
        assert after.format.name == before.format.name
        assert after.to_ndarray(format="rgb24").mean() > 2 * before.to_ndarray(format="rgb24").mean()


def test_comparisons_show_the_frame_as_it_came_on_the_left(clip):
    plain = arrays(Pipeline(clip, strength=0).frames())
    drawn = arrays(Pipeline(clip, model="root", mode="full").frames())
    for before, after, both in zip(
        plain, drawn, arrays(Pipeline(clip, model="root", mode="full", compare="split").frames()), strict=True
    ):
        before, after, both = (codes[: 90 * 162].reshape(90, 162) for codes in (before, after, both))
        np.testing.assert_array_equal(both[:, :80], before[:, :80])
        np.testing.assert_array_equal(both[:, 84:], after[:, 84:])


def test_frames_without_numbers_stay_as_they_came_and_are_counted(clip):
    pipeline = Pipeline(clip, Path("out.mp4"), model="nan", mode="full", **FAST)
    summary = pipeline.run()
    assert (summary.frames_out, summary.network_failures, summary.network_runs) == (12, 12, 0)
    assert any("12 times; those frames are as they came" in note for note in summary.notes)
    plain = arrays(Pipeline(clip, strength=0).frames())
    for want, got in zip(plain, arrays(Pipeline(clip, model="nan", mode="full").frames()), strict=True):
        np.testing.assert_array_equal(got, want)


def test_one_bad_frame_spoils_no_other(here):
    with av.open("a.mkv", "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(5):
            codes = np.full((96, 96), 200 if number == 2 else 40, np.uint8)
            codes[64:] = 128
            picture = av.VideoFrame.from_ndarray(codes, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    summary = Pipeline("a.mkv", "out.mkv", model="nan", mode="full").run()
    assert (summary.network_runs, summary.network_failures) == (4, 1)
    luma = [int(frame.planes.y[32, 40]) for frame in Pipeline("a.mkv", model="nan", mode="full").frames()]
    assert luma[2] == 200
    assert len({*luma[:2], *luma[3:]}) == 1
    assert luma[0] > 100


def test_a_network_that_never_fits_ends_the_run_with_nothing_written(clip, here):
    with pytest.raises(ModelError, match="where"):
        Pipeline(clip, "out.mp4", model="half", mode="full").run()
    assert call(clip, "out.mp4", "--mode", "full", "--model", "half").exit_code == 1


@pytest.mark.parametrize("suffix", [".mp4", ".png"])
def test_a_bundle_that_predicts_curves_is_refused_before_anything_is_written(clip, here, suffix):
    source = clip
    if suffix == ".png":
        source = here / "in.png"
        write_photo_file(source, dark_picture(0, 64, 48))
    result = call(source, f"out{suffix}", "--mode", "full", "--model", "curves")
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert (result.exit_code, len(errors)) == (2, 1)
    assert "'curves' (kind grid) predicts tone curves" in errors[0]
    assert "Use mode fused" in errors[0]
    assert "root" in errors[0].rpartition("kind picture:")[2]
    assert not Path(f"out{suffix}").exists()
    assert call(source, f"out{suffix}", "--model", "curves").exit_code == 0


def test_the_environment_and_bad_values(clip, monkeypatch):
    monkeypatch.setenv("STREAM_ENHANCE_MODE", "full")
    with pytest.raises(BundleError, match="mode full"):
        Pipeline(clip, "out.mp4", model="curves").run()
    assert call(clip, "--mode", "whole").stderr == "error: --mode: whole is not one of fused, full.\n"
    assert call(clip, "--tile", "20").stderr.startswith("error: --tile: 20 is too small for a tile")
    assert call(clip, "--tile", "-1").stderr == "error: --tile: -1 is not in 0..16384.\n"


@pytest.mark.parametrize("mode", ["fused", "full"])
def test_what_a_model_could_know_and_was_not_told_is_said(clip, mode):
    result = call(clip, "out.mp4", "--mode", mode, "--model", "semantic", "--json", "out.json")
    assert result.exit_code == 0
    assert result.stderr.count("no segmenter is installed: every region is treated alike") == 1
    assert "stream-enhance models pull" in result.stderr
    off = call(clip, "off.mp4", "--mode", mode, "--model", "semantic", "--sam-every", "off")
    assert "can use embedding and regions beside the picture; none was given" in off.stderr
    assert json.loads(Path("out.json").read_text())["inputs_not_given"] == ["embedding", "regions"]
    without = arrays(Pipeline(clip, model="root", mode=mode).frames())
    for want, got in zip(without, arrays(Pipeline(clip, model="semantic", mode=mode).frames()), strict=True):
        np.testing.assert_array_equal(got, want)


def test_doctor_and_models_say_what_bundles_can_use():
    for command, column in (("doctor", 1), ("models", 0)):
        words = [line.split() for line in call(command).stdout.splitlines()]
        lines = {line[column]: " ".join(line) for line in words if len(line) > 2}
        assert "can use embedding and regions beside the picture" in lines["semantic"]
        assert "can use" not in lines["root"]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_photos_are_drawn_as_numpy_users_get_them(suffix, bundles):
    write_photo_file(Path(f"in{suffix}"), dark_picture(0, 121, 75))
    result = call(f"in{suffix}", "--mode", "full", "--model", "root", "--tile", 64, "--json", "-")
    assert (result.exit_code, json.loads(result.stdout)["mode"]) == (0, "full")
    dark, bright = read_photo(Path(f"in{suffix}"))[0], read_photo(Path(f"in.enhanced{suffix}"))[0]
    assert bright.shape == dark.shape
    if suffix == ".png":
        np.testing.assert_array_equal(bright, enhance_picture(dark, bundles / "root", mode="full", tile=64))
        np.testing.assert_allclose(bright, 255 * np.sqrt(dark / 255), atol=0.51)


def test_comparisons_and_strength_of_photos(bundles):
    dark = np.random.default_rng(0).integers(0, 90, (40, 61, 3), dtype=np.uint8)
    write_photo(Path("in.png"), dark)
    Pipeline("in.png", "out.png", model="root", mode="full", strength=0.5, compare="side").run()
    joined = read_photo(Path("out.png"))[0]
    np.testing.assert_array_equal(joined[:, :61], dark)
    np.testing.assert_array_equal(joined[:, 63:], enhance_picture(dark, bundles / "root", 0.5, "full"))


@needs_reference_clips
def test_both_modes_agree_about_a_real_night():
    """The shipped network through the bridge and as it is: the same scene, as bright within a few codes."""
    runs = [Pipeline(REFERENCE_CLIPS / "city-night.mpg", model="sci", mode=mode).frames() for mode in ("fused", "full")]
    for _, fused, full in zip(range(2), *runs, strict=False):
        assert fused.planes.y.shape == full.planes.y.shape
        assert abs(fused.planes.y.mean() - full.planes.y.mean()) < 4
        assert full.planes.y.mean() > 40
    for run in runs:
        run.close()


def test_a_photo_without_numbers_fails_with_nothing_written():
    write_photo(Path("in.png"), np.full((40, 61, 3), 200, np.uint8))
    result = call("in.png", "out.png", "--mode", "full", "--model", "nan")
    assert result.exit_code == 1
    assert "error: bundle 'nan' gave NaN or infinity for this picture" in result.stderr
    assert not Path("out.png").exists()
