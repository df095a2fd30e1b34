"""What the eye would see: a bright object, the network that ships, the smoothed grid, and the background's codes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from engines.bundle import load_bundle
from engines.colour import Colour
from engines.curve.cpu import apply
from engines.curve.grid import CELL, CurveGrid
from engines.planes import Planes
from engines.thumbnail import sample
from engines.tone_model import ToneModel
from stream.vision.backdrop import Backdrop
from stream.vision.hold import ESTABLISHED_S, allowed, codes_between, established, pulled, settled
from stream.vision.smoothing import GridSmoother

HEIGHT, WIDTH, FPS, ENTERS = 144, 256, 8, 4.0
Film = Callable[[float], np.ndarray]


@pytest.fixture(scope="module")
def network() -> ToneModel:
    return ToneModel(load_bundle("curve"))


def street() -> np.ndarray:
    """A dark scene with soft light and texture, codes of luma."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    soft = 16 + 10 * np.sin(columns / 37) * np.cos(rows / 23)
    return soft + 7 * ((columns // 16 + rows // 16) % 2)


def planes(luma: np.ndarray) -> Planes:
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128, np.uint8)
    codes = np.rint(luma).clip(0, 255).astype(np.uint8)
    return Planes(codes, grey, grey.copy(), Colour("bt709", True))


def shown(grid: CurveGrid, luma: np.ndarray) -> np.ndarray:
    """Codes of luma after the pass that ships."""
    given, out = planes(luma), planes(luma)
    apply(given, grid, out, 1)
    return out.y.astype(int)


def watch(network: ToneModel, film: Film, seconds: float) -> list[tuple[CurveGrid, CurveGrid]]:
    """(smoothed grid, wish) of every frame of a noisy film."""
    rng, smoother, found = np.random.default_rng(3), GridSmoother(), []
    for frame in range(round(seconds * FPS)):
        thumbnail = sample(planes(film(frame / FPS) + rng.normal(0, 2, (HEIGHT, WIDTH))))
        wish = network(thumbnail)
        luma = thumbnail.y.reshape(HEIGHT // CELL, CELL, WIDTH // CELL, CELL).mean(axis=(1, 3))
        found.append((smoother.step(wish, luma, 1 / FPS), wish))
    return found


def entering(time: float) -> np.ndarray:
    """A bright object comes in from the left and stops in the middle."""
    luma = street()
    if time >= ENTERS:
        right = min(round(80 * (time - ENTERS)), 150)
        luma[56:112, max(0, right - 48) : right] = 230
    return luma


def test_a_bright_object_that_enters_does_not_pump_the_background(network: ToneModel) -> None:
    found = watch(network, entering, ENTERS + 3)
    before = round(ENTERS * FPS) - 1
    background = np.r_[0:40, 128:HEIGHT]  # a cell and more away from the object's path
    still = shown(found[before][0], street())[background]
    wished = np.abs(shown(found[-1][1], street())[background] - shown(found[before][1], street())[background])
    assert wished.max() >= 8  # that is what the network would have done
    for seconds in (0.5, 1, 2, 3):
        now = shown(found[before + round(seconds * FPS)][0], street())[background]
        assert np.abs(now - still).max() <= 1


def test_a_scene_that_is_a_second_old_is_not_pumped_either(network: ToneModel) -> None:
    found = watch(network, lambda time: entering(time + ENTERS - 1), 3)
    still = shown(found[7][0], street())[128:]
    for grid, _ in found[9:]:
        assert np.abs(shown(grid, street())[128:] - still).max() <= 2


def test_the_object_leaves_no_trail(network: ToneModel) -> None:
    found = watch(network, entering, ENTERS + 6)
    still = shown(found[round(ENTERS * FPS) - 1][0], street())[56:112, :80]
    now = shown(found[-1][0], street())[56:112, :80]
    assert np.abs(now - still).mean() <= 2


def test_a_light_that_is_switched_on_is_followed_within_a_second(network: ToneModel) -> None:
    def light(time: float) -> np.ndarray:
        return street() * (1.0 if time < ENTERS else 2.5)

    found = watch(network, light, ENTERS + 2)
    smoothed, wish = (shown(grid, light(9)).astype(float) for grid in found[round((ENTERS + 1) * FPS)])
    late = shown(found[round(ENTERS * FPS) - 1][0], light(9))
    assert np.abs(smoothed - wish).mean() < 5 < np.abs(late - wish).mean()


def test_what_is_held_is_told_by_time_and_by_having_arrived() -> None:
    first, last = ESTABLISHED_S
    times = np.float32([0.5 * first, first, (first + last) / 2, last, 60.0])
    np.testing.assert_allclose(established(times), [0, 0, 0.5, 1, 1], atol=1e-5)
    none, codes = np.zeros(5, np.float32), np.float32([1, 1, 1, 9, 1])
    np.testing.assert_array_equal(settled(none, codes, times), [0, 0, 1, 0, 1])
    np.testing.assert_array_equal(settled(none + 1, codes, times), [0, 0, 1, 1, 1])


def test_distance_in_codes_sees_luma_black_and_chroma() -> None:
    grid = np.array(CurveGrid.identity(1, 3).coefficients)
    other = grid.copy()
    other[0, 0, 0] = 2.0
    other[0, 1, 2] = -0.1
    other[0, 2, 5] = 0.02
    codes, direction = codes_between(grid, other, np.full((1, 3), 0.1, np.float32))
    np.testing.assert_allclose(codes[0], [51, 25.5, 5.1], rtol=1e-4)
    np.testing.assert_allclose(direction[0], [25.5, -25.5, 0], atol=1e-3)


def test_the_longer_the_wish_pulls_the_more_is_allowed_and_only_where_it_is_held() -> None:
    wanted, held = np.full(4, 10, np.float32), np.float32([1, 1, 1, 0])
    share = allowed(wanted, held, np.float32([0, 8, -100, 0]), 0.1)
    np.testing.assert_allclose(share * wanted, [0.025, 0.125, 0.3, 10], rtol=1e-4)
    assert (allowed(wanted, held, np.zeros(4, np.float32), 0.0)[:3] == 0).all()
    again = pulled(np.float32([2, -2, 2, 2]), np.float32([0.1, 0.1, 1, 0.1]), np.float32([5, 5, 5, -5]), 0.5)
    np.testing.assert_allclose(again, [2.5, 0.5, 0, -0.5])


def test_a_backdrop_is_found_again_only_after_it_was_left_and_not_for_ever() -> None:
    node, luma = np.full((1, 1, 9), 2, np.float32), np.full((1, 1), 0.1, np.float32)
    nothing, all_of_it = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    backdrop = Backdrop.unknown(node, luma)
    assert backdrop.returning(nothing) == 0
    backdrop = backdrop.after(node, luma, nothing, all_of_it, 0.1)
    assert backdrop.returning(nothing) == 0
    backdrop = backdrop.after(node, luma, all_of_it, nothing, 1.0)
    assert backdrop.returning(nothing) == 1
    assert backdrop.returning(all_of_it) == 0
    kept = backdrop.moved(np.zeros(2, np.float32))
    np.testing.assert_allclose(kept.coefficients, backdrop.coefficients)
    assert kept.returning(nothing) == 1
    for _ in range(9):
        backdrop = backdrop.after(node, luma, nothing, nothing, 1.0)
    assert backdrop.returning(nothing) == 0
