"""Automatic regions: the published arithmetic, and every rule by which masks become an id map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.sam.automatic import (
    VIDEO,
    AutomaticOptions,
    Mask,
    farthest_points,
    find_masks,
    find_regions,
    grid,
    open_points,
    paint,
    smoothed,
    stability,
    suppress,
)
from engines.sam.image_encoder import Encoded, ImageEncoder
from engines.sam.mask_decoder import MaskDecoder, Prompted, mask_size
from engines.sam.session import Floats
from tests.engines.fake_sam import write_decoder, write_encoder


class Counting(MaskDecoder):
    """A decoder that counts its calls and points."""

    calls = 0
    points = 0

    def prompt(self, encoded: Encoded, points: Floats) -> Prompted:
        self.calls += 1
        self.points += len(points)
        return super().prompt(encoded, points)


def rectangle(rows: slice, columns: slice, iou: float = 0.9, size: tuple[int, int] = (64, 64)) -> Mask:
    inside = np.zeros(size, np.bool_)
    inside[rows, columns] = True
    return Mask(inside, iou)


def test_the_published_grid_makes_sixteen_batches() -> None:
    points = grid((480, 640), 32)
    assert points.shape == (1024, 2)
    np.testing.assert_allclose(points[0], [640 / 64, 480 / 64])
    np.testing.assert_allclose(points[-1], [640 * 63 / 64, 480 * 63 / 64])
    batches = list(open_points(points, (480, 640), np.zeros(mask_size((480, 640)), np.bool_), 64))
    assert [len(batch) for batch in batches] == [64] * 16
    np.testing.assert_array_equal(np.concatenate(batches), points)


@pytest.mark.parametrize("size", [(3, 2000), (2000, 3), (97, 211)])
def test_every_point_falls_into_the_masks(size: tuple[int, int]) -> None:
    covered = np.zeros(mask_size(size), np.bool_)
    assert sum(len(batch) for batch in open_points(grid(size, 16), size, covered, 64)) == 256


def test_points_that_were_covered_meanwhile_are_left_out() -> None:
    covered = np.zeros((256, 256), np.bool_)
    seen = []
    for batch in open_points(grid((100, 100), 4), (100, 100), covered, 1):
        seen.append(batch[0])
        covered[:, : int(batch[0, 0] * 2.56) + 1] = True
    np.testing.assert_allclose(seen, [[12.5, 12.5], [37.5, 12.5], [62.5, 12.5], [87.5, 12.5]])


def test_stability() -> None:
    saturated = np.where(np.eye(8) > 0, 30, -30).astype(np.float32)
    assert stability(saturated) == 1
    assert stability(np.full((8, 8), -5, np.float32)) == 0
    rows = np.full((2, 8, 8), -5, np.float32)
    rows[0, :4], rows[1, :4] = 0.5, -0.5
    rows[1, :2] = 5
    np.testing.assert_allclose(stability(rows), [0, 0.5])


def test_suppression_keeps_the_better_of_two_that_cover_the_same() -> None:
    large = rectangle(slice(0, 40), slice(0, 40), 0.90)
    nearly = rectangle(slice(0, 40), slice(0, 36), 0.95)
    part = rectangle(slice(0, 16), slice(0, 16), 0.85)
    kept = suppress([large, nearly, part], 0.7)
    assert [mask.iou for mask in kept] == [0.95, 0.85]
    assert [mask.iou for mask in suppress([large, nearly, part], 0.95)] == [0.95, 0.90, 0.85]
    assert suppress([], 0.7) == []


def test_suppression_compares_with_what_was_kept_only() -> None:
    """A mask that was itself suppressed suppresses nothing."""
    chain = [rectangle(slice(0, 8), slice(4 * shift, 4 * shift + 32), 0.9 - 0.1 * shift) for shift in range(3)]
    assert [round(mask.iou, 1) for mask in suppress(chain, 0.7)] == [0.9, 0.7]


def test_small_regions_lie_on_top_of_large_ones() -> None:
    small, large = rectangle(slice(8, 16), slice(8, 16), 0.99), rectangle(slice(0, 32), slice(0, 32), 0.5)
    for masks in ([small, large], [large, small]):
        ids = paint([Mask(np.kron(m.inside, np.ones((4, 4), bool)), m.iou) for m in masks], (100, 100))
        assert ids.dtype == np.uint8
        assert ids.shape == (256, 256)
        assert ids[4, 4] == 1
        assert ids[40, 40] == 2
        assert ids[200, 200] == 0
        assert np.count_nonzero(ids == 1) == 128 * 128 - 32 * 32


def test_ids_have_no_gaps_where_a_region_is_hidden_and_the_limit_keeps_the_largest() -> None:
    size = (256, 256)
    below = rectangle(slice(0, 40), slice(0, 40), size=size)
    halves = [rectangle(slice(0, 40), columns, size=size) for columns in (slice(0, 20), slice(20, 39))]
    rest = rectangle(slice(0, 40), slice(39, 40), size=size)
    assert sorted(np.unique(paint([below, *halves, rest], size))) == [0, 1, 2, 3]
    assert sorted(np.unique(paint([below, *halves, rest], size, most=2))) == [0, 1, 2]
    assert np.count_nonzero(paint([below, *halves, rest], size, most=1)) == 1600
    assert not paint([], size).any()


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 300))
def test_never_more_regions_than_the_map_holds(count: int) -> None:
    masks = [rectangle(slice(n // 16, n // 16 + 1), slice(n % 16, n % 16 + 1), size=(256, 256)) for n in range(count)]
    assert paint(masks, (256, 256)).max() == min(count, 255)


@pytest.fixture
def encoded(tmp_path: Path) -> Encoded:
    """A picture 1024 x 640: a ground, a large rectangle and a small one on it."""
    picture = np.full((640, 1024, 3), 30, np.uint8)
    picture[64:512, 128:768] = 120
    picture[192:320, 256:384] = (250, 60, 10)
    return ImageEncoder(write_encoder(tmp_path / "encoder.onnx")).encode(picture)


@pytest.mark.parametrize("batch", [1, "n"])
@pytest.mark.parametrize("several", [False, True])
def test_regions_of_a_picture(tmp_path: Path, encoded: Encoded, batch: int | str, several: bool) -> None:
    decoder = Counting(write_decoder(tmp_path / "decoder.onnx", batch, several))
    ids = find_regions(decoder, encoded)
    expected = np.ones((160, 256), np.uint8)
    expected[16:128, 32:192] = 2
    expected[48:80, 64:96] = 3
    np.testing.assert_array_equal(ids, expected)
    if batch == 1:
        assert decoder.calls == 3
    else:
        assert (decoder.calls, decoder.points) == (1, 64)


def test_thresholds(tmp_path: Path, encoded: Encoded) -> None:
    decoder = MaskDecoder(write_decoder(tmp_path / "decoder.onnx", iou=0.88))
    assert find_masks(decoder, encoded) == []
    assert len(find_masks(decoder, encoded, AutomaticOptions(iou=0.87))) == 3
    assert len(find_masks(decoder, encoded, AutomaticOptions(iou=0.87, stability=1))) == 3
    assert len(find_masks(decoder, encoded, AutomaticOptions(iou=0.87, smallest=0.1))) == 2
    assert len(find_masks(decoder, encoded, AutomaticOptions(iou=0.87, largest=0.5))) == 2
    assert find_regions(decoder, encoded, AutomaticOptions(iou=0.87, most=1)).max() == 1


def test_options_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        AutomaticOptions(side=0)
    with pytest.raises(ValueError, match="1 to 255"):
        AutomaticOptions(most=256)
    with pytest.raises(ValueError, match="at least one point is needed"):
        AutomaticOptions(most_points=0)
    with pytest.raises(ValueError, match="at least one point is needed"):
        AutomaticOptions(together=0)


def test_farthest_points_start_in_the_centre_and_spread() -> None:
    points = grid((100, 100), 3)
    tried = np.concatenate(list(farthest_points(points, (100, 100), np.zeros((256, 256), np.bool_), 2, 6)))
    np.testing.assert_allclose(tried[0], [50, 50])
    corners = {tuple(point) for point in np.round(tried[1:5]).astype(int)}
    assert corners == {(17, 17), (83, 17), (17, 83), (83, 83)}
    assert len({tuple(point) for point in tried}) == 6


def test_farthest_points_keep_away_from_masks_and_end_where_all_is_covered() -> None:
    points, covered = grid((100, 200), 4), np.zeros((128, 256), np.bool_)
    batches = farthest_points(points, (100, 200), covered, 1, 99)
    next(batches)
    covered[:, :128] = True
    np.testing.assert_allclose(next(batches)[0, 0], 175)
    covered[:, 128:] = True
    assert list(batches) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_farthest_points_are_open_ones_each_once(side: int, most: int, batch: int, seed: int) -> None:
    size = (90, 130)
    covered = np.random.default_rng(seed).random(mask_size(size)) < 0.5
    points = grid(size, side)
    open_ones = np.concatenate([*open_points(points, size, covered, 99), np.zeros((0, 2), np.float32)])
    batches = list(farthest_points(points, size, covered, batch, most))
    tried = [tuple(point) for points in batches for point in points]
    assert all(1 <= len(points) <= batch for points in batches)
    assert len(tried) == len(set(tried)) == min(most, len(open_ones))
    assert set(tried) <= {tuple(point) for point in open_ones}


def test_smoothing_takes_chequerboards_away_and_keeps_what_is_large() -> None:
    rows, columns = np.mgrid[:64, :64]
    chequered = np.where((rows + columns) % 2, 2, -2.5).astype(np.float32)
    assert not (smoothed(chequered)[4:-4, 4:-4] > 0.6).any()
    edge = np.where(columns < 20, 9, -30).astype(np.float32)
    np.testing.assert_array_equal(smoothed(edge) > 0, edge > 0)
    several = np.stack([chequered, edge])[None]
    np.testing.assert_array_equal(smoothed(several)[0, 1], smoothed(edge))
    np.testing.assert_allclose(smoothed(np.full((3, 5), 2, np.float32)), 2, rtol=1e-6)


@pytest.mark.parametrize("batch", [1, "n"])
def test_video_options_bound_the_points_and_find_what_is_large(
    tmp_path: Path, encoded: Encoded, batch: int | str
) -> None:
    decoder = Counting(write_decoder(tmp_path / "decoder.onnx", batch))
    ids = find_regions(decoder, encoded, VIDEO)
    expected = np.ones((160, 256), np.uint8)
    expected[16:128, 32:192] = 2
    expected[48:80, 64:96] = 3
    assert (ids != expected).sum() <= 8  # smoothing takes the corners off
    assert decoder.points <= 12
    fewer = Counting(write_decoder(tmp_path / "decoder.onnx", batch))
    assert find_regions(fewer, encoded, replace(VIDEO, most_points=1)).max() == 1
    assert fewer.points == 1


def test_a_photograph_of_many_patches_costs_the_points_it_may(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (9, 16, 3), dtype=np.uint8).repeat(64, 0).repeat(64, 1)
    whole = ImageEncoder(write_encoder(tmp_path / "encoder.onnx")).encode(picture)
    decoder = Counting(write_decoder(tmp_path / "decoder.onnx", "n"))
    ids = find_regions(decoder, whole, VIDEO)
    assert (decoder.calls, decoder.points) == (3, 12)
    assert ids.max() == 12
