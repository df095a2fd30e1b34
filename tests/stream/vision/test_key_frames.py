"""Key frames come when they are due, never too soon, and at the latest when the bounds say."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.vision.key_frames import (
    LATEST,
    SOONEST,
    STATIC_S,
    Decision,
    KeyFrames,
    Mode,
    Shapes,
    Signals,
    confirmed,
    decide,
    inflow,
    moving,
    parse_mode,
)
from stream.vision.regions import Regions

H, W = 144, 256
DUE = (
    Signals(confidence=0.84),
    Signals(uncovered=0.101),
    Signals(area_change=2.01),
    Signals(touching=True),
)
NOT_DUE = (
    Signals(),
    Signals(confidence=0.85),
    Signals(uncovered=0.10),
    Signals(area_change=2.0),
    Signals(moving=1.0),
    Signals(age_s=1000.0),
)
MODES: tuple[Mode, ...] = ("auto", "first", "off", 1, 7)


def test_every_combination_of_mode_and_age() -> None:
    """Frame numbers from the last key frame on, and what each mode does there."""
    for mode, frames, signals in itertools.product(MODES, range(60), (*DUE, *NOT_DUE)):
        got = decide(100 + frames, 100, mode, signals)
        assert not got.reset
        if isinstance(mode, int):
            expected = frames >= mode
        elif mode != "auto" or frames < SOONEST:
            expected = False
        elif frames < LATEST:
            expected = signals in DUE
        else:
            expected = signals in DUE or signals.moving > 0.01 or signals.age_s >= STATIC_S
        assert got.segment == expected, (mode, frames, signals)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("signals", [*DUE, *NOT_DUE])
def test_the_first_frame_a_cut_and_a_restart_start_afresh(mode: Mode, signals: Signals) -> None:
    segment = mode != "off"
    assert decide(0, None, mode, signals) == Decision(False, segment)
    assert decide(500, None, mode, signals) == Decision(False, segment)
    for last in (None, 10, 11):
        assert decide(11, last, mode, replace(signals, cut=True)) == Decision(True, segment)
    assert decide(9, 10, mode, signals) == Decision(True, segment)


def test_a_static_scene_is_looked_at_every_four_seconds() -> None:
    for fps, frames in ((10, 40), (25, 100), (60, 240), (5, 30)):
        asked = [n for n in range(1, 600) if decide(n, 0, "auto", Signals(moving=0.01, age_s=n / fps)).segment]
        assert asked[0] == frames
    assert decide(30, 0, "auto", Signals(moving=0.0101)).segment


@pytest.mark.parametrize(("text", "mode"), [("auto", "auto"), ("off", "off"), ("first", "first"), ("15", 15), ("1", 1)])
def test_modes_as_written(text: str, mode: Mode) -> None:
    assert parse_mode(text) == mode


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "often", "²", "AUTO"])
def test_modes_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="every N frames"):
        parse_mode(text)


@dataclass
class Moved:
    """What is looked at of a motion."""

    flow: np.ndarray
    confidence: np.ndarray


def shift(dx: float = 0.0, dy: float = 0.0, confidence: float = 1.0) -> Any:
    flow = np.broadcast_to(np.array([dx, dy], np.float32), (H, W, 2)).copy()
    return Moved(flow, np.full((H, W), confidence, np.float32))


def regions_of(ids: np.ndarray) -> Regions:
    ones = np.ones(17, np.float32)
    return Regions(ids, ones, 0 * ones, ones, None)


def box(top: int, bottom: int, left: int, right: int, number: int = 1) -> np.ndarray:
    ids = np.zeros((H, W), np.uint8)
    ids[top:bottom, left:right] = number
    return ids


def test_areas_that_double_and_halve() -> None:
    before = Shapes(box(40, 80, 40, 80))
    assert before.change(Shapes(box(40, 80, 40, 80))) == 1
    assert before.change(Shapes(box(40, 80, 40, 120))) == pytest.approx(2)
    assert before.change(Shapes(box(40, 80, 40, 60))) == pytest.approx(2)
    assert before.change(Shapes(np.zeros((H, W), np.uint8))) > 2
    assert Shapes(np.zeros((H, W), np.uint8)).change(before) > 2
    small, gone = Shapes(box(10, 20, 10, 40)), Shapes(np.zeros((H, W), np.uint8))
    assert small.change(gone) == 1


def test_touching_the_edge() -> None:
    inside, touching = Shapes(box(40, 80, 1, 80)), Shapes(box(40, 80, 0, 79))
    assert inside.newly_touching(touching)
    assert not touching.newly_touching(touching)
    assert not touching.newly_touching(inside)
    assert not inside.newly_touching(Shapes(box(40, 80, 1, 80)))
    assert not Shapes(box(70, 72, 1, 9)).newly_touching(Shapes(box(70, 74, 0, 8)))
    background = Shapes(np.zeros((H, W), np.uint8))
    assert not background.newly_touching(background)


def test_confirmed_motion_is_that_of_regions() -> None:
    confidence = np.ones((H, W), np.float32)
    confidence[:, 128:] = 0.2
    assert confirmed(box(0, H, 0, 128), confidence) == 1
    assert confirmed(box(0, H, 128, W), confidence) == 0
    assert confirmed(box(0, H, 64, 192), confidence) == 0.5
    assert confirmed(np.zeros((H, W), np.uint8), 0 * confidence) == 1


def test_moving_and_inflow() -> None:
    assert moving(shift(0.3, 0.3).flow) == 0
    assert moving(shift(0.4, 0.4).flow) == 1
    assert inflow(shift(2, 0).flow) == pytest.approx([-2 / W, 2 / W, 0, 0])
    assert inflow(shift(0, -3).flow) == pytest.approx([0, 0, 3 / H, -3 / H])


def run(key_frames: KeyFrames, frames: range, fps: float = 25, cuts: tuple[int, ...] = (), **known: Any) -> list[int]:
    """Numbers of the frames that became key frames."""
    return [n for n in frames if key_frames.step(n, n / fps, n in cuts, **known).segment]


def test_a_static_video() -> None:
    assert run(KeyFrames("auto"), range(301), regions=regions_of(box(0, 50, 0, 50)), motion=shift()) == [
        0,
        100,
        200,
        300,
    ]
    assert run(KeyFrames("auto"), range(301)) == [0, 100, 200, 300]
    assert run(KeyFrames(40), range(100), motion=shift(9)) == [0, 40, 80]
    assert run(KeyFrames("off"), range(100), cuts=(50,)) == []
    assert run(KeyFrames("first"), range(100), cuts=(50,)) == [0, 50]


def test_a_pan_asks_when_a_tenth_came_into_view() -> None:
    first, second = run(KeyFrames("auto"), range(20), motion=shift(3.0))[:2]
    assert (first, second) == (0, 9)
    assert run(KeyFrames("auto"), range(6), motion=shift(0, 30.0))[:2] == [0, 4]
    assert run(KeyFrames("auto"), range(31), motion=shift(0.6, 0))[:2] == [0, 30]


def test_a_shaking_camera_uncovers_the_same_strip_again() -> None:
    key_frames = KeyFrames("auto")
    asked = [n for n in range(31) if key_frames.step(n, n / 25, False, None, shift((-1) ** n * 6)).segment]
    assert asked == [0, 30]


def test_motion_that_is_not_confirmed_in_regions() -> None:
    regions = regions_of(box(30, 100, 30, 100))
    assert run(KeyFrames("auto"), range(9), regions=regions, motion=shift(confidence=0.1)) == [0, 4, 8]
    assert run(KeyFrames("auto"), range(9), motion=shift(confidence=0.1)) == [0]


def test_regions_that_grow_ask_again_until_a_result_came() -> None:
    key_frames, small, large = KeyFrames("auto"), regions_of(box(30, 60, 30, 60)), regions_of(box(30, 120, 30, 60))
    assert run(key_frames, range(2), regions=small) == [0]
    key_frames.accepted(small)
    assert run(key_frames, range(2, 20), regions=large) == [4]
    key_frames.accepted(small)
    assert run(key_frames, range(20, 30), regions=large) == [20]


def test_new_regions_of_a_result_are_no_change() -> None:
    key_frames, before, after = KeyFrames("auto"), regions_of(box(0, 60, 0, 60)), regions_of(box(50, 144, 90, 256, 2))
    assert run(key_frames, range(10), regions=before) == [0]
    key_frames.accepted(after)
    assert run(key_frames, range(10, 40), regions=after) == []
    key_frames.accepted(None)
    assert run(key_frames, range(40, 60), regions=before) == []


def test_cuts_reset_and_are_not_measured_against_what_was_before() -> None:
    key_frames = KeyFrames("auto")
    assert run(key_frames, range(3), regions=regions_of(box(0, 144, 0, 128)), motion=shift(20)) == [0]
    assert key_frames.step(3, 0.12, True, regions_of(box(0, 9, 0, 9)), shift(200)) == Decision(True, True)
    assert run(key_frames, range(4, 20), regions=regions_of(box(0, 144, 128, 256)), motion=shift()) == []
    every_frame = KeyFrames("auto")
    assert run(every_frame, range(9), cuts=tuple(range(9))) == list(range(9))


@pytest.mark.parametrize("mode", MODES)
def test_numbers_that_roll_back_are_a_reset_even_behind_the_last_key_frame(mode: Mode) -> None:
    key_frames = KeyFrames(mode)
    run(key_frames, range(100, 103))
    for seq in (101, 101, 0):
        assert key_frames.step(seq, 0.0, False) == Decision(True, mode != "off")


SHAPES = (None, *(regions_of(ids) for ids in (box(0, 30, 0, 30), box(0, H, 0, W), box(9, 99, 9, 99, 5))))
MOTIONS = (None, *(shift(dx, 0, confidence) for dx, confidence in ((0, 1), (0, 0), (9, 1), (-40, 0.6), (0.6, 1))))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(MOTIONS), st.sampled_from(SHAPES)), min_size=40, max_size=80),
    st.sampled_from([5, 25]),
)
def test_the_bounds_hold_whatever_happens(frames: list[tuple[bool, Any, Regions | None]], fps: int) -> None:
    """Without a cut, key frames are 4 or more frames apart, and at most 30, or 4 seconds where that is longer."""
    key_frames, last = KeyFrames("auto"), 0
    for n, (cut, motion, regions) in enumerate(frames):
        cut = cut and n % 5 == 0
        got = key_frames.step(n, n / fps, cut, regions, motion)
        assert got.reset == cut
        assert not cut or got.segment
        if got.segment and not cut and n:
            assert n - last >= SOONEST
        if got.segment:
            last = n
        assert n - last < max(LATEST, fps * STATIC_S)
