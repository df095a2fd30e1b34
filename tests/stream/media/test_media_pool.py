"""Picture memory is shared over time, never between pictures that somebody still holds."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.colour import Colour
from stream.media.pictures import planes_of
from stream.media.pool import PicturePool


def address(picture: av.VideoFrame) -> int:
    return picture.planes[0].buffer_ptr


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "nv12"])
@pytest.mark.parametrize("size", [(64, 48), (1920, 1080), (66, 48), (62, 46), (63, 47)])
def test_pictures_are_whole(size: tuple[int, int], pixel_format: str) -> None:
    pool = PicturePool()
    pictures = [pool.take(*size, pixel_format) for _ in range(3)]
    for value, picture in enumerate(pictures):
        assert (picture.width, picture.height, picture.format.name) == (*size, pixel_format)
        planes = planes_of(picture, Colour())
        planes.y[:], planes.u[:], planes.v[:] = value, 50 + value, 100 + value
    for value, picture in enumerate(pictures):
        planes = planes_of(picture, Colour())
        assert (planes.y == value).all()
        assert (planes.u == 50 + value).all()
        assert (planes.v == 100 + value).all()


_KEEP: dict[str, Callable[[av.VideoFrame], object]] = {
    "picture": lambda picture: picture,
    "plane object": lambda picture: picture.planes[1],
    "array": lambda picture: planes_of(picture, Colour()).u,
}


@pytest.mark.parametrize("keep", _KEEP)
def test_memory_returns_only_when_nobody_looks(keep: str) -> None:
    pool = PicturePool()
    picture = pool.take(64, 48, "yuv420p")
    first = address(picture)
    held = _KEEP[keep](picture)
    del picture
    gc.collect()
    assert address(pool.take(64, 48, "yuv420p")) != first
    del held
    gc.collect()
    taken = [pool.take(64, 48, "yuv420p") for _ in range(2)]
    assert first in [address(one) for one in taken]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=120))
def test_held_pictures_never_change(steps: list[int]) -> None:
    """Takes and drops in any order; what is held keeps its content."""
    pool = PicturePool()
    held: dict[int, tuple[av.VideoFrame, int]] = {}
    for stamp, slot in enumerate(steps):
        picture = pool.take(64, 48, "yuv420p")
        planes_of(picture, Colour()).y[:] = stamp % 251
        held[slot] = (picture, stamp % 251)
        for kept, value in held.values():
            assert (planes_of(kept, Colour()).y == value).all()
    assert pool.blocks <= 12


def test_several_sizes_are_kept_side_by_side_and_forgotten_when_nobody_asks_for_them() -> None:
    pool = PicturePool()
    sizes = [(64, 48), (128, 96)]
    first = {address(pool.take(*size, "yuv420p")) for size in sizes}
    assert pool.blocks == 2
    for _ in range(20):
        assert {address(pool.take(*size, "yuv420p")) for size in sizes} == first
    for _ in range(1100):
        pool.take(64, 48, "yuv420p")
    assert pool.blocks == 1


def test_many_in_flight_and_many_threads() -> None:
    pool = PicturePool()
    failures: list[str] = []

    def work(number: int) -> None:
        held = []
        for turn in range(60):
            picture = pool.take(64, 48, "yuv420p")
            planes_of(picture, Colour()).y[:] = number
            held.append(picture)
            if turn > 20:
                held.pop(0)
            if not all((planes_of(one, Colour()).y == number).all() for one in held):
                failures.append(f"thread {number} saw foreign pixels")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_rows_are_aligned_for_simd() -> None:
    picture = PicturePool().take(1918, 1080, "yuv420p")
    for plane in picture.planes:
        assert plane.buffer_ptr % 64 == 0
        assert plane.line_size % 64 == 0
    assert np.shape(planes_of(picture, Colour()).y) == (1080, 1918)
