"""The bridge finds the grid behind an enhanced thumbnail, survives what networks do, and its curves rise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.colour import Colour
from engines.curve import reference
from engines.curve.fit import fit
from engines.curve.grid import CurveGrid, Floats, tents
from engines.errors import NotFiniteError
from engines.planes import Planes
from engines.thumbnail import Thumbnail, sample

IDENTITY = np.array([1, 0, 0] * 3)
CODE = 1 / 255


def thumbnail(y: np.ndarray, u: np.ndarray | float = 0.0, v: np.ndarray | float = 0.0) -> Thumbnail:
    planes = (np.broadcast_to(np.asarray(p), y.shape).astype(np.float32) for p in (y, u, v))
    return Thumbnail(*planes, "bt709")


def noise(seed: int = 0, low: float = 0.0, high: float = 1.0, h: int = 144, w: int = 256) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (h, w)).astype(np.float32).astype(np.float64)


def spread(grid: CurveGrid, h: int, w: int) -> np.ndarray:
    """Coefficients [9, h, w] at every thumbnail pixel."""
    return tents(h, grid.rows).T @ np.moveaxis(grid.coefficients.astype(float), 2, 0) @ tents(w, grid.cols)


def enhanced(before: Thumbnail, grid: CurveGrid) -> Thumbnail:
    a, s, b, cu, du, eu, cv, dv, ev = spread(grid, *before.y.shape)
    y = before.y.astype(float)
    return thumbnail(a * y + s * np.sqrt(y) + b, cu * before.u + du * y + eu, cv * before.v + dv * y + ev)


@pytest.mark.parametrize("ridge", [1e-4, 1e-3, 1e-2, 1e-1])
def test_one_curve_everywhere_is_recovered_for_every_ridge(ridge: float) -> None:
    y = noise()
    grid = fit(thumbnail(y), thumbnail(0.7 * y + 0.25 * np.sqrt(y) + 0.03), ridge)
    assert grid.coefficients.shape == (18, 32, 9)
    assert np.abs(grid.coefficients[..., :3] - [0.7, 0.25, 0.03]).max() < 1e-5


def test_one_curve_on_a_dark_picture() -> None:
    y = noise(high=0.1)
    before, after = thumbnail(y), thumbnail(0.7 * y + 0.25 * np.sqrt(y) + 0.03)
    grid = fit(before, after)
    assert np.abs(grid.coefficients[..., :3] - [0.7, 0.25, 0.03]).max() < 3e-4
    assert np.abs(enhanced(before, grid).y - after.y).max() < 0.001 * CODE


def test_a_smoothly_varying_grid_is_followed() -> None:
    x, y = np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 18))
    values = np.tile(IDENTITY, (18, 32, 1)).astype(np.float32)
    values[..., 0] = 1.5 + 0.5 * np.sin(3 * x) * np.cos(2 * y)
    values[..., 1] = 0.3 + 0.1 * np.cos(4 * x + y)
    before = thumbnail(noise(high=0.3))
    after = enhanced(before, CurveGrid(values))
    error = enhanced(before, fit(before, after)).y - after.y
    assert np.sqrt((error**2).mean()) < 0.5 * CODE


def test_unchanged_thumbnail_gives_the_exact_identity() -> None:
    before = thumbnail(noise(), noise(1, -0.5, 0.5), noise(2, -0.5, 0.5))
    assert fit(before, before).is_identity
    flat = thumbnail(np.full((144, 256), 0.3), 0.1, -0.1)
    assert fit(flat, flat).is_identity


@pytest.mark.parametrize("size", [(320, 180), (319, 179)])
@pytest.mark.parametrize("full", [False, True])
def test_nearly_unchanged_thumbnail_changes_no_byte(size: tuple[int, int], full: bool) -> None:
    """A trip through RGB and back leaves rounding in the thumbnail; no legal code may move for it."""
    width, height = size
    rng = np.random.default_rng(3)
    colour = Colour("bt709", full)
    rows, cols = (height + 1) // 2, (width + 1) // 2
    y = rng.integers(*colour.luma_limits, (height, width), dtype=np.uint8)
    u, v = (rng.integers(*colour.chroma_limits, (rows, cols), dtype=np.uint8) for _ in range(2))
    planes = Planes(y, u, v, colour)
    before = sample(planes)
    grid = fit(before, Thumbnail.from_rgb(before.to_rgb(), "bt709"))
    assert np.abs(grid.coefficients - IDENTITY).max() < 1e-4
    out = reference.apply(planes, grid)
    for one, other in ((out.y, y), (out.u, u), (out.v, v)):
        assert (one == other).all()


def test_constant_and_black_pictures() -> None:
    constant = fit(thumbnail(np.full((144, 256), 0.02)), thumbnail(np.full((144, 256), 0.06)))
    y = np.float64(np.float32(0.02))
    mapped = constant.coefficients[..., :3].astype(float) @ [y, np.sqrt(y), 1]
    assert np.abs(mapped - 0.06).max() < 1e-6
    black = np.zeros((144, 256))
    assert fit(thumbnail(black), thumbnail(black)).is_identity


def test_chroma_shift_and_saturation_are_recovered() -> None:
    before = thumbnail(noise(), noise(1, -0.4, 0.4), noise(2, -0.4, 0.4))
    after = thumbnail(before.y, 1.3 * before.u + 0.05 * before.y + 0.02, 0.8 * before.v - 0.03)
    grid = fit(before, after)
    assert np.abs(grid.coefficients[..., 3:] - [1.3, 0.05, 0.02, 0.8, 0, -0.03]).max() < 1e-5


def test_grey_stays_grey() -> None:
    y = noise(high=0.2)
    before = thumbnail(y)
    grid = fit(before, thumbnail(np.sqrt(y)))
    out = enhanced(before, grid)
    assert np.abs(out.u).max() < 0.01 * CODE
    assert np.abs(out.v).max() < 0.01 * CODE


def falling(seed: int) -> tuple[Thumbnail, Thumbnail]:
    """Dark cells whose brightest pixels come out darker: the unconstrained curves fall at white."""
    rng = np.random.default_rng(seed)
    y = noise(seed, 0.0, 0.15)
    y[:, 128:] = noise(seed + 1, 0.3, 1.0)[:, 128:]
    bend = rng.uniform(2, 6)
    target = np.clip(np.sqrt(y) - bend * np.maximum(y - 0.05, 0), 0, 1)
    return thumbnail(y), thumbnail(target)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_repaired_curves_rise_and_keep_the_mean_of_their_cell(seed: int) -> None:
    before, after = falling(seed)
    grid = fit(before, after)
    assert grid.is_monotone()
    y = np.arange(256) / 255
    curves = spread(grid, 90, 160)[:3].reshape(3, -1).T @ np.stack([y, np.sqrt(y), np.ones(256)])
    assert np.diff(curves, axis=1).min() > -1e-6
    down, across = tents(144, 18), tents(256, 32)
    count = down.sum(axis=1)[:, None] * across.sum(axis=1)[None]

    def mean(q: Floats | np.ndarray) -> np.ndarray:
        return down @ q.astype(float) @ across.T / count

    node = grid.coefficients.astype(float)
    got = node[..., 0] * mean(before.y) + node[..., 1] * mean(np.sqrt(before.y)) + node[..., 2]
    slope_at_white = node[..., 0] + node[..., 1] / 2
    repaired = np.abs(slope_at_white) < 1e-6
    assert repaired.sum() > 100
    assert np.abs(got - mean(after.y))[repaired].max() < 0.01 * CODE


def test_a_negative_becomes_a_constant() -> None:
    y = noise(high=0.5)
    grid = fit(thumbnail(y), thumbnail(0.5 - y))
    assert grid.is_monotone()
    assert np.abs(grid.coefficients[..., :2]).max() < 1e-6
    assert np.abs(grid.coefficients[..., 2] - 0.25).max() < 0.1


def test_one_outlier_stays_in_its_own_cells() -> None:
    y = noise(high=0.2)
    before, after = thumbnail(y), thumbnail(np.sqrt(y))
    clean = enhanced(before, fit(before, after)).y
    wild = after.y.copy()
    wild[70, 130] = 1.0
    hit = enhanced(before, fit(before, Thumbnail(wild, after.u, after.v, "bt709"))).y
    change = np.abs(hit - clean)
    assert change.max() < 0.1
    far = np.ones_like(change, dtype=bool)
    far[70 - 24 : 70 + 24, 130 - 24 : 130 + 24] = False
    assert change[far].max() < 0.1 * CODE


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("plane", ["y", "u", "v"])
def test_one_nan_is_refused(bad: float, plane: str) -> None:
    before = thumbnail(noise())
    planes = {name: getattr(before, name).copy() for name in "yuv"}
    planes[plane][3, 5] = bad
    with pytest.raises(NotFiniteError, match="keep the previous grid"):
        fit(before, Thumbnail(**planes, matrix="bt709"))


def test_thumbnails_of_unequal_or_odd_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 8"):
        fit(thumbnail(noise(h=144)), thumbnail(noise(h=152)))
    with pytest.raises(ValueError, match="multiples of 8"):
        fit(thumbnail(noise(h=20, w=20)), thumbnail(noise(h=20, w=20)))


def test_the_same_grid_at_any_resolution_and_range() -> None:
    """Judged by what the grids do to a picture: where chroma is flat its coefficients are free."""

    def of(width: int, height: int, full: bool) -> CurveGrid:
        colour = Colour("bt709", full)
        x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
        luma = 0.15 + 0.1 * np.sin(40 * x) * np.cos(30 * y)
        planes = [luma * colour.luma_range + colour.luma_offset]
        for phase in (0, 1):
            small = 0.1 * np.sin(30 * x[::2, ::2] + 20 * y[::2, ::2] + phase)
            planes.append(small * colour.chroma_range + 128)
        seen = sample(Planes(*(p.round().astype(np.uint8) for p in planes), colour))
        return fit(seen, Thumbnail(np.sqrt(seen.y), 1.5 * seen.u, 1.5 * seen.v, "bt709"))

    grids = [of(1280, 720, False), of(1920, 1080, False), of(3840, 2160, False), of(1920, 1080, True)]
    probe = thumbnail(noise(4, 0.08, 0.22), noise(5, -0.08, 0.08), noise(6, -0.08, 0.08))
    outputs = [enhanced(probe, grid) for grid in grids]
    for out in outputs[1:]:
        for plane in ("y", "u", "v"):
            difference = getattr(out, plane) - getattr(outputs[0], plane)
            assert np.abs(difference).mean() < CODE
