"""Regions follow the motion without eroding, keep their identities over key frames, and never jump."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moving_pictures import H, W, disc

from stream.vision.fades import FADE_FRAMES
from stream.vision.motion import Motion
from stream.vision.regions import MOST, Segmentation
from stream.vision.tracker import TRUST_PER_FRAME, RegionTracker

FRAME_S = 0.04


def shift(dx: float, dy: float = 0.0) -> Motion:
    """Everything was at x + (dx, dy) before; what was outside is not known."""
    flow = np.zeros((H, W, 2), np.float32) + np.array([dx, dy], np.float32)
    x, y = np.arange(W)[None] + dx, np.arange(H)[:, None] + dy
    known = (x >= -0.5) & (x <= W - 0.5) & (y >= -0.5) & (y <= H - 0.5)
    return Motion(flow, known.astype(np.float32))


STILL = Motion.still(H, W)


def running(frames: int = 1, motion: Motion = STILL) -> RegionTracker:
    """A tracker that has seen a first frame and ``frames`` more."""
    tracker = RegionTracker()
    tracker.step(None, 0.0)
    tracker.expect()
    for _ in range(frames):
        stepped(tracker, motion)
    return tracker


def stepped(tracker: RegionTracker, motion: Motion = STILL) -> None:
    """One frame on, and a snapshot of it."""
    tracker.step(motion, FRAME_S)
    tracker.expect()


def found(*masks: np.ndarray, embedding: np.ndarray | None = None) -> Segmentation:
    """Masks in the order of their labels."""
    ids = np.zeros(masks[0].shape, np.uint8)
    for label, mask in enumerate(masks, 1):
        ids[mask] = label
    return Segmentation(ids, embedding)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    return np.count_nonzero(first & second) / max(np.count_nonzero(first | second), 1)


def test_without_a_segmentation_there_are_no_regions():
    tracker = running(3)
    assert tracker.regions is None
    assert tracker.embedding is None
    assert tracker.seq == 3


def test_a_result_is_taken_for_the_frame_of_its_snapshot():
    """Half way through a pan, four frames late: the region must be where it is now, at once."""
    tracker = running(10, shift(-3))
    assert tracker.accept(found(disc(100, 70)), 6)
    assert overlap(tracker.regions.ids == 1, disc(112, 70)) > 0.97


@pytest.mark.parametrize("step", [0.3, -0.45, 2.7])
def test_sixty_frames_do_not_erode_or_displace_an_outline(step):
    tracker = running(60, shift(-step))
    x = 128 - 30 * step
    assert tracker.accept(found(disc(x, 70)), 0)
    assert overlap(tracker.regions.ids == 1, disc(x + 60 * step, 70)) > 0.95
    for _ in range(5):
        tracker.step(shift(-step), FRAME_S)
    assert overlap(tracker.regions.ids == 1, disc(x + 65 * step, 70)) > 0.95


def test_what_was_hidden_or_outside_is_not_known():
    tracker = running(1)
    everything = np.ones((H, W), bool)
    tracker.accept(found(everything), 1)
    tracker.step(shift(10), FRAME_S)
    assert np.all(tracker.regions.ids[:, :-10] == 1)
    assert not tracker.regions.ids[:, -10:].any()
    hidden = Motion(np.zeros((H, W, 2), np.float32), (~disc(60, 60)).astype(np.float32))
    tracker.step(hidden, FRAME_S)
    assert not tracker.regions.ids[disc(60, 60)].any()
    tracker.step(STILL, FRAME_S)
    assert not tracker.regions.ids[disc(60, 60)].any()


def test_masks_of_any_size_lie_over_the_whole_picture():
    tracker = running(1)
    small = np.zeros((36, 64), np.uint8)
    small[9:27, 16:48] = 1
    tracker.accept(Segmentation(small), 1)
    assert np.array_equal(np.argwhere(tracker.regions.ids == 1)[[0, -1]], [[36, 64], [107, 191]])


def test_renumbered_regions_keep_their_identities():
    tracker = running(1)
    left, right = disc(60, 70), disc(190, 70)
    tracker.accept(found(left, right), 1)
    first = tracker.regions.ids
    for _ in range(FADE_FRAMES):
        tracker.step(STILL, FRAME_S)
    tracker.accept(found(right, left), tracker.expect())
    assert np.array_equal(tracker.regions.ids, first)
    assert np.all(tracker.regions.weight[1:3] == 1)


def test_new_regions_fade_in_and_vanished_ones_out_in_their_place():
    tracker = running(1)
    old, new = disc(60, 70), disc(190, 70)
    tracker.accept(found(old), 1)
    for frame in range(FADE_FRAMES):
        assert tracker.regions.weight[1] == frame / FADE_FRAMES
        tracker.step(STILL, FRAME_S)
    tracker.accept(found(new), tracker.expect())
    for frame in range(FADE_FRAMES):
        regions = tracker.regions
        assert regions.weight[1] == 1 - frame / FADE_FRAMES
        assert regions.weight[2] == frame / FADE_FRAMES
        assert np.array_equal(regions.ids == 1, old)
        assert np.array_equal(regions.ids == 2, new)
        tracker.step(STILL, FRAME_S)
    assert not np.any(tracker.regions.ids == 1)
    assert tracker.regions.confidence[1] == tracker.regions.age[1] == tracker.regions.weight[1] == 0


def test_an_identity_that_became_free_last_is_given_away_last():
    tracker = running(1)
    discs = [disc(40 + 60 * k, 70, 20) for k in range(4)]
    tracker.accept(found(discs[0], discs[1]), 1)
    for masks in ([discs[1]], [discs[2]]):
        for _ in range(2 * FADE_FRAMES):
            tracker.step(STILL, FRAME_S)
        tracker.accept(found(*masks), tracker.expect())
    assert set(np.unique(tracker.regions.ids)) == {0, 2, 3}


def test_sixteen_regions_exchanged_for_sixteen_others_wait_for_their_names():
    tracker = running(1)
    rows, columns = np.mgrid[:H, :W]
    before, after = columns // 16 + 1, (rows // 9 + 1)
    tracker.accept(Segmentation(before.astype(np.uint8)), 1)
    for _ in range(FADE_FRAMES):
        tracker.step(STILL, FRAME_S)
    tracker.accept(Segmentation(after.astype(np.uint8)), tracker.expect())
    assert np.array_equal(tracker.regions.ids, before)
    for _ in range(2 * FADE_FRAMES):
        tracker.step(STILL, FRAME_S)
    regions = tracker.regions
    assert len(np.unique(regions.ids)) == MOST
    assert all(len(np.unique(row)) == 1 for row in regions.ids)
    assert np.all(regions.weight[1:] == 1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), labels=st.integers(1, 40))
def test_weights_never_jump_and_ids_are_always_valid(seed, labels):
    rng = np.random.default_rng(seed)
    tracker = RegionTracker()
    tracker.step(None, 0.0)
    weight = np.zeros(MOST + 1)
    for _ in range(25):
        if rng.random() < 0.4:
            blocks = rng.integers(0, labels, (4, 5)).astype(np.uint8)
            tracker.accept(Segmentation(blocks), tracker.seq - int(rng.integers(0, 3)))
        tracker.expect()
        flow = np.full((24, 40, 2), rng.choice([0, 1.5, -3]), np.float32)
        regions = tracker.step(Motion(flow, (rng.random((24, 40)) > 0.01).astype(np.float32)), FRAME_S)
        if regions is None:
            continue
        assert np.abs(regions.weight - weight).max() <= 1 / FADE_FRAMES + 1e-6
        weight = regions.weight
        assert regions.ids.max() <= MOST
        alive = np.unique(regions.ids)
        assert np.all(regions.confidence[alive[alive > 0]] > 0)
        assert np.all((regions.confidence >= 0) & (regions.confidence <= 1))
        assert regions.weight[0] == regions.confidence[0] == regions.age[0] == 0


def test_confidence_and_age():
    tracker = running(1)
    tracker.accept(found(disc(60, 70)), 1)
    doubtful = Motion(np.zeros((H, W, 2), np.float32), np.full((H, W), np.exp(-0.5), np.float32))
    for _ in range(4):
        stepped(tracker, doubtful)
    assert tracker.regions.confidence[1] == pytest.approx(np.exp(-0.5) * TRUST_PER_FRAME**4, rel=1e-3)
    assert tracker.regions.age[1] == pytest.approx(4 * FRAME_S)
    tracker.accept(found(disc(60, 70)), 3)
    assert tracker.regions.age[1] == pytest.approx(2 * FRAME_S)


def test_results_that_nobody_expects_any_more_are_refused_and_counted():
    tracker = running(10)
    assert tracker.accept(found(disc(60, 70)), 3)
    assert not tracker.accept(found(disc(60, 70)), 2)
    assert not tracker.accept(found(disc(60, 70)), 11)
    tracker.step(STILL, FRAME_S)
    tracker.expect(held={7, 9})
    assert not tracker.accept(found(disc(60, 70)), 8)
    assert tracker.accept(found(disc(60, 70)), 7)
    assert not tracker.accept(found(disc(60, 70)), 7)
    assert tracker.accept(found(disc(60, 70)), 9)
    assert tracker.refused == 4


def test_no_snapshot_is_too_old_while_its_result_is_expected():
    tracker = running(0)
    for _ in range(200):
        tracker.step(shift(-0.4), FRAME_S)
    assert tracker.accept(found(disc(60, 70)), 0)
    assert overlap(tracker.regions.ids == 1, disc(140, 70)) > 0.95
    assert tracker.regions.age[1] == pytest.approx(200 * FRAME_S, rel=1e-4)


def test_nothing_survives_a_cut():
    tracker = running(5)
    tracker.accept(found(disc(60, 70)), 3)
    tracker.reset()
    assert tracker.regions is None
    assert tracker.step(None, FRAME_S) is None
    tracker.expect()
    assert not tracker.accept(found(disc(60, 70)), 5)
    assert tracker.accept(found(disc(60, 70)), 6)
    assert tracker.step(STILL, FRAME_S).ids.any()


def test_another_size_begins_anew():
    tracker = running(5)
    tracker.accept(found(disc(60, 70)), 3)
    assert tracker.step(Motion.still(192, 192), FRAME_S) is None
    tracker.expect()
    assert not tracker.accept(found(disc(60, 70)), 5)
    tracker.step(Motion.still(192, 192), FRAME_S)
    assert tracker.accept(found(disc(60, 70)), 6)
    assert tracker.regions.ids.shape == (192, 192)


@pytest.mark.parametrize("ids", [np.zeros((9, 9)), np.ones((9, 9)), np.full((9, 9), 255), np.zeros((1, 1))])
def test_empty_and_all_covering_masks(ids):
    tracker = running(1)
    tracker.accept(found(disc(60, 70)), 1)
    for _ in range(3):
        assert tracker.accept(Segmentation(ids.astype(np.uint8)), tracker.expect())
        for _ in range(FADE_FRAMES + 1):
            tracker.step(shift(0.5), FRAME_S)
    assert tracker.regions.weight.sum() == (1 if np.all(ids == 1) else 0)


def test_a_map_without_pixels_is_refused():
    tracker = running(1)
    assert not tracker.accept(Segmentation(np.zeros((0, 4), np.uint8)), 1)
    assert tracker.refused == 1


def test_features_are_means_of_the_embedding_and_move_over():
    first, second = np.zeros((256, 9, 16), np.float32), np.zeros((256, 9, 16), np.float32)
    first[7, :, :8], second[7, :, :8] = 2.0, 4.0
    left = np.zeros((H, W), bool)
    left[:, :128] = True
    tracker = running(1)
    tracker.accept(found(left, embedding=first), 1)
    assert tracker.regions.features[1, 7] == pytest.approx(2)
    assert not tracker.regions.features[0].any()
    for _ in range(FADE_FRAMES):
        tracker.step(STILL, FRAME_S)
    tracker.accept(found(left, embedding=second), tracker.expect())
    values = [tracker.step(STILL, FRAME_S).features[1, 7] for _ in range(FADE_FRAMES)]
    assert np.allclose(np.diff([2.0, *values]), 2 / FADE_FRAMES, atol=1e-5)


def test_the_embedding_goes_along():
    embedding = np.tile(np.arange(64, dtype=np.float32), (256, 36, 1))
    tracker = running(1)
    tracker.accept(found(disc(60, 70), embedding=embedding), 1)
    assert tracker.embedding is tracker.embedding
    for _ in range(4):
        tracker.step(shift(-8), FRAME_S)
    assert np.array_equal(tracker.embedding[:, :, 8:], embedding[:, :, :-8])
    assert np.all(tracker.embedding[:, :, :8] == 0)


@pytest.mark.parametrize("shape", [(255, 9, 9), (256, 9), (256, 0, 9)])
def test_an_unusable_embedding_is_none(shape):
    tracker = running(1)
    tracker.accept(found(disc(60, 70), embedding=np.zeros(shape, np.float32)), 1)
    tracker.accept(found(disc(60, 70), embedding=np.full((256, 4, 4), np.nan, np.float32)), 1)
    assert tracker.embedding is None
    assert tracker.regions.features is None
