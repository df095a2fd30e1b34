"""The compiled pass agrees with the NumPy definition within one code, for every size, layout, pitch and range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporal_pictures import LAYOUTS, random_planes, rising_grid

from engines.colour import Colour
from engines.curve import cpu, reference
from engines.curve.grid import CurveGrid, grid_shape
from engines.planes import Planes


def worst(one: Planes, other: Planes) -> int:
    pairs = ((one.y, other.y), (one.u, other.u), (one.v, other.v))
    return max(int(np.abs(p.astype(int) - q.astype(int)).max()) for p, q in pairs)


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS),
    st.integers(0, 40),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_agrees_with_the_reference(
    width: int, height: int, layout: str, layout_out: str, pad: int, full: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    planes, out = (random_planes(rng, width, height, lay, pad, full) for lay in (layout, layout_out))
    grid = rising_grid(rng, *(grid_shape(width, height) if seed % 2 else rng.integers(1, 7, 2)))
    cpu.apply(planes, grid, out)
    assert worst(out, reference.apply(planes, grid)) <= 1


@pytest.mark.parametrize("size", [(1919, 1079), (1026, 500), (400, 1400), (3000, 34)])
@pytest.mark.parametrize("threads", [1, 3])
def test_large_pictures_in_tiles_and_bands_agree(size: tuple[int, int], threads: int) -> None:
    rng = np.random.default_rng(1)
    planes, out = (random_planes(rng, *size, "interleaved", 7, False) for _ in range(2))
    grid = rising_grid(rng, *grid_shape(*size))
    cpu.apply(planes, grid, out, threads)
    wanted = reference.apply(planes, grid)
    assert worst(out, wanted) <= 1
    for plane in ("y", "u", "v"):
        assert (getattr(out, plane) != getattr(wanted, plane)).mean() < 0.001, "rounding is not half up"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("full", [False, True])
def test_identity_keeps_every_byte(layout: str, full: bool) -> None:
    rng = np.random.default_rng(2)
    planes, out = (random_planes(rng, 255, 129, layout, 3, full) for _ in range(2))
    cpu.apply(planes, CurveGrid.identity(18, 32), out)
    assert worst(out, planes) == 0
    assert worst(reference.apply(planes, CurveGrid.identity(18, 32)), planes) == 0


def test_other_grids_clamp_to_the_legal_range() -> None:
    rng = np.random.default_rng(3)
    planes, out = (random_planes(rng, 64, 64, "planar", 0, False) for _ in range(2))
    cpu.apply(planes, CurveGrid(CurveGrid.identity(2, 2).coefficients + np.float32(1e-6)), out)
    assert (out.y == np.clip(planes.y, 16, 235)).all()
    assert (out.u == np.clip(planes.u, 16, 240)).all()


def test_padding_and_input_stay_untouched() -> None:
    rng = np.random.default_rng(4)
    planes = random_planes(rng, 61, 33, "planar", 5, False)
    before = planes.y.base.copy(), planes.u.base.copy()
    out = random_planes(rng, 61, 33, "interleaved", 5, False)
    padding = out.y.base[:, 61:].copy(), out.u.base[:, 62:].copy()
    cpu.apply(planes, rising_grid(rng, 3, 5), out)
    assert (planes.y.base == before[0]).all()
    assert (planes.u.base == before[1]).all()
    assert (out.y.base[:, 61:] == padding[0]).all()
    assert (out.u.base[:, 62:] == padding[1]).all()


def test_read_only_input_is_fine() -> None:
    rng = np.random.default_rng(5)
    planes, out = (random_planes(rng, 40, 30, "planar", 0, False) for _ in range(2))
    for plane in (planes.y, planes.u, planes.v):
        plane.flags.writeable = False
    grid = rising_grid(rng, 4, 4)
    cpu.apply(planes, grid, out)
    assert worst(out, reference.apply(planes, grid)) <= 1


def test_in_place_and_other_sizes_are_refused() -> None:
    rng = np.random.default_rng(6)
    planes = random_planes(rng, 40, 30, "planar", 0, False)
    with pytest.raises(ValueError, match="shares memory"):
        cpu.apply(planes, rising_grid(rng, 4, 4), planes)
    with pytest.raises(ValueError, match="40x32"):
        cpu.apply(planes, rising_grid(rng, 4, 4), random_planes(rng, 40, 32, "planar", 0, False))
    with pytest.raises(ValueError, match="full_range=True"):
        cpu.apply(planes, rising_grid(rng, 4, 4), random_planes(rng, 40, 30, "planar", 0, True))


@given(st.integers(0, 2**32), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_rising_ramp_never_falls(seed: int, full: bool) -> None:
    """Flat pictures, one code brighter each: no pixel may get darker from one to the next."""
    grid = rising_grid(np.random.default_rng(seed), 3, 4)
    chroma = np.full((16, 24), 128, np.uint8)
    last = np.zeros((32, 48), np.uint8)
    for code in range(256):
        planes = Planes(np.full((32, 48), code, np.uint8), chroma, chroma, Colour("bt709", full))
        out = Planes(np.empty_like(planes.y), np.empty_like(chroma), np.empty_like(chroma), planes.colour)
        cpu.apply(planes, grid, out)
        assert (out.y >= last).all()
        last = out.y
