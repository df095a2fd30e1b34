"""The noise of a camera is found from its frames: at rest, in motion, on the first frame, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.colour import Colour
from engines.noise import LEAST, NoiseModel
from engines.planes import Planes
from tests.engines.temporal_pictures import grey, random_planes


def scene(height: int = 240, width: int = 360) -> NDArray[np.float64]:
    """Luma 0..1: a soft slope from dark to bright with a few edges."""
    y = np.linspace(0.06, 0.7, width)[None] * np.linspace(0.6, 1, height)[:, None]
    y[60:100, 40:90] += 0.1
    return y


def noisy(rng: np.random.Generator, clean: NDArray[np.float64], shot: float, read: float) -> Planes:
    frame = grey(255 * (clean + rng.normal(0, 1, clean.shape) * np.sqrt(shot * clean + read)))
    for plane in (frame.u, frame.v):
        plane[...] = np.clip(np.rint(128 + 1.5 * rng.normal(0, 1, plane.shape)), 0, 255)
    return frame


@pytest.mark.parametrize(("shot", "read"), [(0.0, 1e-4), (1e-3, 2e-5), (4e-3, 1e-4), (-1e-3, 1e-3)])
def test_finds_shot_and_read_noise(shot: float, read: float) -> None:
    rng = np.random.default_rng(0)
    model = NoiseModel()
    for _ in range(25):
        model.update(noisy(rng, scene(), shot, read))
    for y in (0.1, 0.3, 0.6):
        wanted = shot * y + read + (0.29 / 255) ** 2
        assert float(model.variance(y)) == pytest.approx(wanted, rel=0.25), y
    assert model.chroma == pytest.approx((1.5 / 255) ** 2 / (shot * 0.2 + read), rel=0.6)


def test_one_frame_is_enough_for_a_first_guess() -> None:
    rng = np.random.default_rng(1)
    model = NoiseModel()
    model.update(noisy(rng, scene(), 0.0, 2e-4))
    assert float(model.variance(0.3)) == pytest.approx(2e-4, rel=0.4)


def test_a_third_of_the_picture_may_move() -> None:
    rng = np.random.default_rng(2)
    model = NoiseModel()
    texture = rng.random((240, 800)) * 0.5
    for i in range(25):
        clean = scene()
        clean[160:] = texture[160:240, 10 * i : 10 * i + 360]
        model.update(noisy(rng, clean, 0.0, 1e-4))
    assert float(model.variance(0.3)) == pytest.approx(1e-4, rel=0.35)


def test_a_pan_is_not_taken_for_noise() -> None:
    rng = np.random.default_rng(3)
    model = NoiseModel()
    wide = np.kron(rng.random((24, 80)), np.ones((10, 10))) * 0.6 + 0.1
    for i in range(25):
        model.update(noisy(rng, wide[:, 6 * i : 6 * i + 360], 0.0, 1e-4))
    assert float(model.variance(0.4)) < 4e-4


def test_blocks_that_an_encoder_skipped_say_nothing() -> None:
    rng = np.random.default_rng(4)
    model = NoiseModel()
    frozen = noisy(rng, scene(), 0.0, 1e-4)
    for _ in range(25):
        frame = noisy(rng, scene(), 0.0, 1e-4)
        frame.y[:, :180] = frozen.y[:, :180]
        model.update(frame)
    assert float(model.variance(0.3)) == pytest.approx(1e-4, rel=0.35)


def test_a_still_is_free_of_noise() -> None:
    model = NoiseModel()
    frame = grey(255 * scene())
    for _ in range(40):
        model.update(frame)
    assert float(model.variance(0.3)) < 4 * LEAST


def test_key_frames_are_kept_apart() -> None:
    rng = np.random.default_rng(5)
    model = NoiseModel()
    frozen = 0.0
    for i in range(48):
        if i % 12 == 0:
            frozen = rng.normal(0, 4 / 255, (240, 360))
        model.update(noisy(rng, np.clip(scene() + frozen, 0, 1), 0.0, (1 / 255) ** 2), pulse=i % 12 == 0)
    assert float(model.variance(0.3)) == pytest.approx((1 / 255) ** 2, rel=0.4)
    assert 2.5 < model.pulse <= 4


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.sampled_from(["planar", "interleaved", "odd strides"]),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_any_picture_leaves_a_sane_model(width: int, height: int, layout: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = NoiseModel()
    for i in range(4):
        frame = random_planes(rng, width, height, layout, 3, bool(seed % 2))
        if seed % 3 == 0:
            frame.y[...] = (0, 255, 16, 235)[i]
        model.update(frame, pulse=i == 2)
    assert abs(model.shot) < 10
    assert LEAST <= model.read < 10
    assert (model.variance(np.linspace(0, 1, 9)) >= LEAST).all()
    assert 0 < model.chroma <= 2
    assert 1 <= model.pulse <= 4


def test_black_teaches_nothing() -> None:
    rng = np.random.default_rng(6)
    model = NoiseModel()
    for _ in range(10):
        model.update(noisy(rng, scene(), 0.0, 1e-4))
    before = model.shot, model.read
    black = Planes(np.full((240, 360), 3, np.uint8), *np.full((2, 120, 180), 128, np.uint8), Colour("bt709", False))
    model.forget_picture()
    for _ in range(10):
        model.update(black)
    assert (model.shot, model.read) == before


def test_where_every_frame_is_a_key_frame_noise_is_learned_all_the_same() -> None:
    rng = np.random.default_rng(7)
    model = NoiseModel()
    for _ in range(10):
        model.update(noisy(rng, scene(), 0.0, 1e-4), pulse=True)
    assert float(model.variance(0.3)) == pytest.approx(1e-4, rel=0.35)
    assert model.pulse < 1.5
