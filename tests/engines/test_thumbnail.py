"""The thumbnail is the mean of what it covers, for every size, layout and range, and goes to RGB and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.colour import Colour, Matrix
from engines.curve.grid import thumbnail_shape
from engines.planes import Planes
from engines.thumbnail import Thumbnail, sample, sample_rgb


def scene(width: int, height: int, colour: Colour) -> Planes:
    """The same smooth scene at any size and range."""
    rows, cols = (height + 1) // 2, (width + 1) // 2
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    luma = 0.3 + 0.2 * np.sin(6 * x) * np.cos(4 * y)
    x, y = np.meshgrid((np.arange(cols) + 0.5) / cols, (np.arange(rows) + 0.5) / rows)
    u, v = 0.1 * np.sin(5 * x + y), 0.1 * np.cos(3 * y - x)
    codes = (
        luma * colour.luma_range + colour.luma_offset,
        u * colour.chroma_range + 128,
        v * colour.chroma_range + 128,
    )
    return Planes(*(plane.round().astype(np.uint8) for plane in codes), colour)


@given(st.integers(1, 300), st.integers(1, 300), st.booleans(), st.integers(0, 2**32))
@settings(deadline=None)
def test_any_size_and_layout(width: int, height: int, full: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, cols = (height + 1) // 2, (width + 1) // 2
    both = rng.integers(0, 256, (rows, 2 * cols + 3), dtype=np.uint8)
    y = rng.integers(0, 256, (height, width + 5), dtype=np.uint8)[:, :width]
    u, v = both[:, : 2 * cols : 2], both[:, 1 : 2 * cols : 2]
    thumbnail = sample(Planes(y, u, v, Colour("bt709", full)))
    assert thumbnail.y.shape == thumbnail.u.shape == thumbnail.v.shape == thumbnail_shape(width, height)
    assert thumbnail.y.min() >= 0
    assert thumbnail.y.max() <= 1
    planar = sample(Planes(y.copy(), u.copy(), v.copy(), Colour("bt709", full)))
    swapped = sample(Planes(y, v, u, Colour("bt709", full)))
    for one, other in ((planar.u, thumbnail.u), (planar.v, thumbnail.v), (swapped.u, thumbnail.v)):
        assert (one == other).all()


def test_pixels_are_means_of_what_they_cover() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(16, 236, (4 * 144, 4 * 256), dtype=np.uint8)
    u, v = (rng.integers(16, 241, (2 * 144, 2 * 256), dtype=np.uint8) for _ in range(2))
    thumbnail = sample(Planes(y, u, v, Colour()))
    assert np.allclose(thumbnail.y, (y.reshape(144, 4, 256, 4).mean(axis=(1, 3)) - 16) / 219, atol=1e-6)
    assert np.allclose(thumbnail.u, (u.reshape(144, 2, 256, 2).mean(axis=(1, 3)) - 128) / 224, atol=1e-6)
    assert np.allclose(thumbnail.v, (v.reshape(144, 2, 256, 2).mean(axis=(1, 3)) - 128) / 224, atol=1e-6)


def test_pictures_smaller_than_the_thumbnail_are_repeated() -> None:
    y = np.arange(256, dtype=np.uint8).reshape(16, 16)
    chroma = np.full((8, 8), 128, np.uint8)
    thumbnail = sample(Planes(y, chroma, chroma, Colour("bt709", True)))
    assert np.allclose(thumbnail.y, np.kron(y / 255, np.ones((12, 12))), atol=1e-6)


def test_the_same_scene_gives_the_same_thumbnail_at_any_resolution_and_range() -> None:
    limited = [sample(scene(w, h, Colour())) for w, h in ((1280, 720), (1920, 1080), (3840, 2160))]
    full = sample(scene(1920, 1080, Colour(full_range=True)))
    for other in (limited[0], limited[2], full):
        for plane in ("y", "u", "v"):
            assert np.abs(getattr(other, plane) - getattr(limited[1], plane)).max() < 1.5 / 219


def test_out_of_range_codes_are_clipped() -> None:
    y = np.array([[0, 255]], np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    chroma = np.full((4, 8), 128, np.uint8)
    thumbnail = sample(Planes(y, chroma, chroma, Colour()))
    assert thumbnail.y.min() == 0
    assert thumbnail.y.max() == 1


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020nc"])
def test_rgb_round_trip_and_white_point(matrix: Matrix) -> None:
    rng = np.random.default_rng(1)
    rgb = rng.random((3, 16, 24), dtype=np.float32)
    thumbnail = Thumbnail.from_rgb(rgb, matrix)
    assert np.abs(thumbnail.to_rgb() - rgb).max() < 1e-5
    assert abs(thumbnail.u).max() <= 0.5
    grey = Thumbnail.from_rgb(np.full((3, 8, 8), 0.4, np.float32), matrix)
    assert np.abs(grey.u).max() < 1e-6
    assert np.abs(grey.y - 0.4).max() < 1e-6


def test_matrix_values_of_the_standards() -> None:
    red = np.zeros((3, 8, 8), np.float32)
    red[0] = 1
    assert Thumbnail.from_rgb(red, "bt601").y[0, 0] == pytest.approx(0.299)
    assert Thumbnail.from_rgb(red, "bt709").y[0, 0] == pytest.approx(0.2126)
    assert Thumbnail.from_rgb(red, "bt709").v[0, 0] == pytest.approx(0.5)
    assert Thumbnail.from_rgb(red, "bt601").u[0, 0] == pytest.approx(-0.168736, abs=1e-5)


def test_thumbnail_of_an_rgb_picture() -> None:
    rng = np.random.default_rng(2)
    rgb = rng.integers(0, 256, (192 * 4, 192 * 4, 3), dtype=np.uint8)
    means = np.moveaxis(rgb.reshape(192, 4, 192, 4, 3).mean(axis=(1, 3)), 2, 0) / 255
    assert np.abs(sample_rgb(rgb).to_rgb() - means).max() < 1e-5
