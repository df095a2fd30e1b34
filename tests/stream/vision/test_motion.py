"""Known motion is found, none is invented, and what cannot be known has no confidence."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_pictures import H, W, disc, noisy, texture, view, with_disc

from stream.vision.motion import Motion, MotionEstimator

SCENE, SKIN, OTHER = texture(1), texture(2), texture(3)


def last_motion(pictures) -> Motion:
    estimator = MotionEstimator()
    motions = [estimator.step(picture) for picture in pictures]
    assert motions[0] is None
    assert motions[-1] is not None
    return motions[-1]


def test_the_first_picture_and_another_size_have_no_motion():
    estimator = MotionEstimator()
    picture = view(SCENE, 100, 100)
    assert estimator.step(picture) is None
    assert estimator.step(picture) is not None
    assert estimator.step(picture[:, :192]) is None
    assert estimator.step(picture[:, :192]) is not None
    estimator.reset()
    assert estimator.step(picture[:, :192]) is None


@settings(max_examples=12, deadline=None)
@given(dx=st.floats(-8, 8), dy=st.floats(-6, 6))
def test_a_pan_is_found_to_a_fraction_of_a_pixel(dx, dy):
    pictures = [noisy(view(SCENE, 150 + k * dx, 120 + k * dy), k, 0.02) for k in range(3)]
    motion = last_motion(pictures)
    # The window moves right, so the scene moves left: it was further right before.
    error = np.hypot(motion.flow[..., 0] - dx, motion.flow[..., 1] - dy)[10:-10, 10:-10]
    assert error.mean() < 0.1
    assert np.percentile(error, 99) < 0.5
    assert motion.confidence[10:-10, 10:-10].mean() > 0.85


@pytest.mark.parametrize("zoom", [0.98, 1.03])
def test_a_zoom_is_found(zoom):
    motion = last_motion([view(SCENE, 150, 120, zoom**-k) for k in range(3)])
    x, y = np.arange(W) - (W - 1) / 2, np.arange(H) - (H - 1) / 2
    true = np.dstack(np.meshgrid(x / zoom - x, y / zoom - y))
    assert np.hypot(*(motion.flow - true)[8:-8, 8:-8].transpose(2, 0, 1)).mean() < 0.15


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.03, 0.08])
def test_noise_on_a_still_picture_is_no_motion(sigma):
    picture = view(SCENE, 150, 120)
    for seed in range(3):
        motion = last_motion([noisy(picture, 10 * seed + k, sigma) for k in range(4)])
        assert np.mean(motion.flow != 0) < 0.005
        assert motion.confidence.mean() > 0.97


def test_a_change_of_the_exposure_is_no_motion():
    picture = view(SCENE, 150, 120)
    motion = last_motion([picture, picture, picture * 1.06 + 0.02])
    assert np.mean(motion.flow != 0) < 0.02
    assert motion.confidence.mean() > 0.9


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 7.0, -1.0, float("nan")])
def test_flat_pictures_are_still(value):
    motion = last_motion([np.full((H, W), value, np.float32)] * 3)
    assert not motion.flow.any()
    assert motion.confidence.min() > 0.99


@pytest.mark.parametrize("step", [(2.0, 0.5), (4.0, 1.0)])
@pytest.mark.parametrize("sigma", [0.0, 0.01])
def test_an_object_does_not_move_the_background(step, sigma):
    background = view(SCENE, 150, 120)
    pictures = [noisy(with_disc(background, SKIN, 80 + k * step[0], 70 + k * step[1]), k, sigma) for k in range(5)]
    far = ~disc(80 + 4 * step[0], 70 + 4 * step[1], radius=50)
    assert np.mean(last_motion(pictures).flow[far] != 0) < 0.02


@pytest.mark.parametrize("sigma", [0.0, 0.02])
def test_what_a_moving_disc_uncovers_was_hidden_before(sigma):
    background = view(SCENE, 150, 120)
    pictures = [noisy(with_disc(background, SKIN, 80 + 5 * k, 70), k, sigma) for k in range(4)]
    motion = last_motion(pictures)
    now, before = disc(95, 70), disc(90, 70)
    inside = disc(95, 70, radius=22)
    assert np.hypot(motion.flow[..., 0] + 5, motion.flow[..., 1])[inside].mean() < 0.8
    far = ~disc(93, 70, radius=48)
    assert np.mean(motion.flow[far] != 0) < 0.01
    assert motion.confidence[far].mean() > 0.97
    assert motion.confidence[before & ~now].mean() < 0.3
    assert motion.confidence[inside].mean() > 0.5


def test_what_came_into_the_picture_was_outside_before():
    motion = last_motion([view(SCENE, 100 + 12 * k, 120) for k in range(3)])
    assert not motion.confidence[:, -11:].any()
    assert motion.confidence[:, :-16].mean() > 0.9


def test_across_a_cut_nothing_is_known():
    motion = last_motion([view(SCENE, 100, 100), view(SCENE, 100, 100), view(OTHER, 100, 100)])
    assert motion.confidence.mean() < 0.4


@pytest.mark.parametrize("shape", [(32, 1152), (48, 768), (256, 144)])
def test_thumbnails_of_any_shape(shape):
    scene = np.tile(SCENE, (1, 9))
    motion = last_motion([scene[20 : 20 + shape[0], 50 + k : 50 + k + shape[1]].astype(np.float32) for k in range(3)])
    assert motion.flow.shape == (*shape, 2)
    assert motion.flow.dtype == motion.confidence.dtype == np.float32
    assert np.isfinite(motion.flow).all()
    assert motion.confidence.min() >= 0
    assert motion.confidence.max() <= 1


def test_pictures_too_narrow_for_a_flow_have_no_motion():
    estimator = MotionEstimator()
    picture = np.tile(SCENE, (1, 9))[:8, :4608].astype(np.float32)
    assert estimator.step(picture) is None
    assert estimator.step(picture) is None


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999), kind=st.sampled_from(["noise", "black then white", "rows", "specks"]))
def test_any_picture_has_finite_motion_and_confidence_in_range(seed, kind):
    rng = np.random.default_rng(seed)
    pictures = {
        "noise": [rng.random((H, W)) for _ in range(3)],
        "black then white": [np.zeros((H, W)), np.zeros((H, W)), np.ones((H, W))],
        "rows": [np.repeat(rng.random((H, 1)), W, axis=1) for _ in range(3)],
        "specks": [(rng.random((H, W)) > 0.999).astype(float) for _ in range(3)],
    }[kind]
    motion = last_motion([picture.astype(np.float32) for picture in pictures])
    assert np.isfinite(motion.flow).all()
    assert np.abs(motion.flow).max() <= 2 * W
    assert motion.confidence.min() >= 0
    assert motion.confidence.max() <= 1


def test_still_is_no_motion_for_certain():
    motion = Motion.still(8, 12)
    assert motion.flow.shape == (8, 12, 2)
    assert not motion.flow.any()
    assert np.all(motion.confidence == 1)


def test_opencv_is_loaded_when_it_is_needed_and_not_before():
    code = (
        "import sys, stream.vision.motion, stream.vision.tracker as t\n"
        "e = stream.vision.motion; assert 'cv2' not in sys.modules\n"
        "e.MotionEstimator(); assert 'cv2' in sys.modules; import cv2; assert cv2.getNumThreads() == 1"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
