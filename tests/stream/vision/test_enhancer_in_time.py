"""Denoising, motion and regions inside the enhancer: less noise, no ghosts, no waiting, and sane with any segmenter."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from engines.colour import Colour
from engines.curve.grid import CELL, CurveGrid
from stream.media import Frame, planes_of
from stream.vision.enhancer import Enhancer
from stream.vision.regions import Segmentation
from stream.vision.segmenter import Segmenter
from stream.vision.semantics import Semantics

WIDTH, HEIGHT = 256, 144


class Gain:
    """Wants y' = 4 y everywhere, and keeps what it was told."""

    def __init__(self, *names: str) -> None:
        self.extra_inputs = names
        self.told: list[dict] = []

    def __call__(self, thumbnail, extra=None) -> CurveGrid:
        self.told.append(dict(extra or {}))
        rows, cols = (side // CELL for side in thumbnail.y.shape)
        coefficients = np.array(CurveGrid.identity(rows, cols).coefficients)
        coefficients[..., 0] = 4
        return CurveGrid(coefficients)


def frame(luma: np.ndarray, number: int, *, key: bool = False) -> Frame:
    picture = av.VideoFrame(luma.shape[1], luma.shape[0], "yuv420p")
    planes = planes_of(picture, Colour("bt601"))
    planes.y[:], planes.u[:], planes.v[:] = np.clip(luma, 16, 235), 125, 130
    return Frame(picture, planes, number * 40, Fraction(1, 1000), number, time.monotonic(), key_frame=key)


def scene(seed: int, shift: int = 0) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(22, 50, (9, 24))
    return np.roll(np.kron(blocks, np.ones((16, 16))), shift, axis=1)[:, :WIDTH]


def noisy(clean: np.ndarray, seed: int, deviation: float = 2.0) -> np.ndarray:
    return np.rint(clean + np.random.default_rng(seed).normal(0, deviation, clean.shape))


def error(shown: Frame, clean: np.ndarray) -> float:
    """Deviation from four times the clean picture, in codes."""
    return float(np.std(shown.planes.y - (16 + 4 * (clean - 16))))


@pytest.mark.parametrize("pan", [0, 2])
def test_noise_is_averaged_away_along_the_motion(pan):
    left = {}
    for amount in ("off", 1.0):
        enhancer = Enhancer(Gain(), denoise=amount)
        for n in range(16):
            clean = scene(1, pan * n)
            shown = enhancer(frame(noisy(clean, n), n))
        left[amount] = error(shown, clean)
    assert left["off"] > 7
    assert left[1.0] < 0.6 * left["off"]


def test_auto_leaves_clean_pictures_to_the_plain_pass_and_filters_noisy_ones():
    plain, auto = (Enhancer(Gain(), denoise=amount) for amount in ("off", "auto"))
    for n in range(6):
        a, b = (e(frame(scene(1), n)) for e in (plain, auto))
        np.testing.assert_array_equal(a.planes.y, b.planes.y)
    for n in range(6, 20):
        a, b = (e(frame(noisy(scene(1), n), n)) for e in (plain, auto))
    assert error(b, scene(1)) < 0.6 * error(a, scene(1))


def test_nothing_of_the_scene_before_a_cut_is_left_after_it():
    enhancer = Enhancer(Gain(), denoise=1.0)
    for n in range(10):
        enhancer(frame(noisy(scene(1), n), n))
    other = 60 - scene(7)[::-1] / 1.4
    alone = Enhancer(Gain(), denoise=1.0)
    shown, wanted = (e(frame(noisy(other, 99), 10)) for e in (enhancer, alone))
    assert enhancer.cuts == 1
    ghost = np.corrcoef((shown.planes.y - wanted.planes.y.astype(float)).ravel() + 1e-9, scene(1).ravel())[0, 1]
    assert abs(np.nan_to_num(ghost)) < 0.05
    assert error(shown, other) <= 1.15 * error(wanted, other)


def test_a_new_size_in_mid_stream_starts_anew():
    enhancer = Enhancer(Gain(), denoise=1.0)
    for n in range(4):
        enhancer(frame(noisy(scene(1), n), n))
    small = scene(1)[:96, :160]
    shown = enhancer(frame(small, 4))
    assert shown.planes.y.shape == (96, 160)
    assert error(shown, small) < 2


def two_halves(rgb: np.ndarray) -> Segmentation:
    ids = np.zeros(rgb.shape[:2], np.uint8)
    ids[:, : rgb.shape[1] // 2] = 1
    return Segmentation(ids, np.ones((256, 9, 16), np.float32))


def wait_for(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()


def test_regions_reach_the_network_and_stay_when_the_camera_moves():
    network = Gain("region_weights", "region_features", "embedding")
    semantics = Semantics(Segmenter(two_halves, share=1.0), 100)
    enhancer = Enhancer(network, semantics=semantics)
    try:
        enhancer(frame(scene(1), 0))
        enhancer(frame(scene(1), 1))
        wait_for(lambda: semantics.segmenter.runs == 1)
        for n in range(2, 24):
            enhancer(frame(scene(1, 2 * (n - 2)), n))
    finally:
        enhancer.close()
    weights = network.told[-1]["region_weights"][0]
    assert weights.shape == (17, 18, 32)
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-5)
    regions = enhancer.regions
    edge = (regions.ids == regions.ids[72, 60]).sum(axis=1).mean()
    assert edge == pytest.approx(WIDTH / 2, abs=46)
    assert regions.ids[72, 40 + 100] == regions.ids[72, 60], "the region has moved with the picture"
    assert network.told[-1]["region_features"].shape == (1, 17, 256)
    assert network.told[-1]["embedding"].shape == (1, 256, 9, 16)


def test_no_frame_waits_for_a_segmenter_that_hangs():
    hanging = threading.Event()

    def hang(rgb):
        hanging.wait(30)
        return two_halves(rgb)

    segmenter = Segmenter(hang, stop=hanging.set)
    enhancer = Enhancer(Gain("region_weights"), semantics=Semantics(segmenter, 1))
    try:
        shown = [enhancer(frame(scene(1), n)) for n in range(30)]
        assert segmenter.busy, "all frames came while it hung"
        assert segmenter.runs == 0
    finally:
        enhancer.close()
    assert [s.seq for s in shown] == list(range(30))


@pytest.mark.parametrize("kind", ["crash", "nothing", "everything", "nonsense"])
def test_a_bad_segmenter_changes_no_picture_and_is_counted(kind):
    def bad(rgb):
        if kind == "crash":
            raise RuntimeError("out of memory")
        if kind == "nonsense":
            return Segmentation(np.full((4, 4), 200, np.uint8), None)
        return Segmentation(np.full(rgb.shape[:2], kind == "everything", np.uint8), None)

    semantics = Semantics(Segmenter(bad, share=1.0), 1)
    alone, enhancer = Enhancer(Gain()), Enhancer(Gain("region_weights"), semantics=semantics)
    segmenter = semantics.segmenter
    try:
        for n in range(8):
            clean = scene(1, n)
            a, b = alone(frame(clean, n)), enhancer(frame(clean, n))
            np.testing.assert_array_equal(a.planes.y, b.planes.y)
            wait_for(lambda: segmenter.failures + segmenter.empty >= 1)
    finally:
        enhancer.close()
    assert segmenter.failures if kind in ("crash", "nonsense") else segmenter.empty


@pytest.mark.parametrize("clip", ["black", "one frame", "cuts every frame"])
def test_odd_clips_come_out_sane(clip):
    enhancer = Enhancer(Gain("region_weights"), denoise="auto", semantics=Semantics(Segmenter(two_halves), "auto"))
    pictures = {
        "black": [np.full((HEIGHT, WIDTH), 16.0)] * 5 + [scene(1)] * 3,
        "one frame": [scene(1)],
        "cuts every frame": [(scene(n) if n % 2 else 230 - scene(n)) for n in range(8)],
    }[clip]
    try:
        for n, clean in enumerate(pictures):
            shown = enhancer(frame(clean, n))
            assert shown.seq == n
            if clean.max() > 16 and clip != "cuts every frame":
                assert error(shown, clean) < 6
    finally:
        enhancer.close()
