"""``testsrc:``: a camera in real time, dark or not, with a number in every frame that also the enhancement leaves."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from engines.bundle import load_bundle
from stream.errors import OptionRefused
from stream.media import Frame, frame_code
from stream.media.sources.connection import SourceOptions
from stream.media.sources.testsrc import Pattern, TestsrcConnection, parse
from stream.settings import Settings
from stream.telemetry import Telemetry
from stream.vision.modes import open_mode


def frames_of(uri: str, count: int = 0) -> list[Frame]:
    connection = TestsrcConnection(uri, SourceOptions())
    found: list[Frame] = []
    for item in connection:
        assert isinstance(item, Frame)
        found.append(item)
        if count and len(found) >= count:
            connection.stop()
    return found


def test_options_are_understood_and_given_ones_win() -> None:
    assert parse("testsrc:", {}) == Pattern()
    assert parse("testsrc:size=320x180,fps=30000/1001,night=0,noise=1.5,frames=9", {}) == Pattern(
        320, 180, Fraction(30000, 1001), False, 1.5, 9
    )
    assert parse("testsrc:fps=10", {"framerate": "50", "video_size": "640x360"}) == Pattern(640, 360, Fraction(50))


@pytest.mark.parametrize(
    "wrong",
    ["size=10x10", "size=321x240", "size=abc", "fps=0", "fps=1/0", "night=2", "frames=-1", "colour=red", "size"],
)
def test_what_is_not_understood_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(OptionRefused, match=r"testsrc:size=1280x720"):
        TestsrcConnection(f"testsrc:{wrong}", SourceOptions())


def test_frames_come_in_real_time_with_their_numbers() -> None:
    before = time.monotonic()
    frames = frames_of("testsrc:size=256x144,fps=100,frames=12")
    numbers = [frame_code.read(frame.planes.y) for frame in frames]
    assert len(frames) == 12
    assert numbers == sorted(set(numbers)), "numbers rise; late ones are left out"
    assert [frame.pts for frame in frames] == [number * 900 for number in numbers]
    assert all(frame.time_base == Fraction(1, 90_000) for frame in frames)
    for frame, number in zip(frames, numbers, strict=True):
        assert frame.captured_at - before >= number / 100 - 0.001, "no frame before its time"


def test_who_is_late_misses_numbers_and_not_time() -> None:
    connection = TestsrcConnection("testsrc:size=256x144,fps=100", SourceOptions())
    items = iter(connection)
    first = next(items)
    time.sleep(0.2)
    second = next(items)
    connection.stop()
    assert frame_code.read(first.planes.y) == 0
    assert frame_code.read(second.planes.y) >= 19
    assert list(items) == []


def test_stop_wakes_a_source_that_waits() -> None:
    connection = TestsrcConnection("testsrc:size=256x144,fps=0.1", SourceOptions())
    items = iter(connection)
    next(items)
    threading.Timer(0.1, connection.stop).start()
    assert list(items) == []


def test_night_is_dark_and_day_is_not() -> None:
    (night,) = frames_of("testsrc:size=640x360,frames=1")
    (day,) = frames_of("testsrc:size=640x360,frames=1,night=0")
    assert float(night.planes.y.mean()) < 50
    assert float(day.planes.y.mean()) > 90


def test_something_moves_and_all_levels_are_legal() -> None:
    connection = TestsrcConnection("testsrc:size=640x360,noise=8", SourceOptions())
    early, late = (connection.frame(number, 0) for number in (0, 50))
    assert early.planes.y.min() >= 0
    assert early.planes.y.max() <= 235
    moved = np.abs(early.planes.v.astype(int) - late.planes.v).max()
    assert moved > 30, "the lights of a car"


def test_the_code_is_read_after_the_enhancement() -> None:
    settings = Settings(threads=1)
    enhancer = open_mode(load_bundle("curve"), settings).enhancer(settings, Telemetry(), None)
    connection = TestsrcConnection("testsrc:size=640x360", SourceOptions())
    try:
        for number in range(24):
            frame = connection.frame(number, number)
            enhanced = enhancer(frame)
            assert frame_code.read(enhanced.planes.y) == number
        assert enhanced.planes.y.mean() > frame.planes.y.mean() + 5
    finally:
        enhancer.close()


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("size=160x96", f"from {frame_code.SMALLEST_WIDTH}x{frame_code.SMALLEST_HEIGHT} to 8192x8192"),
        ("fps=1000", "a number in 0.05..240"),
        ("night=2", "a whole number in 0..1"),
        ("colour=red", "is not understood"),
    ],
)
def test_what_an_option_would_take_is_told(option: str, said: str) -> None:
    with pytest.raises(OptionRefused) as refusal:
        parse(f"testsrc:{option}", {})
    assert said in str(refusal.value)
