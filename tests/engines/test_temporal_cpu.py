"""The compiled denoiser agrees with its NumPy definition within one code, whatever the size, layout and motion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.colour import Colour
from engines.curve import cpu, temporal, temporal_reference
from engines.curve.grid import CurveGrid
from engines.curve.temporal import denoise, rule
from engines.curve.temporal_history import History
from engines.curve.temporal_motion import BlockMotion, blocks
from engines.noise import NoiseModel
from engines.planes import Planes
from tests.engines.temporal_pictures import LAYOUTS, blank, like, random_planes, rising_grid, worst

SILENT = NoiseModel(0, 0)


def random_motion(rng: np.random.Generator, width: int, height: int) -> BlockMotion:
    shape = blocks(width, height)
    dx, dy = rng.integers(-60, 61, (2, *shape)).astype(np.int16)
    return BlockMotion(dx, dy, rng.choice([0, 50, 128, 255], shape).astype(np.uint8))


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.lists(st.sampled_from(LAYOUTS), min_size=3, max_size=3),
    st.booleans(),
    st.sampled_from([0.004, 0.25, 0.5, 1.0]),
    st.booleans(),
    st.integers(0, 2**32),
)
@settings(max_examples=120, deadline=None)
def test_agrees_with_the_reference(
    width: int, height: int, layouts: list[str], full: bool, amount: float, moving: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    planes, out, before = (random_planes(rng, width, height, layout, 3, full) for layout in layouts)
    grid, history = rising_grid(rng, *rng.integers(1, 7, 2)), History()
    enhanced = blank(planes)
    denoise(planes, grid, enhanced, None, None, history, SILENT)
    if not grid.is_identity:
        alone = blank(planes)
        cpu.apply(planes, grid, alone)
        assert worst(enhanced, alone) <= 1
    like(rng, enhanced, before)
    noise = NoiseModel(rng.normal() * 0.005, rng.random() * 0.001, rng.random())
    motion = random_motion(rng, width, height) if moving else None
    history.weights[...] = rng.integers(8, 129, history.weights.shape)
    weights = history.weights.copy()
    denoise(planes, grid, out, before, motion, history, noise, amount, 1, pulse=bool(seed % 3 == 0))
    numbers = rule(noise, planes.colour, round(128 * amount) / 128, history.guard)
    past = temporal_reference.Past(before, history.moves, history.trust, weights)
    wanted, asked = temporal_reference.denoise(enhanced, planes, grid, past, numbers, history.dither)
    assert worst(out, wanted) <= 1
    assert np.abs(asked.astype(int) - history.weights).max() <= 1


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(LAYOUTS), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_a_first_picture_agrees_too(width: int, height: int, layout: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    planes, out = (random_planes(rng, width, height, layout, 1, False) for _ in range(2))
    grid, noise, history = rising_grid(rng, 3, 4), NoiseModel(0.001, 0.0001), History()
    enhanced = blank(planes)
    denoise(planes, grid, enhanced, None, None, History(), SILENT)
    denoise(planes, grid, out, None, None, history, noise)
    numbers = rule(noise, planes.colour, 1.0, 0.0)
    wanted, asked = temporal_reference.denoise(enhanced, planes, grid, None, numbers, history.dither)
    assert worst(out, wanted) <= 1
    assert (asked == history.weights).all()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_amount_0_is_the_plain_pass_byte_for_byte(layout: str) -> None:
    rng = np.random.default_rng(1)
    planes, out, before, alone = (random_planes(rng, 255, 131, layout, 3, False) for _ in range(4))
    for grid in (rising_grid(rng, 4, 5), CurveGrid.identity(4, 5)):
        cpu.apply(planes, grid, alone)
        denoise(planes, grid, out, before, BlockMotion.still(255, 131), History(), NoiseModel(0.01, 0.01), 0.0)
        assert worst(out, alone) == 0


def test_threads_do_not_change_a_byte() -> None:
    rng = np.random.default_rng(2)
    width, height = 1026, 1023
    grid, motion = rising_grid(rng, 18, 32), random_motion(rng, width, height)
    frames = [random_planes(rng, width, height, "planar", 0, False) for _ in range(3)]
    results = []
    for threads in (1, 2):
        history, noise, last = History(), NoiseModel(0.002, 0.0005), None
        for frame in frames:
            out = blank(frame)
            denoise(frame, grid, out, last, motion, history, noise, 1.0, threads)
            last = out
        results.append((last, history.weights.copy(), history.moves.copy()))
    assert worst(results[0][0], results[1][0]) == 0
    assert (results[0][1] == results[1][1]).all()
    assert (results[0][2] == results[1][2]).all()


def test_planes_that_must_not_be_touched_are_not() -> None:
    rng = np.random.default_rng(3)
    planes, before = (random_planes(rng, 61, 33, "planar", 5, False) for _ in range(2))
    out = random_planes(rng, 61, 33, "interleaved", 5, False)
    kept = [plane.base.copy() for plane in (planes.y, planes.u, before.y, before.u)]
    padding = out.y.base[:, 61:].copy(), out.u.base[:, 62:].copy()
    for plane in (planes.y, before.y, before.u):
        plane.flags.writeable = False
    denoise(planes, rising_grid(rng, 3, 4), out, before, random_motion(rng, 61, 33), History(), NoiseModel())
    for plane, copy in zip((planes.y, planes.u, before.y, before.u), kept, strict=True):
        assert (plane.base == copy).all()
    assert (out.y.base[:, 61:] == padding[0]).all()
    assert (out.u.base[:, 62:] == padding[1]).all()


def test_what_does_not_fit_is_refused() -> None:
    rng = np.random.default_rng(4)
    planes, out, before = (random_planes(rng, 40, 30, "planar", 0, False) for _ in range(3))
    grid, noise = rising_grid(rng, 3, 4), NoiseModel()
    other = random_planes(rng, 40, 32, "planar", 0, False)
    with pytest.raises(ValueError, match=r"previous output is 40x32"):
        denoise(planes, grid, out, other, None, History(), noise)
    with pytest.raises(ValueError, match=r"output is 40x32"):
        denoise(planes, grid, other, before, None, History(), noise)
    with pytest.raises(ValueError, match="shares memory"):
        denoise(planes, grid, before, before, None, History(), noise)
    with pytest.raises(ValueError, match="2, 3"):
        denoise(planes, grid, out, before, BlockMotion.still(80, 30), History(), noise)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        denoise(planes, grid, out, before, None, History(), noise, 1.5)


def test_steady_state_allocates_no_pictures() -> None:
    import tracemalloc

    rng = np.random.default_rng(5)
    width, height = 960, 540
    frames = [random_planes(rng, width, height, "interleaved", 0, False) for _ in range(2)]
    outs = [blank(frame) for frame in frames]
    grid, history, noise, motion = rising_grid(rng, 18, 32), History(), NoiseModel(), BlockMotion.still(width, height)

    def step(i: int) -> None:
        noise.update(frames[i % 2])
        denoise(frames[i % 2], grid, outs[i % 2], outs[1 - i % 2], motion, history, noise, 1.0, 1)

    for i in range(3):
        step(i)
    tracemalloc.start()
    for i in range(3, 6):
        step(i)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < width * height / 4, "a frame allocates as much as a plane"


def test_a_new_size_starts_anew() -> None:
    rng = np.random.default_rng(6)
    history, noise = History(), NoiseModel()
    for size in ((64, 48), (33, 70), (1, 1)):
        planes = random_planes(rng, *size, "planar", 0, True)
        out, before = blank(planes), blank(planes)
        denoise(planes, rising_grid(rng, 2, 2), out, before, BlockMotion.still(*size), history, noise)
        assert history.weights.shape == out.u.shape
        assert history.moves.shape[:2] == blocks(*size)


def test_a_grid_of_one_colour_stays_sane() -> None:
    """Flat, black and white pictures come out flat, whatever the noise is said to be."""
    for code in (0, 16, 128, 235, 255):
        for noise in (NoiseModel(0, 0), NoiseModel(1.0, 1.0)):
            planes = Planes(
                np.full((40, 50), code, np.uint8),
                np.full((20, 25), 90, np.uint8),
                np.full((20, 25), 140, np.uint8),
                Colour(),
            )
            history, last = History(), None
            grid = CurveGrid(2 * CurveGrid.identity(3, 3).coefficients)
            alone = blank(planes)
            cpu.apply(planes, grid, alone)
            for _ in range(4):
                out = blank(planes)
                denoise(planes, grid, out, last, None, history, noise)
                assert worst(out, alone) == 0
                last = out


def test_no_band_is_written_before_all_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bands read the moves of their neighbours' blocks: one that started late would change them under the others."""
    rng = np.random.default_rng(2)
    width, height = 1026, 1023
    previous, frame = (random_planes(rng, width, height, "planar", 0, False) for _ in range(2))
    seen: list[str] = []

    def recorded(name: str, call: Callable[..., None]) -> Callable[..., None]:
        def record(*arguments: object) -> None:
            seen.append(f"{name} begins")
            call(*arguments)
            seen.append(f"{name} ends")

        return record

    for name in ("search_blocks", "denoise_band"):
        monkeypatch.setattr(temporal, name, recorded(name, getattr(temporal, name)))
    motion = random_motion(rng, width, height)
    denoise(frame, rising_grid(rng, 18, 32), blank(frame), previous, motion, History(), NoiseModel(), 1.0, 2)
    assert sorted(seen[:4]) == ["search_blocks begins"] * 2 + ["search_blocks ends"] * 2
    assert sorted(seen[4:]) == ["denoise_band begins"] * 2 + ["denoise_band ends"] * 2
