"""Day and night: dusk with noise switches once, headlights never, and a switch fades."""

from __future__ import annotations

from types import SimpleNamespace

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.colour import Colour
from stream.live.gate import BRIGHT, DARK, FADE_S, LumaGate, trimean
from stream.media import Frame, planes_of

pytestmark = pytest.mark.timeout(60)


def run(levels, period=0.5, **options):
    """Feed luma levels, one each ``period`` seconds; the amounts that came out, and the gate."""
    now = SimpleNamespace(level=0.0)
    gate = LumaGate(lambda frame: np.full((9, 16), now.level, np.float32), **options)
    amounts = []
    for number, level in enumerate(levels):
        now.level = level
        amounts.append(gate(SimpleNamespace(captured_at=number * period)))
    return amounts, gate


@settings(deadline=None, max_examples=25)
@given(
    st.floats(0.0, 0.15),
    st.floats(0.33, 0.9),
    st.integers(100, 1200),
    st.floats(0.0, 0.06),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_dusk_and_dawn_with_noise_switch_exactly_once(night, day, steps, noise, seed, dusk):
    ramp = np.concatenate([np.full(40, day), np.linspace(day, night, steps), np.full(60, night)])
    ramp = ramp if dusk else ramp[::-1]
    levels = np.clip(ramp + np.random.default_rng(seed).normal(0, noise, ramp.size), 0, 1)
    amounts, gate = run(levels)
    assert gate.switches == 1
    assert (amounts[0], amounts[-1]) == ((0.0, 1.0) if dusk else (1.0, 0.0))
    changes = np.diff(amounts)
    assert (changes >= 0).all() if dusk else (changes <= 0).all()


@settings(deadline=None, max_examples=20)
@given(st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_a_constant_scene_with_noise_never_switches(level, seed):
    levels = np.clip(level + np.random.default_rng(seed).normal(0, 0.03, 400), 0, 1)
    assert run(levels)[1].switches <= (abs(level - DARK) < 0.04 or abs(level - BRIGHT) < 0.04)


def test_headlights_and_a_passing_cloud_do_not_switch():
    night = np.full(400, 0.08)
    night[100:106], night[200:204] = 0.9, 0.5
    assert run(night)[1].switches == 0
    day = np.full(400, 0.45)
    day[100:108] = 0.05
    assert run(day)[1].switches == 0


def test_a_switch_fades_over_its_time_and_says_so():
    levels = np.concatenate([np.full(100, 0.5), np.full(400, 0.05)])
    amounts, gate = run(levels, period=0.1)
    between = [amount for amount in amounts if 0 < amount < 1]
    assert FADE_S / 0.1 - 2 <= len(between) <= FADE_S / 0.1
    assert between == sorted(between)
    assert gate.state == "dark"
    assert run(levels[:101])[1].state == "bright"


def test_the_states_on_the_way():
    seen = []
    now = SimpleNamespace(level=0.05)
    gate = LumaGate(lambda frame: np.full((9, 16), now.level, np.float32), dwell_s=0.0)
    for number in range(400):
        now.level = 0.05 if number < 100 or number >= 250 else 0.6
        gate(SimpleNamespace(captured_at=number * 0.2))
        if not seen or seen[-1] != gate.state:
            seen.append(gate.state)
    assert seen == ["dark", "fading out", "bright", "fading in", "dark"]


def test_real_frames_are_judged_by_their_thumbnail():
    for code, night in ((30, True), (120, False)):
        picture = av.VideoFrame(320, 180, "yuv420p")
        for plane in picture.planes:
            plane.update(bytes([128]) * plane.buffer_size)
        planes = planes_of(picture, Colour())
        picture.planes[0].update(bytes([code]) * picture.planes[0].buffer_size)
        gate = LumaGate()
        assert gate(Frame(picture, planes, 0, picture.time_base or 1, 0, 0.0)) == float(night)
        assert gate.brightness == pytest.approx((code - 16) / 219, abs=0.01)


def test_lamps_do_not_make_a_night_bright():
    night = np.full((144, 256), 0.06)
    night[:30] = 1.0
    assert trimean(night) < DARK


@pytest.mark.parametrize("thresholds", [(0.3, 0.2), (-0.1, 0.2), (0.2, 1.2)])
def test_thresholds_that_make_no_sense_are_refused(thresholds):
    with pytest.raises(ValueError, match="thresholds"):
        LumaGate(dark=thresholds[0], bright=thresholds[1])
