"""What the denoiser is for: noise falls as it should, nothing ghosts, nothing stalls, key frames do not pulse."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engines.curve.temporal import LEAST_CHROMA_WEIGHT, LEAST_WEIGHT, denoise
from engines.curve.temporal_history import History
from engines.curve.temporal_motion import BlockMotion
from engines.noise import NoiseModel
from engines.planes import Planes
from tests.engines.temporal_pictures import blank, gain_grid, grey, random_planes, rising_grid


def known(sigma: float) -> NoiseModel:
    """A model that knows the noise, in codes of the full range."""
    return NoiseModel(0.0, (sigma / 255) ** 2, 1.0)


def run(
    frames: list[Planes],
    gain: float,
    noise: NoiseModel,
    motion: BlockMotion | None = None,
    pulses: tuple[int, ...] = (),
) -> list[Planes]:
    history, last, outs = History(), None, []
    for i, frame in enumerate(frames):
        out = blank(frame)
        denoise(frame, gain_grid(gain), out, last, motion, history, noise, pulse=i in pulses)
        outs.append(out)
        last = out
    return outs


def stack(frames: list[Planes], plane: str = "y") -> NDArray[np.float64]:
    return np.stack([getattr(frame, plane) for frame in frames]).astype(np.float64)


def softened(picture: NDArray[np.floating]) -> NDArray[np.float64]:
    """As a lens does: weights 1 2 1 along each axis, twice."""
    for axis in (0, 1, 0, 1):
        picture = (np.roll(picture, 1, axis) + 2 * picture + np.roll(picture, -1, axis)) / 4
    return picture


def test_static_noise_falls_to_the_factor_of_the_recursion() -> None:
    rng = np.random.default_rng(0)
    frames = []
    for _ in range(60):
        frame = grey(20 + rng.normal(0, 2, (96, 128)))
        for plane in (frame.u, frame.v):
            plane[...] = np.clip(np.rint(128 + rng.normal(0, 2, plane.shape)), 0, 255)
        frames.append(frame)
    outs = run(frames, 4.0, known(2.0))[30:]
    for plane, k in (("y", LEAST_WEIGHT), ("u", LEAST_CHROMA_WEIGHT)):
        left = stack(outs, plane).std(axis=0).mean() / (4 * 2.0)
        ideal = (k / (2 - k)) ** 0.5
        assert ideal * 0.7 < left < ideal * 1.3, plane
    assert stack(outs).mean() == pytest.approx(80, abs=0.5)


def test_the_first_pictures_are_averaged_evenly() -> None:
    """The noise of a still scene falls from frame to frame: smoothed at first, then the mean of n pictures."""
    rng = np.random.default_rng(1)
    frames = [grey(30 + rng.normal(0, 2, (128, 128))) for _ in range(8)]
    outs = run(frames, 3.0, known(2.0))
    spread = [float(out.y.std()) for out in outs]
    assert spread[0] < 0.55 * 6, "no smoothing in space where there is no history"
    assert all(b < a * 1.15 for a, b in pairwise(spread)), f"noise steps up: {spread}"
    assert spread[7] < 0.45 * 6


def test_a_bright_object_that_moves_leaves_nothing_behind() -> None:
    rng = np.random.default_rng(2)
    clean, frames = [], []
    for i in range(14):
        y = np.full((96, 160), 20.0)
        y[40:60, 8 + 9 * i : 28 + 9 * i] = 60
        clean.append(y)
        frames.append(grey(y + rng.normal(0, 1.5, y.shape)))
    for motion in (None, BlockMotion.still(160, 96)):
        outs = run(frames, 3.0, known(1.5), motion)
        for i in range(4, 14):
            trail = outs[i].y[43:57, 10 + 9 * (i - 2) : 9 * (i - 1) + 6].astype(float)
            assert abs(trail.mean() - 60) < 3, "a ghost where the object was two frames ago"
            inside = outs[i].y[43:57, 12 + 9 * i : 24 + 9 * i].astype(float)
            assert abs(inside.mean() - 180) < 4


def test_a_faint_ghost_fades_too() -> None:
    """A change as small as the noise is no noise when a whole neighbourhood makes it."""
    rng = np.random.default_rng(3)
    frames = [grey((26.0 if i >= 10 else 20.0) + rng.normal(0, 3, (64, 64))) for i in range(16)]
    outs = run(frames, 3.0, known(3.0))
    assert abs(outs[15].y.mean() - 78) < 3


def test_a_cut_shows_nothing_of_the_picture_before() -> None:
    rng = np.random.default_rng(4)
    one, other = (random_planes(rng, 80, 60, "planar", 0, True) for _ in range(2))
    history, noise, grid = History(), known(3.0), gain_grid(1.0)
    first, second, alone = blank(one), blank(one), blank(one)
    denoise(one, grid, first, None, None, history, noise)
    denoise(other, grid, second, None, None, history, noise)
    fresh = History()
    denoise(other, grid, alone, None, None, fresh, noise)
    assert (second.y == alone.y).all()
    assert (second.u == alone.u).all()


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_nothing_stalls(start: int, end: int, seed: int) -> None:
    """However small the step, the output arrives at what the picture is, and then stays exactly there."""
    noise = NoiseModel(0.0, (seed % 20 / 255) ** 2)
    before = grey(np.full((24, 32), start))
    target = grey(np.full((24, 32), end))
    history, last = History(), before
    for _ in range(3):
        out = blank(before)
        denoise(before, gain_grid(1.0), out, last, None, history, noise)
        last = out
    for _ in range(110):
        out = blank(before)
        denoise(target, gain_grid(1.0), out, last, None, history, noise)
        last = out
    assert (last.y == end).all()


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_output_lies_between_the_old_and_the_new(width: int, height: int, amount: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    planes, before = (random_planes(rng, width, height, "planar", 0, True) for _ in range(2))
    grid, history, noise = rising_grid(rng, 3, 4), History(), NoiseModel(0.003, 0.0003)
    enhanced, out = blank(planes), blank(planes)
    denoise(planes, grid, enhanced, None, None, history, NoiseModel(0, 0))
    denoise(planes, grid, out, before, None, history, noise, amount, 1)
    for plane in ("y", "u", "v"):
        new, old, got = (getattr(p, plane).astype(int) for p in (enhanced, before, out))
        padded = np.pad(new, 1, mode="edge")
        around = np.stack([padded[i : i + new.shape[0], j : j + new.shape[1]] for i in range(3) for j in range(3)])
        assert (got >= np.minimum(old, around.min(axis=0)) - 1).all()
        assert (got <= np.maximum(old, around.max(axis=0)) + 1).all()


def test_no_confidence_means_no_history() -> None:
    rng = np.random.default_rng(5)
    planes, before = (random_planes(rng, 64, 48, "planar", 0, True) for _ in range(2))
    sure = BlockMotion.still(64, 48)
    lost = BlockMotion(sure.dx, sure.dy, np.zeros_like(sure.confidence))
    far = BlockMotion(np.full_like(sure.dx, 4000), sure.dy, sure.confidence)
    alone = blank(planes)
    denoise(planes, gain_grid(1.0), alone, None, None, History(), known(2.0))
    for motion in (lost, far):
        out = blank(planes)
        denoise(planes, gain_grid(1.0), out, before, motion, History(), known(2.0))
        if motion is lost:
            assert (out.y == alone.y).all()
            assert (out.v == alone.v).all()


@pytest.mark.parametrize("step", [(3, 0), (-5, 2), (1, 1)])
def test_a_pan_is_averaged_along_its_motion(step: tuple[int, int]) -> None:
    """Smooth random texture pans by whole pixels; noise falls nearly as far as at rest, and the texture stays sharp."""
    rng = np.random.default_rng(6)
    coarse = rng.normal(0, 1, (60, 120))
    texture = 40 + 16 * softened(np.kron(coarse, np.ones((4, 4))))
    height, width, count = 96, 240, 20
    y0, x0 = 60, 110
    windows = [
        texture[y0 - step[1] * i : y0 - step[1] * i + height, x0 - step[0] * i : x0 - step[0] * i + width]
        for i in range(count)
    ]
    frames = [grey(window + rng.normal(0, 2, window.shape)) for window in windows]
    still = BlockMotion.still(width, height)
    moving = BlockMotion(still.dx - 4 * step[0] + 1, still.dy - 4 * step[1] - 1, still.confidence)
    out = run(frames, 2.0, known(2.0), moving)[-1]
    inner = (slice(24, -24), slice(60, -60))
    clean = np.clip(np.rint(2 * windows[-1]), 0, 255)
    error = (out.y - clean)[inner]
    assert error.std() < 0.45 * 4


def test_a_pan_by_fractions_of_a_pixel_stays_sharp() -> None:
    """Quarters of a pixel are interpolated: a wave of 8 pixels keeps its height over twenty frames."""
    rng = np.random.default_rng(10)
    height, width = 64, 160
    y, x = np.indices((height, width))
    still = BlockMotion.still(width, height)
    moving = BlockMotion(still.dx - 2, still.dy - 1, still.confidence)
    frames = []
    for i in range(20):
        clean = 70 + 20 * np.sin((x - 0.5 * i) * np.pi / 4) * np.cos((y - 0.25 * i) * np.pi / 5)
        frames.append(grey(clean + rng.normal(0, 2, clean.shape)))
    out = run(frames, 2.0, known(2.0), moving)[-1]
    inner = (slice(16, -16), slice(24, -24))
    assert (out.y - 2 * clean)[inner].std() < 0.8 * 4
    height_kept = (((out.y - 140.0) * (clean - 70))[inner].sum()) / (2 * ((clean - 70)[inner] ** 2).sum())
    assert height_kept > 0.95


def test_a_wrong_prediction_is_found_out() -> None:
    """The flow is three pixels off; the search puts it right."""
    rng = np.random.default_rng(7)
    texture = 60 + 16 * softened(np.kron(rng.normal(0, 1, (40, 60)), np.ones((5, 5))))
    planes, before = grey(texture[50:114, 50:178]), grey(texture[50:114, 46:174])
    still = BlockMotion.still(128, 64)
    history, out = History(), blank(planes)
    history_start = blank(planes)
    denoise(before, gain_grid(1.0), history_start, None, None, history, known(1.0))
    guess = BlockMotion(still.dx + 4, still.dy, still.confidence)
    denoise(planes, gain_grid(1.0), out, history_start, guess, history, known(1.0))
    assert (np.abs(history.moves[1:-1, 1:-1, 0] - 16) <= 1).mean() > 0.9
    assert (np.abs(history.moves[1:-1, 1:-1, 1]) <= 1).mean() > 0.9


def test_chroma_does_not_drift_in_a_pan_by_odd_steps() -> None:
    rng = np.random.default_rng(8)
    colours = 128 + 30 * np.kron(rng.normal(0, 1, (1, 60)), np.ones((40, 6)))
    height, width = 64, 128
    history, noise, last = History(), known(1.0), None
    texture = 60 + 12 * np.kron(rng.normal(0, 1, (40, 90)), np.ones((4, 8)))
    still = BlockMotion.still(width, height)
    for i in range(40):
        frame = grey(texture[:height, 100 + i : 100 + i + width])
        left = 50 + i / 2
        base = int(left)
        row = colours[:, base : base + 65]
        frame.u[...] = np.rint(np.clip((1 - left % 1) * row[:32, :64] + left % 1 * row[:32, 1:65], 0, 255))
        out = blank(frame)
        denoise(frame, gain_grid(1.0), out, last, BlockMotion(still.dx + 4, still.dy, still.confidence), history, noise)
        last = out
    inner = (slice(8, -8), slice(8, -8))
    assert np.abs(out.u.astype(float) - frame.u)[inner].mean() < 4


def test_a_key_frame_does_not_pulse() -> None:
    """Noise that stands still within a group of pictures and jumps at its start: the guard spreads the jump."""
    rng = np.random.default_rng(9)
    frames, frozen = [], np.zeros((96, 128))
    for i in range(36):
        if i % 12 == 0:
            frozen = rng.normal(0, 1.2, (96, 128))
        frames.append(grey(25 + frozen + rng.normal(0, 0.4, (96, 128))))
    noise = known(0.4)
    noise.pulse = 3.0
    jumps = {}
    for guarded in (False, True):
        outs = stack(run(frames, 4.0, noise, None, (12, 24) if guarded else ()))
        jumps[guarded] = np.abs(outs[24] - outs[23]).mean()
    assert jumps[True] < 0.4 * jumps[False]
