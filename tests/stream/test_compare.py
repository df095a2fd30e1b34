"""Before and after in one picture: every pixel is one of the two, or the line between them."""

from __future__ import annotations

import time
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.colour import Colour
from stream.compare import comparing, line_width, side, split
from stream.media import Frame, planes_of

sizes = st.tuples(st.integers(8, 70), st.integers(2, 40))
formats = st.sampled_from(["yuv420p", "nv12"])


def flat_frame(size: tuple[int, int], pixel_format: str, luma: int, u: int, v: int, full_range: bool = False) -> Frame:
    picture = av.VideoFrame(*size, pixel_format)
    picture.pts, picture.time_base, picture.color_range = 7, Fraction(1, 30), 2 if full_range else 1
    planes = planes_of(picture, Colour("bt601", full_range))
    planes.y[:], planes.u[:], planes.v[:] = luma, u, v
    return Frame(picture, planes, 7, Fraction(1, 30), 3, time.monotonic(), duration=1)


@settings(max_examples=60, deadline=None)
@given(sizes, formats)
def test_split_has_the_input_on_the_left_and_the_result_on_the_right(size, pixel_format):
    before, after = flat_frame(size, pixel_format, 40, 90, 170), flat_frame(size, pixel_format, 150, 110, 140)
    joined = split(before, after).planes
    seam, line = size[0] // 4 * 2, line_width(size[0])
    assert (joined.y[:, :seam] == 40).all()
    assert (joined.y[:, seam : seam + line] == 235).all()
    assert (joined.y[:, seam + line :] == 150).all()
    for plane, left, right in ((joined.u, 90, 110), (joined.v, 170, 140)):
        assert (plane[:, : seam // 2] == left).all()
        assert (plane[:, seam // 2 : (seam + line) // 2] == 128).all()
        assert (plane[:, (seam + line) // 2 :] == right).all()


@settings(max_examples=60, deadline=None)
@given(sizes, formats)
def test_side_shows_both_pictures_whole_in_an_even_width(size, pixel_format):
    before, after = flat_frame(size, pixel_format, 40, 90, 170), flat_frame(size, pixel_format, 150, 110, 140)
    joined = side(before, after).planes
    width, line = size[0], line_width(size[0])
    seam = width + width % 2
    assert (joined.width, joined.height) == (2 * seam, size[1])
    assert (joined.y[:, :width] == 40).all()
    assert (joined.y[:, width : seam + line] == 235).all()
    assert (joined.y[:, seam + line :] == 150).all()
    assert (joined.u[:, : seam // 2] == 90).all()
    assert (joined.u[:, seam // 2 : (seam + line) // 2] == 128).all()
    assert (joined.u[:, (seam + line) // 2 :] == 110).all()


@pytest.mark.parametrize("join", [split, side])
def test_place_in_time_and_tags_stay_and_the_inputs_are_not_touched(join):
    before, after = flat_frame((64, 36), "yuv420p", 40, 90, 170, True), flat_frame((64, 36), "yuv420p", 150, 1, 2, True)
    joined = join(before, after)
    assert (joined.pts, joined.time_base, joined.duration, joined.seq) == (7, Fraction(1, 30), 1, 3)
    assert joined.picture.color_range == 2
    assert joined.planes.colour == before.planes.colour
    assert joined.planes.y.max() == 255  # white of the full range
    assert (before.planes.y == 40).all()
    assert (after.planes.y == 150).all()


def test_pictures_of_a_textured_scene_keep_their_pixels():
    rng = np.random.default_rng(0)
    before, after = (flat_frame((33, 17), "nv12", 0, 0, 0) for _ in range(2))
    for frame in (before, after):
        for plane in (frame.planes.y, frame.planes.u, frame.planes.v):
            plane[:] = rng.integers(16, 236, plane.shape)
    joined = side(before, after).planes
    np.testing.assert_array_equal(joined.y[:, :33], before.planes.y)
    np.testing.assert_array_equal(joined.y[:, 36:67], after.planes.y[:, 2:])
    np.testing.assert_array_equal(joined.v[:, 18:], after.planes.v[:, 1:])


def test_the_line_grows_with_the_picture_and_stays_even():
    assert [line_width(width) for width in (160, 1279, 1920, 3840)] == [2, 2, 2, 4]


def test_no_comparison_is_the_enhancement_itself():
    def enhance(frame):
        return frame

    assert comparing(enhance, "none") is enhance
    frame = flat_frame((16, 8), "yuv420p", 40, 128, 128)
    assert comparing(enhance, "side")(frame).planes.width == 32
