"""What each scenario of the night-video generator promises to those who measure with it."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest

from benchmarks.night import SCENARIOS, NightClip, make_clip

SIZE = (320, 180)


@cache
def made(scenario: str, frames: int = 12, level: str = "mid", seed: int = 3) -> NightClip:
    return make_clip(scenario, level, seed, size=SIZE, frames=frames, source="texture", crf=None)


def carried(clip: NightClip, t: int) -> np.ndarray:
    """The target of the frame before, moved by the true motion into frame ``t``."""
    width, height = clip.size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(clip.clean[t - 1], x + clip.flow[t, ..., 0], y + clip.flow[t, ..., 1], cv2.INTER_LINEAR)


def light_of(clip: NightClip, t: int) -> np.ndarray:
    """Luma of the noise-free dark frame, 0..1."""
    return (clip.quiet[t].y.astype(np.float64) - 16) / 219


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_shapes_and_first_frame(scenario: str) -> None:
    clip = made(scenario)
    n, (width, height) = 12, SIZE
    assert len(clip) == len(clip.quiet) == n
    assert clip.size == SIZE
    assert clip.clean.shape == (n, height, width, 3)
    assert clip.flow.shape == (n, height, width, 2)
    assert clip.flow.dtype == np.float32
    assert clip.visible.shape == clip.masks.shape == (n, height, width)
    assert clip.dark[0].y.shape == (height, width)
    assert not clip.visible[0].any()
    assert not clip.flow[0].any()
    assert clip.noise == (0.0012, 0.002)
    assert clip.encoded is None


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_motion_carries_the_target_of_one_frame_into_the_next(scenario: str) -> None:
    clip = made(scenario)
    for t in range(1, len(clip)):
        seen = clip.visible[t]
        if t in clip.cuts:
            assert not seen.any()
            continue
        assert seen.mean() > 0.8
        error = np.abs(carried(clip, t).astype(int) - clip.clean[t])[seen]
        assert np.median(error) <= 1.5
        assert np.quantile(error, 0.95) <= 8


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_objects_keep_their_numbers_along_their_motion(scenario: str) -> None:
    clip = made(scenario)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    for t in range(1, len(clip)):
        was_x = np.rint(x + clip.flow[t, ..., 0]).astype(int).clip(0, SIZE[0] - 1)
        was_y = np.rint(y + clip.flow[t, ..., 1]).astype(int).clip(0, SIZE[1] - 1)
        same = clip.masks[t - 1][was_y, was_x] == clip.masks[t]
        assert same[clip.visible[t]].all()


def test_static_is_the_same_picture_under_fresh_noise() -> None:
    clip = made("static")
    assert (clip.clean == clip.clean[0]).all()
    assert not clip.flow.any()
    assert clip.visible[1:].all()
    assert all((planes.y == clip.quiet[0].y).all() for planes in clip.quiet)
    assert np.mean(clip.dark[1].y != clip.dark[2].y) > 0.3
    assert set(np.unique(clip.masks)) == {0, 1, 2}


def test_pan_moves_by_whole_pixels_and_exactly() -> None:
    clip = made("pan")
    for t in range(1, len(clip)):
        ground = clip.masks[t] == 0
        assert (clip.flow[t][ground] == (2, 0)).all()
        kept = ground & clip.visible[t]
        assert not kept[:, -2:].any()
        assert (carried(clip, t)[kept] == clip.clean[t][kept]).all()
    assert set(np.unique(clip.masks)) == {0, 1, 2, 3}


def test_ptz_zooms_and_shakes() -> None:
    clip = made("ptz", 20)
    spread = [np.ptp(clip.flow[t, ..., 0][clip.masks[t] == 0]) for t in range(1, 20)]
    assert max(spread) > 1
    turns = np.diff(clip.flow[1:, 5, 5, 1])
    assert (np.sign(turns[1:]) != np.sign(turns[:-1])).sum() >= 4


def test_a_bright_thing_enters_and_the_background_stays() -> None:
    clip = made("enter", 24)
    assert not clip.masks[:11].any()
    assert np.mean(clip.masks[-1] == 1) > 0.1
    away = cv2.dilate((clip.masks > 0).max(0).astype(np.uint8), np.ones((7, 7), np.uint8)) == 0
    assert away.mean() > 0.3
    assert (clip.clean[:, away] == clip.clean[0][away]).all()
    assert all((planes.y[away] == clip.quiet[0].y[away]).all() for planes in clip.quiet)
    last = light_of(clip, 23)
    assert last[clip.masks[-1] == 1].mean() > 2 * last[clip.masks[-1] == 0].mean()
    step = 0.85 / 12 * SIZE[0]
    assert clip.flow[-1][clip.masks[-1] == 1] == pytest.approx(np.tile([-step, 0], (np.sum(clip.masks[-1] == 1), 1)))
    middles = [np.mean(np.nonzero(clip.masks[t])[1]) for t in (21, 22, 23)]
    assert np.diff(middles) == pytest.approx([step, step], abs=0.3)


def test_lamps_beat_at_five_hertz_and_exposure_hunts_at_three_in_the_dark_clip_only() -> None:
    clip = made("lamp", 50)
    ground = (clip.masks == 0).all(0)
    level = np.array([np.log(light_of(clip, t)[ground].mean()) for t in range(50)])
    power = np.abs(np.fft.rfft(level - level.mean())) ** 2
    hertz = np.fft.rfftfreq(50, 1 / clip.fps)
    assert set(hertz[np.argsort(power)[-2:]]) == {3.0, 5.0}
    assert level.std() > 0.04
    assert np.ptp([clip.clean[t][ground].mean() for t in range(50)]) < 0.2


def test_backlight_hides_someone_whom_the_target_shows() -> None:
    clip = made("backlight")
    someone = clip.masks[-1] == 1
    around = (cv2.dilate(someone.astype(np.uint8), np.ones((25, 25), np.uint8)) == 1) & ~someone
    around[round(0.75 * SIZE[1]) :] = False
    dark, target = light_of(clip, 11), clip.clean[-1].mean(-1)
    assert dark[someone].mean() < 0.4 * dark[around].mean()
    assert target[someone].mean() > 0.45 * target[around].mean()


def test_cuts_come_every_second() -> None:
    clip = made("cuts", 60)
    assert clip.cuts == (25, 50)
    for t in clip.cuts:
        assert not clip.flow[t].any()
        assert np.abs(clip.clean[t].astype(int) - clip.clean[t - 1]).mean() > 15
        assert clip.visible[t + 1].mean() > 0.9


def test_black_start_is_black_but_for_noise() -> None:
    clip = made("black-start", 40)
    assert clip.cuts == (15,)
    assert not clip.clean[:15].any()
    assert all(planes.y.max() <= 24 for planes in clip.quiet[:15])
    assert np.mean(clip.dark[3].y != clip.dark[4].y) > 0.3
    assert clip.clean[15].mean() > 60


def test_a_clip_of_one_frame() -> None:
    for scenario in SCENARIOS:
        clip = make_clip(scenario, size=(64, 64), frames=1, source="texture", crf=None)
        assert len(clip) == len(clip.clean) == 1
