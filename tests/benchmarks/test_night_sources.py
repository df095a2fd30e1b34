"""What night clips are made of, what is refused, and what the command writes."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.night import make_clip, to_rgb
from benchmarks.night.__main__ import main
from benchmarks.night.encode import read_video, write_video
from benchmarks.night.sheet import contact_sheet
from benchmarks.night.sources import photographs, pictures, texture
from benchmarks.night.world import covering

PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "exposures" / "val"


def test_folders_of_brackets_and_of_pictures(tmp_path: Path) -> None:
    for i, scene in enumerate(("one", "two")):
        (tmp_path / scene).mkdir()
        cv2.imwrite(str(tmp_path / scene / "reference.png"), np.full((40, 60, 3), 100 + i, np.uint8))
        cv2.imwrite(str(tmp_path / scene / "exposure_0.png"), np.zeros((40, 60, 3), np.uint8))
    assert [p.parent.name for p in photographs(tmp_path)] == ["one", "two"]
    assert [int(p[0, 0, 0]) for p in islice(pictures(tmp_path, 1), 3)] == [101, 100, 101]
    assert len(photographs(tmp_path / "one")) == 1
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="no photographs"):
        photographs(tmp_path / "none")


def test_a_picture_is_stretched_a_little_then_mirrored() -> None:
    square = texture(0, 90, 90)
    wide = covering(square, 320, 180)
    assert wide.shape == (180, 320, 3)
    assert (wide[:, :25] == wide[:, 49:24:-1]).all()
    assert covering(texture(0, 400, 200), 160, 90).shape == (90, 160, 3)


def test_moving_pictures_are_darkened_and_say_that_their_motion_is_unknown(tmp_path: Path) -> None:
    bright = make_clip("pan", "mild", 0, size=(160, 90), frames=8, source="texture", crf=None).quiet
    write_video(bright, tmp_path / "bright.mp4", 25, 10)
    clip = make_clip("enter", "mid", size=(96, 64), frames=8, source=tmp_path / "bright.mp4", crf=None)
    assert not clip.motion_known
    assert np.abs(clip.clean[7].astype(int) - clip.clean[0]).mean() > 1
    assert clip.masks[-1].any()
    with pytest.raises(ValueError, match="8 frames, 9 are wanted"):
        make_clip("enter", frames=9, source=tmp_path / "bright.mp4")
    with pytest.raises(ValueError, match="photographs"):
        make_clip("cuts", frames=8, source=tmp_path / "bright.mp4")


def test_what_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="black-start"):
        make_clip("sunset")
    with pytest.raises(ValueError, match="even sides"):
        make_clip("pan", size=(321, 180))
    with pytest.raises(ValueError, match="at least one frame"):
        make_clip("pan", frames=0)


def test_command_writes_clip_truth_and_sheet(tmp_path: Path) -> None:
    given = ["--scenario", "pan", "--size", "96x64", "--frames", "5", "--source", "texture", "--lossless"]
    assert main([str(tmp_path), *given]) == 0
    (video,) = tmp_path.glob("*.mp4")
    clip = make_clip("pan", size=(96, 64), frames=5, source="texture", crf=None)
    assert all((a.y == b.y).all() for a, b in zip(read_video(video), clip.dark, strict=True))
    truth = np.load(video.with_suffix(".npz"))
    assert (truth["clean"] == clip.clean).all()
    assert (truth["masks"] == clip.masks).all()
    assert np.abs(truth["flow"] - clip.flow).max() < 0.02
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet is not None
    assert sheet.shape == contact_sheet(clip).shape


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the reference photographs are not here")
def test_photographs_at_level_mid_are_as_dark_as_the_benchmark_wants() -> None:
    clip = make_clip("pan", "mid", 7, frames=3, source=PHOTOGRAPHS, crf=None)
    shown = to_rgb(clip.dark[2]).astype(float)
    psnr = 20 * np.log10(255 / np.sqrt(np.mean((shown - clip.clean[2]) ** 2)))
    assert 7 < psnr < 13
    assert 60 < clip.clean[2].mean() < 180
