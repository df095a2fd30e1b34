"""The painted maps are to the number those that networks were trained with."""

from __future__ import annotations

import numpy as np
import pytest

from engines.region_map import brightened, hashed_colours, painted, region_means

torch = pytest.importorskip("torch")
enlighten = pytest.importorskip("networks.enlighten_anything")
skf = pytest.importorskip("networks.skf")
extras = pytest.importorskip("training.extras")

RNG = np.random.default_rng(7)
IDS = RNG.integers(0, 17, (24, 40), dtype=np.uint8)
PICTURE = RNG.random((3, 24, 40), dtype=np.float32) ** 4


def test_colours_of_all_ids_are_those_of_training() -> None:
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(hashed_colours(ids), enlighten.hashed_colours(torch.from_numpy(ids)[None])[0].numpy())


def test_brightening_is_that_of_training() -> None:
    expected = skf.brighten(torch.from_numpy(PICTURE)).numpy()
    np.testing.assert_allclose(brightened(PICTURE), expected, rtol=1e-5)
    assert brightened(np.zeros((3, 1, 1), np.float32)).min() > 0


def test_means_are_those_of_training() -> None:
    expected = enlighten.region_means(torch.from_numpy(IDS)[None], torch.from_numpy(PICTURE)[None])[0].numpy()
    np.testing.assert_allclose(region_means(IDS, PICTURE), expected, atol=1e-6)


@pytest.mark.parametrize("means", [False, True])
@pytest.mark.parametrize("ids", [IDS, np.zeros_like(IDS), np.full_like(IDS, 3)])
def test_maps_are_those_of_training(ids: np.ndarray, means: bool) -> None:
    expected = extras.painted(torch.from_numpy(ids)[None], torch.from_numpy(PICTURE)[None] if means else None).numpy()
    got = painted(ids, PICTURE if means else None)
    assert got.dtype == np.float32
    assert got.shape == (1, 4, 24, 40)
    np.testing.assert_allclose(got, expected, atol=1e-6)
