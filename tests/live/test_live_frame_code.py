"""Frame codes: what is drawn is read back, through noise, brightening and encoders, and nothing else ever is."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.media import frame_code
from stream.media.night_scene import NightScene

NUMBERS = st.integers(0, frame_code.LARGEST)
SIZES = st.sampled_from([(256, 128), (320, 240), (640, 360), (854, 480), (322, 182)])


@given(NUMBERS, SIZES)
def test_what_is_drawn_is_read(number: int, size: tuple[int, int]) -> None:
    luma = np.full(size[::-1], 30, np.uint8)
    frame_code.draw(luma, number)
    assert frame_code.read(luma) == number


@given(NUMBERS, st.floats(0.3, 2.2), st.floats(-20, 60), st.floats(0.45, 1.6), st.floats(0, 12), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_it_survives_brightening_and_noise(
    number: int, gain: float, offset: float, gamma: float, noise: float, seed: int
) -> None:
    luma = np.full((180, 320), 30, np.uint8)
    frame_code.draw(luma, number)
    bright = 255 * (luma / 255) ** gamma * gain + offset
    bright += np.linspace(0, 25, 320)  # more on one side than on the other, as tone curves of regions do
    bright += np.random.default_rng(seed).normal(0, noise, luma.shape)
    assert frame_code.read(np.clip(bright, 0, 255).astype(np.uint8)) == number


@given(NUMBERS, st.integers(0, 31))
def test_a_damaged_cell_is_noticed(number: int, column: int) -> None:
    luma = np.full((180, 320), 30, np.uint8)
    frame_code.draw(luma, number)
    band = luma[-2 * frame_code.cell_height(180) :, column * 10 : (column + 1) * 10]
    band[:] = band[::-1].copy()
    assert frame_code.read(luma) is None


@given(st.integers(0, 10**9), st.floats(0, 60))
def test_pictures_without_a_code_have_no_number(seed: int, spread: float) -> None:
    random = np.random.default_rng(seed)
    luma = np.clip(random.normal(60, spread, (144, 256)), 0, 255).astype(np.uint8)
    assert frame_code.read(luma) is None


def test_planes_that_are_too_small_are_refused() -> None:
    small = np.zeros((100, 200), np.uint8)
    assert frame_code.read(small) is None
    with pytest.raises(ValueError, match="too small"):
        frame_code.draw(small, 1)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_it_survives_encoders_that_starve(codec: str) -> None:
    numbers = [0, 1, 2, 3, 4, 5, 0xAAAAAA, 0x555555, 123456, frame_code.LARGEST]
    read = list(_through(codec, 640, 360, numbers, bit_rate=120_000))
    assert read == numbers


def _through(codec: str, width: int, height: int, numbers: list[int], bit_rate: int) -> list[int | None]:
    """The numbers as read after encoding noisy night pictures at a low bit rate."""
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, 25), Fraction(25), bit_rate
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency"} | (
        {"x265-params": "log-level=none:pools=1"} if codec == "libx265" else {"threads": "1"}
    )
    scene = NightScene(width, height)
    packets = []
    for index, number in enumerate(numbers):
        planes = [np.empty((height, width), np.uint8), *(np.empty((height // 2, width // 2), np.uint8) for _ in "uv")]
        scene.draw(*planes, index, index / 25)
        frame_code.draw(planes[0], number)
        flat = np.concatenate([planes[0].ravel(), planes[1].ravel(), planes[2].ravel()])
        picture = av.VideoFrame.from_ndarray(flat.reshape(height * 3 // 2, width), "yuv420p")
        picture.pts = index
        packets += encoder.encode(picture)
    packets += encoder.encode(None)
    decoder = av.CodecContext.create("h264" if codec == "libx264" else "hevc", "r")
    pictures = [picture for packet in [*packets, None] for picture in decoder.decode(packet)]
    return [frame_code.read(picture.to_ndarray()[:height]) for picture in pictures]
