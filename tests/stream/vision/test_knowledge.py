"""Each network gets what it declares and what is known, believed as far as weight and confidence say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.region_map import painted
from engines.thumbnail import Thumbnail
from stream.vision.knowledge import FAINT, believed, extra_inputs, region_weights
from stream.vision.regions import Regions

ALL = ("embedding", "regions", "region_weights", "region_features", "depth")
RNG = np.random.default_rng(3)


def regions_of(ids: np.ndarray, weight: float = 1.0, confidence: float = 1.0, features: bool = True) -> Regions:
    full = np.ones(17, np.float32)
    return Regions(
        ids,
        confidence * full,
        0 * full,
        weight * full,
        RNG.random((17, 256), dtype=np.float32) if features else None,
    )


def thumbnail(height: int = 16, width: int = 24) -> Thumbnail:
    return Thumbnail.from_rgb(0.2 * RNG.random((3, height, width), dtype=np.float32), "bt709")


IDS = np.zeros((16, 24), np.uint8)
IDS[:, 8:16] = 1
IDS[4:8, 8:16] = 2
IDS[8:, 20:] = 16


def test_a_network_gets_what_it_declares() -> None:
    regions, embedding = regions_of(IDS), RNG.random((256, 3, 4), dtype=np.float32)
    known = extra_inputs(ALL, regions, embedding, thumbnail())
    assert set(known) == {"embedding", "regions", "region_weights", "region_features"}
    assert {array.dtype for array in known.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(known["embedding"][0], embedding)
    np.testing.assert_array_equal(known["region_features"][0], regions.features)
    np.testing.assert_array_equal(known["regions"], painted(IDS))
    assert known["region_weights"].shape == (1, 17, 2, 3)
    for name in ALL[:-1]:
        assert set(extra_inputs((name,), regions, embedding, thumbnail())) == {name}
    assert extra_inputs((), regions, embedding, thumbnail()) == {}


def test_what_is_not_known_is_left_out() -> None:
    assert extra_inputs(ALL, None, None, thumbnail()) == {}
    assert set(extra_inputs(ALL, None, np.ones((256, 2, 2), np.float32), thumbnail())) == {"embedding"}
    assert "region_features" not in extra_inputs(ALL, regions_of(IDS, features=False), None, thumbnail())


def test_regions_of_another_size_say_nothing() -> None:
    assert extra_inputs(ALL, regions_of(IDS), None, thumbnail(24, 16)) == {}


def test_means_are_of_the_dark_thumbnail_brightened() -> None:
    dark = thumbnail()
    got = extra_inputs(("regions",), regions_of(IDS), None, dark, "means")["regions"]
    np.testing.assert_array_equal(got, painted(IDS, np.clip(dark.to_rgb(), 0, 1)))
    bright = np.clip(dark.to_rgb()[:, IDS == 16], 1e-4, 1) ** 0.45
    np.testing.assert_allclose(got[0, :3, -1, -1], bright.mean(axis=1), rtol=1e-4)


def test_shares_of_cells() -> None:
    shares = region_weights(regions_of(IDS))[0]
    np.testing.assert_allclose(shares[0], [[1, 0, 1], [1, 0, 0.5]])
    np.testing.assert_allclose(shares[1], [[0, 0.5, 0], [0, 1, 0]])
    np.testing.assert_allclose(shares[2], [[0, 0.5, 0], [0, 0, 0]])
    np.testing.assert_allclose(shares[16], [[0, 0, 0], [0, 0, 0.5]])
    assert not shares[3:16].any()


def test_what_is_believed_less_counts_less_and_goes_to_the_rest() -> None:
    shares = region_weights(regions_of(IDS, weight=0.5, confidence=0.5))[0]
    np.testing.assert_allclose(shares[1], [[0, 0.125, 0], [0, 0.25, 0]])
    np.testing.assert_allclose(shares[0], [[1, 0.75, 1], [1, 0.75, 0.875]])


def test_a_painted_map_leaves_out_what_is_hardly_believed() -> None:
    regions = regions_of(IDS)
    regions.weight[2], regions.confidence[16] = FAINT / 2, 0.99 * FAINT
    got = believed(regions)
    assert set(np.unique(got)) == {0, 1}
    np.testing.assert_array_equal(got == 1, IDS == 1)
    drawn = extra_inputs(("regions",), regions, None, thumbnail())["regions"]
    np.testing.assert_array_equal(drawn[0, 3], IDS == 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4), st.integers(1, 5), st.floats(-1, 2), st.floats(-1, 2), st.integers(0, 2**32 - 1))
def test_shares_are_shares_whatever_is_believed(rows: int, cols: int, weight: float, sure: float, seed: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 17, (8 * rows, 8 * cols), dtype=np.uint8)
    shares = region_weights(regions_of(ids, weight, sure))
    assert shares.shape == (1, 17, rows, cols)
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("ids", [np.zeros((16, 24), np.uint8), np.full((16, 24), 4, np.uint8)])
def test_no_region_and_one_that_is_everything(ids: np.ndarray) -> None:
    known = extra_inputs(ALL, regions_of(ids), None, thumbnail(), "means")
    assert all(np.isfinite(array).all() for array in known.values())
    np.testing.assert_array_equal(known["region_weights"][0, ids[0, 0]], 1)
    np.testing.assert_array_equal(known["regions"][0, 3], ids > 0)
