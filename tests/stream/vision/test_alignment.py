"""The same place is found again however light falls and wherever a pan put it; another place and noise are not."""

from __future__ import annotations

import numpy as np
import pytest
from moving_pictures import H, W, texture, view
from moving_pictures import noisy as with_noise

from stream.vision.alignment import best_match, own_detail
from stream.vision.scene import Look, differs, halved


def half(scene: np.ndarray, left: float = 20, top: float = 20) -> np.ndarray:
    return halved(view(scene, left, top))


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (51, 0), (-40, 30), (0, -20), (64, 20)])
def test_a_shift_is_found(dx: int, dy: int) -> None:
    scene = texture(1)
    here, there = half(scene, 100, 60), half(scene, 100 + dx, 60 + dy)
    assert best_match(halved(here), halved(there)) > 0.9
    assert not differs(Look.of(here), Look.of(there))


def test_another_place_is_not_found_though_its_histogram_is_much_the_same() -> None:
    here = half(texture(2)) * np.float32(0.8)
    there = np.ascontiguousarray(here[:, ::-1])
    there[:, 40:70] += np.float32(0.15)
    assert best_match(halved(here), halved(there)) < 0.5
    assert differs(Look.of(here), Look.of(there))


def test_a_light_in_half_of_the_picture_is_no_other_place() -> None:
    here = half(texture(3)) * np.float32(0.2)
    light = 1 + 3 / (1 + np.exp((W / 4 - np.arange(W / 2)) / 2))
    there = (here * light).astype(np.float32)
    assert best_match(halved(Look.of(here).rank), halved(Look.of(there).rank)) > 0.8
    assert not differs(Look.of(here), Look.of(there))


def test_a_picture_without_detail_matches_nothing() -> None:
    grey = np.full((H // 4, W // 4), 0.5, np.float32)
    assert best_match(grey, halved(half(texture(4)))) == 0
    assert best_match(grey, grey) == 0
    assert own_detail(grey) == 0


def test_noise_is_known_from_detail_and_frames_of_nothing_else_are_one_scene() -> None:
    scene, nothing = half(texture(5)), np.full((H // 2, W // 2), 0.4, np.float32)
    assert own_detail(scene) > 0.8
    first, second = (with_noise(nothing, seed, 0.1) for seed in (1, 2))
    assert own_detail(first) < 0.2
    assert best_match(halved(first), halved(second)) < 0.3
    assert not differs(Look.of(first), Look.of(second))


def test_matching_does_not_depend_on_the_order() -> None:
    one, other = (halved(half(texture(seed))) for seed in (6, 7))
    assert best_match(one, other) == pytest.approx(best_match(other, one), abs=1e-9)
    assert best_match(one, one) == pytest.approx(1)
