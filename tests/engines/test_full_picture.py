"""Whole frames to R'G'B' and back, and photos as a network draws them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_pictures import gamma, identity, painted

import engines
from engines.bundle import Bundle, load_bundle
from engines.colour import Colour, Matrix
from engines.errors import BundleError
from engines.full_picture import open_full
from engines.planes import Planes
from engines.rgb_planes import apply_change, rgb_of

MATRICES: tuple[Matrix, ...] = ("bt601", "bt709", "bt2020nc")


def planes(width: int, height: int, colour: Colour, semi_planar: bool = False, seed: int = 0) -> Planes:
    """Random bytes in rows with padding, colours outside R'G'B' and illegal codes among them."""
    rng = np.random.default_rng(seed)
    half_height, half_width = (height + 1) // 2, (width + 1) // 2
    luma = rng.integers(0, 256, (height, width + 7), dtype=np.uint8)[:, :width]
    if semi_planar:
        both = rng.integers(0, 256, (half_height, 2 * half_width + 6), dtype=np.uint8)
        return Planes(luma, both[:, 0 : 2 * half_width : 2], both[:, 1 : 2 * half_width : 2], colour)
    u, v = (rng.integers(0, 256, (half_height, half_width + 3), dtype=np.uint8)[:, :half_width] for _ in range(2))
    return Planes(luma, u, v, colour)


def each(*several: Planes) -> Iterator[tuple[NDArray[np.uint8], ...]]:
    return zip(*((p.y, p.u, p.v) for p in several), strict=True)


@given(
    width=st.integers(1, 40),
    height=st.integers(1, 30),
    matrix=st.sampled_from(MATRICES),
    full=st.booleans(),
    semi_planar=st.booleans(),
    strength=st.floats(0, 1),
)
def test_what_does_not_change_keeps_every_code(
    width: int, height: int, matrix: Matrix, full: bool, semi_planar: bool, strength: float
) -> None:
    before = planes(width, height, Colour(matrix, full), semi_planar)
    after = planes(width, height, Colour(matrix, full), semi_planar, seed=1)
    rgb = rgb_of(before)
    assert rgb.shape == (3, height, width)
    assert 0 <= rgb.min() <= rgb.max() <= 1
    apply_change(before, rgb, rgb + np.float32(1e-6), strength, after)
    for source, result in each(before, after):
        np.testing.assert_array_equal(result, source)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_primaries_and_grey_have_the_numbers_of_the_standards(matrix: Matrix, full: bool) -> None:
    """Planes written down from the textbook equations, colour by colour."""
    kr, kb = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020nc": (0.2627, 0.0593)}[matrix]
    black, luma, chroma = (0, 255, 255) if full else (16, 219, 224)
    for rgb in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0.5, 0.5, 0.5), (0.2, 0.5, 0.3), (1, 1, 1), (0, 0, 0)):
        y = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
        codes = (
            black + luma * y,
            128 + chroma * (rgb[2] - y) / 2 / (1 - kb),
            128 + chroma * (rgb[0] - y) / 2 / (1 - kr),
        )
        flat = [
            np.full(shape, min(round(c), 255), np.uint8)
            for c, shape in zip(codes, ((4, 4), (2, 2), (2, 2)), strict=True)
        ]
        got = rgb_of(Planes(*flat, Colour(matrix, full)))
        np.testing.assert_allclose(got, np.broadcast_to(np.array(rgb)[:, None, None], (3, 4, 4)), atol=0.012)


@given(strength=st.floats(0, 1), seed=st.integers(0, 100), full=st.booleans())
def test_a_drawn_picture_arrives_in_the_planes(strength: float, seed: int, full: bool) -> None:
    """Smooth colours inside R'G'B': what is read back is the blend that was asked for."""
    rng = np.random.default_rng(seed)
    colour = Colour("bt709", full)
    y, u, v = (np.full(shape, code, np.uint8) for shape, code in (((6, 9), 110), ((3, 5), 124), ((3, 5), 131)))
    before = Planes(y, u, v, colour)
    rgb = rgb_of(before)
    drawn = np.broadcast_to(rng.uniform(0.2, 0.8, (3, 1, 1)), rgb.shape).astype(np.float32)
    out = planes(9, 6, colour, semi_planar=True)
    apply_change(before, rgb, drawn, strength, out)
    np.testing.assert_allclose(rgb_of(out), rgb + strength * (drawn - rgb), atol=0.01)


def test_chroma_is_averaged_over_the_samples_that_it_covers_at_odd_edges_too() -> None:
    """One red pixel changes its block's chroma by a quarter, in the corner of an odd picture wholly."""
    grey = Planes(
        np.full((3, 3), 128, np.uint8), *(np.full((2, 2), 128, np.uint8) for _ in range(2)), Colour("bt709", True)
    )
    rgb = rgb_of(grey)
    whole = 0.2 * (1 - 0.2126) / (2 * (1 - 0.2126)) * 255
    for (i, j), share in (((0, 0), 0.25), ((2, 0), 0.5), ((2, 2), 1.0)):
        drawn, out = rgb.copy(), planes(3, 3, grey.colour)
        drawn[0, i, j] += 0.2
        apply_change(grey, rgb, drawn, 1.0, out)
        assert abs(int(out.v[i // 2, j // 2]) - 128 - share * whole) <= 0.5001
        assert (np.delete(out.v.ravel(), i // 2 * 2 + j // 2) == 128).all()
        assert int(out.y[i, j]) - 128 == round(0.2 * 0.2126 * 255)


def test_codes_stay_legal_where_the_input_was() -> None:
    colour = Colour("bt709", False)
    flat = Planes(np.full((2, 2), 100, np.uint8), *(np.full((1, 1), 128, np.uint8) for _ in range(2)), colour)
    flat.y[0, 0] = 250
    before, out = rgb_of(flat), planes(2, 2, colour)
    for after, luma in ((np.ones_like(before), 235), (np.zeros_like(before), 16)):
        apply_change(flat, np.full_like(before, 0.5), after, 1.0, out)
        assert set(out.y.ravel()[1:].tolist()) <= set(range(16, 236)), luma
    apply_change(flat, before, np.ones_like(before), 1.0, out)
    assert out.y.ravel().tolist() == [250, 235, 235, 235]


def test_outputs_that_do_not_fit_are_refused() -> None:
    colour = Colour()
    before = planes(8, 6, colour)
    rgb = rgb_of(before)
    with pytest.raises(ValueError, match="another size or colour"):
        apply_change(before, rgb, rgb, 1.0, planes(8, 6, Colour("bt601")))
    with pytest.raises(ValueError, match="do not belong"):
        apply_change(before, rgb[:, 1:], rgb[:, 1:], 1.0, planes(8, 6, colour))


def test_a_bundle_that_predicts_curves_cannot_draw(gamma_bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"'curve' \(kind grid\) predicts tone curves.*Use mode fused.*: .*sci"):
        open_full(load_bundle("curve"))
    assert open_full(gamma_bundle).card.kind == "picture"


@pytest.mark.parametrize("tile", [0, 64])
def test_photos_are_drawn_at_every_pixel(tmp_path: Path, tile: int) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (75, 133, 3), dtype=np.uint8)
    bright = gamma(tmp_path / "gamma").folder
    got = engines.enhance_picture(rgb, bright, mode="full", tile=tile)
    np.testing.assert_allclose(got, 255 * np.sqrt(rgb / 255), atol=0.502)
    half = engines.enhance_picture(rgb, bright, 0.5, "full", tile=tile)
    np.testing.assert_allclose(half, 0.5 * rgb + 0.5 * 255 * np.sqrt(rgb / 255), atol=0.502)
    np.testing.assert_array_equal(engines.enhance_picture(rgb, bright, 0.0, "full", tile=tile), rgb)
    same = identity(tmp_path / "same").folder
    np.testing.assert_array_equal(engines.enhance_picture(rgb, same, mode="full", tile=tile), rgb)


def test_photos_take_further_inputs_in_both_modes(tmp_path: Path) -> None:
    rgb = np.full((40, 60, 3), 50, np.uint8)
    bundle = painted(tmp_path / "painted", {"regions": (1, 4, "rh", "rw")}).folder
    regions = {"regions": np.full((1, 4, 6, 9), 0.2, np.float32)}
    for mode in ("fused", "full"):
        np.testing.assert_array_equal(engines.enhance_picture(rgb, bundle, mode=mode), rgb)
        got = engines.enhance_picture(rgb, bundle, mode=mode, extra=regions)
        assert np.abs(got.astype(int) - 101).max() <= 1
    with pytest.raises(ValueError, match="mode is one of fused, full, not 'whole'"):
        engines.enhance_picture(rgb, bundle, mode="whole")
