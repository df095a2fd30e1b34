"""Noise, tone curve, encoder and motion of the night-video generator, against their formulas."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.night import LEVELS, make_clip, to_rgb
from benchmarks.night.camera import displacement, shifted, turned
from benchmarks.night.encode import read_video
from benchmarks.night.isp import develop, tone
from benchmarks.night.levels import Degradation, degradation
from benchmarks.night.light import Rhythm, uneven
from benchmarks.night.noise import CameraFilter, light_of_codes, noisy, quantised
from benchmarks.night.world import linear, normal_exposure, signal

MID = LEVELS["mid"]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("light", [0.0, 0.01, 0.1, 0.6])
def test_noise_has_the_variance_of_its_law(level: str, light: float) -> None:
    camera = replace(LEVELS[level], row=0.0)
    drawn = noisy(np.full((200, 200, 3), light, np.float32), camera, np.random.default_rng(1))
    assert drawn.mean() == pytest.approx(light, abs=1e-3)
    # 120 000 samples: the standard error of a variance is 0.4 %
    assert drawn.var() == pytest.approx(camera.shot * light + camera.read**2, rel=0.02)


def test_rows_have_offsets_of_their_own() -> None:
    camera = replace(MID, row=3.0)
    drawn = noisy(np.zeros((400, 100, 3), np.float32), camera, np.random.default_rng(2))
    assert drawn.mean((1, 2)).std() == pytest.approx(3 * camera.read, rel=0.12)


def test_noise_of_a_clip_follows_the_law_in_every_bin_of_luma(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(40, 250, 480).astype(np.uint8)[None, :, None], (270, 1, 3))
    cv2.imwrite(str(tmp_path / "ramp.png"), ramp)
    clip = make_clip("backlight", "mild", 5, size=(320, 180), frames=24, source=tmp_path, crf=None)
    camera = LEVELS["mild"]
    ground = (clip.masks == 0).all(0)
    quiet = np.array([planes.y for planes in clip.quiet], np.float64)
    ground &= np.ptp(quiet, axis=0) == 0
    error = (np.array([planes.y for planes in clip.dark]) - quiet)[:, ground]
    codes = quiet[0][ground]
    weights = np.array([0.2126, 0.7152, 0.0722])
    bins = 0
    for low in range(50, 200, 10):
        inside = (codes >= low) & (codes < low + 10)
        if inside.sum() < 300:
            continue
        light = ((codes[inside] - 16) / 219) ** camera.gamma
        slope = 219 / camera.gamma * light ** (1 / camera.gamma - 1)
        sensor = camera.shot * light + camera.read**2
        rows = (camera.row * camera.read) ** 2
        expected = np.mean(slope**2 * (np.sum(weights**2) * sensor + rows)) + 1 / 12
        assert np.mean(error[:, inside] ** 2) == pytest.approx(expected, rel=0.15)
        bins += 1
    assert bins >= 6


@given(st.integers(8, 14), st.floats(-0.03, 1.0))
def test_quantisation_is_wrong_by_half_a_step_at_most(bits: int, light: float) -> None:
    codes = quantised(np.full((1, 1, 3), light, np.float32), bits)
    table = light_of_codes(bits)
    assert abs(table[codes[0, 0, 0]] - light) <= 0.51 * (table[1] - table[0])


@given(st.floats(1.8, 2.8), st.floats(1e-4, 0.02))
def test_tone_curve_rises_from_black_to_white(gamma: float, toe: float) -> None:
    curve = tone(np.linspace(0, 1, 2000, dtype=np.float32), gamma, toe)
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(1)
    assert (np.diff(curve) > 0).all()


def test_developed_colours_come_back() -> None:
    camera = Degradation(1, 0, 0)
    light = np.empty((64, 64, 3), np.float32)
    light[:] = (0.5, 0.2, 0.05)
    shown = to_rgb(develop(quantised(light, 12), camera))
    assert shown[30, 30] == pytest.approx(255 * np.array([0.5, 0.2, 0.05]) ** (1 / 2.2), abs=2.5)
    warm = to_rgb(develop(quantised(light, 12), replace(camera, gains=(1.3, 1.0, 0.8))))
    assert warm[30, 30, 0] > shown[30, 30, 0] + 10
    assert warm[30, 30, 2] < shown[30, 30, 2] - 3


_NEAR = st.floats(-0.3, 0.3)
_PLACE = st.integers(0, 300)


@given(_NEAR, _NEAR, st.floats(0.8, 1.3), st.floats(-20, 20), st.floats(-3e-4, 3e-4), st.tuples(_PLACE, _PLACE))
def test_displacement_leads_each_point_back_to_where_it_was(
    angle: float, angle_before: float, zoom: float, shift: float, tilt: float, point: tuple[int, int]
) -> None:
    tilted = np.eye(3)
    tilted[2, 0] = tilt
    now = tilted @ turned(angle, zoom, 160, 90) @ shifted(shift, 0)
    before = turned(angle_before, 1.1, 100, 50)
    x, y = point
    was = before @ np.linalg.inv(now) @ [x, y, 1]
    flow = displacement(before, now, (x, y, x + 1, y + 1))[0, 0]
    assert flow + np.array([x, y]) == pytest.approx(was[:2] / was[2], abs=1e-2)


def test_targets_have_one_exposure_and_keep_their_highlights() -> None:
    codes = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert (signal(linear(codes)) == codes).all()
    grey = np.full((50, 50, 3), 0.05, np.float32)
    assert normal_exposure(grey) * 0.051 == pytest.approx(0.18)
    grey[:5] = 0.8
    assert normal_exposure(grey) == pytest.approx(1 / 0.8)


def test_uneven_light_has_the_same_log_mean_whatever_is_drawn() -> None:
    for seed in range(5):
        ambient = uneven(160, 90, np.random.default_rng(seed))[..., 0]
        assert np.exp(np.log(ambient).mean()) == pytest.approx(1, rel=1e-3)
        assert ambient.max() / ambient.min() > 1.5


def test_rhythm_of_lamps_and_exposure() -> None:
    rhythm = Rhythm(beat=0.5, hunting=0.3)
    seconds = np.arange(25) / 25
    lamps = np.array([rhythm.lamps(s, 100)[0, 0] for s in seconds])
    assert np.argmax(np.abs(np.fft.rfft(lamps))[1:]) + 1 == 5
    exposure = np.log2([rhythm.exposure(s) for s in seconds])
    assert np.argmax(np.abs(np.fft.rfft(exposure))) == 3
    assert np.ptp(rhythm.lamps(0.0, 100)) > 0.05
    assert (Rhythm().lamps(0.3, 10) == 1).all()


def test_levels_differ_as_they_say() -> None:
    drawn = [degradation("random", np.random.default_rng(seed)) for seed in range(200)]
    assert min(d.exposure for d in drawn) >= 1 / 40
    assert max(d.exposure for d in drawn) <= 1 / 3
    assert 0.15 < np.mean([d.residue for d in drawn]) < 0.45
    reads = np.log([d.read for d in drawn]) * 2 - 2.18 * np.log([d.shot for d in drawn])
    assert np.mean(reads) == pytest.approx(1.20, abs=0.1)
    with pytest.raises(ValueError, match="mild, mid, hard"):
        degradation("night", np.random.default_rng(0))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    def once(seed: int, folder: str) -> tuple[bytes, ...]:
        clip = make_clip("ptz", "mid", seed, size=(128, 72), frames=8, source="texture", folder=tmp_path / folder)
        assert clip.encoded is not None
        dark = b"".join(p.y.tobytes() + p.u.tobytes() for p in clip.dark)
        return clip.encoded.read_bytes(), dark, clip.clean.tobytes(), clip.flow.tobytes(), clip.masks.tobytes()

    first, again, other = once(4, "a"), once(4, "b"), once(5, "c")
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_the_file_is_tagged_and_holds_the_frames(tmp_path: Path) -> None:
    clip = make_clip("pan", "mid", 1, size=(320, 180), frames=12, source="texture", folder=tmp_path)
    assert clip.encoded is not None
    with av.open(str(clip.encoded)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert (stream.width, stream.height) == (320, 180)
        assert stream.average_rate == 25
        frames = list(container.decode(video=0))
    assert [(f.colorspace, f.color_range, f.color_primaries, f.color_trc) for f in frames] == [(1, 1, 1, 1)] * 12
    assert frames[0].format.name == "yuv420p"
    assert all(
        (a.y == b.y).all() and (a.v == b.v).all() for a, b in zip(read_video(clip.encoded), clip.dark, strict=True)
    )
    raw = make_clip("pan", "mid", 1, size=(320, 180), frames=12, source="texture", crf=None)
    assert (raw.clean == clip.clean).all()
    lost = [np.abs(a.y.astype(int) - b.y).mean() for a, b in zip(raw.dark, clip.dark, strict=True)]
    assert 0.5 < np.mean(lost) < 8


def test_the_camera_filter_leaves_a_twenty_seventh_of_the_variance() -> None:
    rng = np.random.default_rng(0)
    held = CameraFilter()
    for t in range(12):
        light = held.step(rng.standard_normal((120, 120, 3)).astype(np.float32), t == 0)
    assert light.var() == pytest.approx(1 / 27, rel=0.1)
    assert held.step(np.full((120, 120, 3), 7, np.float32), True) == pytest.approx(7)


def test_a_camera_that_filters_has_less_noise_after_a_few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LEVELS, "mid", replace(MID, residue=True))
    clip = make_clip("cuts", "mid", 2, size=(128, 72), frames=26, source="texture", crf=None)
    error = [np.subtract(a.y, b.y, dtype=np.int64).var() for a, b in zip(clip.dark, clip.quiet, strict=True)]
    assert error[24] < 0.6 * error[0]
    assert error[25] > 1.5 * error[24]
