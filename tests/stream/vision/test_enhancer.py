"""When the network runs, what is smoothed, what happens at cuts and failures, and which bytes come out."""

from __future__ import annotations

import time
from fractions import Fraction

import av
import numpy as np
import pytest

from engines.colour import Colour
from engines.curve import reference
from engines.curve.grid import CELL, CurveGrid
from engines.errors import ModelError, NotFiniteError
from stream.media import Frame, planes_of
from stream.vision.enhancer import Enhancer

TIME_BASE = Fraction(1, 1000)


class FakeNetwork:
    """Wants y' = gain * y everywhere; fails on the calls named in ``failures``."""

    extra_inputs = ()

    def __init__(self, gain: float = 2.0, failures: dict[int, Exception] | None = None) -> None:
        self.gain, self.failures, self.calls = gain, failures or {}, 0

    def __call__(self, thumbnail, extra=None) -> CurveGrid:
        call, self.calls = self.calls, self.calls + 1
        if call in self.failures:
            raise self.failures[call]
        rows, cols = (side // CELL for side in thumbnail.y.shape)
        coefficients = np.array(CurveGrid.identity(rows, cols).coefficients)
        coefficients[..., 0] = self.gain
        return CurveGrid(coefficients)


def texture(seed: int, low: int, high: int) -> np.ndarray:
    """Blobs of 16 pixels, 72 x 128."""
    blocks = np.random.default_rng(seed).integers(low, high, (9, 16))
    return np.kron(blocks, np.ones((8, 8))).astype(np.uint8)


DARK = texture(1, 20, 70)


def frame(number: int, luma: np.ndarray = DARK, milliseconds: int = 40, pixel_format: str = "yuv420p") -> Frame:
    picture = av.VideoFrame(luma.shape[1], luma.shape[0], pixel_format)
    planes = planes_of(picture, Colour("bt601"))
    planes.y[:], planes.u[:], planes.v[:] = luma, 120, 135
    return Frame(picture, planes, number * milliseconds, TIME_BASE, number, time.monotonic())


def gain_of(before: Frame, after: Frame) -> float:
    """The gain that was applied, from the mean of normalised luma."""
    return float((after.planes.y - 16.0).mean() / (before.planes.y - 16.0).mean())


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12"])
def test_the_first_frame_gets_the_networks_grid_in_a_picture_of_its_own(pixel_format):
    network = FakeNetwork(gain=2.0)
    before = frame(0, pixel_format=pixel_format)
    untouched = before.planes.y.copy()
    after = Enhancer(network)(before)
    wanted = reference.apply(before.planes, CurveGrid(network_grid(2.0)))
    for got, want in ((after.planes.y, wanted.y), (after.planes.u, wanted.u), (after.planes.v, wanted.v)):
        assert np.abs(got.astype(int) - want).max() <= 1
    np.testing.assert_array_equal(before.planes.y, untouched)
    assert after.picture is not before.picture
    assert after.picture.format.name == pixel_format
    assert (after.pts, after.seq, after.time_base) == (before.pts, before.seq, before.time_base)


def network_grid(gain: float) -> np.ndarray:
    coefficients = np.array(CurveGrid.identity(18, 32).coefficients)
    coefficients[..., 0] = gain
    return coefficients


def test_strength_zero_hands_the_frame_back_without_asking_the_network():
    network = FakeNetwork()
    before = frame(0)
    assert Enhancer(network, strength=0.0)(before) is before
    assert network.calls == 0


def test_the_identity_hands_the_frame_back():
    before = frame(0)
    assert Enhancer(FakeNetwork(gain=1.0))(before) is before


def test_strength_blends():
    before = frame(0)
    assert gain_of(before, Enhancer(FakeNetwork(gain=3.0), strength=0.5)(before)) == pytest.approx(2.0, abs=0.02)


def test_a_changed_wish_arrives_slowly():
    network = FakeNetwork(gain=2.0)
    enhancer = Enhancer(network)
    enhancer(frame(0))
    network.gain = 3.0
    gains = [gain_of(frame(n), enhancer(frame(n))) for n in range(1, 40)]
    assert gains[0] == pytest.approx(2 + (1 - np.exp(-0.1)), abs=0.03)
    assert np.all(np.diff(gains) >= -0.01)
    assert gains[-1] == pytest.approx(3.0, abs=0.15)


def test_smoothing_follows_time_stamps_not_frame_numbers():
    gains = []
    for milliseconds in (20, 200):
        network = FakeNetwork(gain=2.0)
        enhancer = Enhancer(network)
        enhancer(frame(0, milliseconds=milliseconds))
        network.gain = 3.0
        gains.append(gain_of(frame(1), enhancer(frame(1, milliseconds=milliseconds))))
    assert gains[1] - 2 > 5 * (gains[0] - 2)


@pytest.mark.parametrize(("every", "calls"), [(1, 12), (2, 6), (5, 3)])
def test_the_network_runs_on_every_kth_frame(every, calls):
    network = FakeNetwork()
    enhancer = Enhancer(network, network_every=every)
    for number in range(12):
        enhancer(frame(number))
    assert network.calls == calls == enhancer.network_runs


def test_a_cut_asks_the_network_at_once_and_takes_its_answer_whole():
    network = FakeNetwork(gain=3.0)
    enhancer = Enhancer(network, network_every=30)
    for number in range(4):
        enhancer(frame(number))
    network.gain = 1.1
    bright = texture(2, 150, 200)
    after = enhancer(frame(4, bright))
    assert network.calls == 2
    assert enhancer.cuts == 1
    assert gain_of(frame(4, bright), after) == pytest.approx(1.1, abs=0.02)
    enhancer(frame(5, bright))
    assert enhancer.cuts == 1


def test_after_a_flash_the_old_state_is_back():
    network = FakeNetwork(gain=3.0)
    enhancer = Enhancer(network)
    for number in range(5):
        steady = enhancer(frame(number))
    network.gain = 1.0
    enhancer(frame(5, np.full_like(DARK, 234)))
    network.gain = 3.0
    np.testing.assert_array_equal(enhancer(frame(6)).planes.y, steady.planes.y)


def test_a_network_that_gives_no_numbers_keeps_the_grid_and_is_counted():
    network = FakeNetwork(gain=2.0, failures={2: NotFiniteError("NaN"), 3: ModelError("broken")})
    enhancer = Enhancer(network)
    outputs = [enhancer(frame(number)).planes.y for number in range(6)]
    for output in outputs[1:]:
        np.testing.assert_array_equal(output, outputs[0])
    assert (enhancer.network_runs, enhancer.network_failures) == (4, 2)


def test_a_network_that_fails_at_first_leaves_frames_as_they_are_until_it_works():
    enhancer = Enhancer(FakeNetwork(gain=2.0, failures={0: NotFiniteError("NaN")}))
    first = frame(0)
    assert enhancer(first) is first
    assert gain_of(frame(1), enhancer(frame(1))) == pytest.approx(2.0, abs=0.02)
    assert enhancer.network_failures == 1


def test_a_network_that_never_worked_is_an_error():
    with pytest.raises(ModelError):
        Enhancer(FakeNetwork(failures={0: ModelError("broken")}))(frame(0))


def test_a_cut_while_the_network_fails_keeps_the_last_grid():
    enhancer = Enhancer(FakeNetwork(gain=1.2, failures={1: NotFiniteError("NaN")}))
    enhancer(frame(0))
    bright = texture(2, 150, 190)
    assert gain_of(frame(1, bright), enhancer(frame(1, bright))) == pytest.approx(1.2, abs=0.02)


def test_a_new_size_while_the_network_fails_leaves_frames_as_they_are():
    enhancer = Enhancer(FakeNetwork(failures={1: NotFiniteError("NaN")}))
    enhancer(frame(0))
    tall = frame(1, np.ascontiguousarray(DARK.T))
    assert enhancer(tall) is tall


def test_another_picture_size_begins_a_new_scene():
    network = FakeNetwork()
    enhancer = Enhancer(network, network_every=30)
    enhancer(frame(0))
    tall = np.ascontiguousarray(DARK.T)
    assert gain_of(frame(1, tall), enhancer(frame(1, tall))) == pytest.approx(2.0, abs=0.02)
    assert network.calls == 2
