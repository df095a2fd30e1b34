"""A segmenter that is slow, hangs, crashes or gives nonsense holds up nobody, and everything is counted."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stream.vision.segmenter as module
from stream.vision.regions import Segmentation
from stream.vision.segmenter import FIRST_PAUSE, LONGEST_PAUSE, Segmenter, checked, pause, rest

PATIENCE = 20.0


def snapshot(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


def halves(rgb: np.ndarray) -> Segmentation:
    """Two regions, and the snapshot's value as the embedding."""
    ids = np.ones((4, 6), np.uint8)
    ids[:, 3:] = 2
    return Segmentation(ids, np.full((256, 1, 1), rgb[0, 0, 0], np.float32))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.002)


class Gated:
    """A segmenter that says when it begins and goes on when it is let."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.let = threading.Semaphore(0)
        self.saw: list[int] = []

    def __call__(self, rgb: np.ndarray) -> Segmentation:
        self.saw.append(int(rgb[0, 0, 0]))
        self.begun.release()
        assert self.let.acquire(timeout=PATIENCE)
        return halves(rgb)


@pytest.fixture
def gated() -> Iterator[Gated]:
    gate = Gated()
    yield gate
    for _ in range(100):
        gate.let.release()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 0.001)


def test_offers_and_takes_go_on_while_it_is_stuck_and_the_newest_snapshot_is_next(gated: Gated) -> None:
    segmenter = Segmenter(gated, share=1)
    segmenter.offer(0, snapshot(0))
    assert gated.begun.acquire(timeout=PATIENCE)
    for seq in range(1, 200):
        segmenter.offer(seq, snapshot(seq))
        assert segmenter.take() is None
        assert segmenter.busy
    assert segmenter.working_on == 0
    gated.let.release()
    assert gated.begun.acquire(timeout=PATIENCE)
    assert segmenter.working_on == 199
    gated.let.release()
    until(lambda: segmenter.runs == 2)
    assert gated.saw == [0, 199]
    assert not segmenter.busy
    taken = segmenter.take()
    assert taken is not None
    seq, found = taken
    assert seq == 199
    assert found.embedding is not None
    assert found.embedding[0, 0, 0] == 199
    assert segmenter.take() is None
    assert segmenter.close()


def test_the_thread_starts_with_the_first_offer_and_ends_with_close() -> None:
    segmenter = Segmenter(halves)
    assert [t for t in threading.enumerate() if t.name == "segmenter"] == []
    assert segmenter.close()
    segmenter = Segmenter(halves)
    segmenter.offer(1, snapshot(1))
    (thread,) = [t for t in threading.enumerate() if t.name == "segmenter"]
    assert thread.daemon
    until(lambda: segmenter.runs == 1)
    assert segmenter.close()
    assert not thread.is_alive()
    segmenter.offer(2, snapshot(2))
    assert not segmenter.busy
    assert segmenter.take() is None
    assert segmenter.close()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_the_thread_stands_back_behind_all_others() -> None:
    def segment(rgb: np.ndarray) -> Segmentation:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return halves(rgb)

    seen: list[int] = []
    segmenter = Segmenter(segment)
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    segmenter.offer(1, snapshot(1))
    until(lambda: segmenter.runs == 1)
    assert seen == [max(mine, module.NICENESS)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine
    segmenter.close()


def test_close_gives_up_on_one_that_hangs_and_takes_nothing_from_it_later(gated: Gated) -> None:
    segmenter = Segmenter(gated)
    segmenter.offer(1, snapshot(1))
    assert gated.begun.acquire(timeout=PATIENCE)
    assert not segmenter.close(timeout=0.01)
    (thread,) = [t for t in threading.enumerate() if t.name == "segmenter"]
    gated.let.release()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert segmenter.take() is None
    assert (segmenter.runs, segmenter.failures) == (0, 0)


def test_close_stops_one_that_can_be_stopped() -> None:
    begun, stopped = threading.Event(), threading.Event()

    def segment(rgb: np.ndarray) -> Segmentation:
        begun.set()
        assert stopped.wait(PATIENCE)
        raise RuntimeError("stopped")

    segmenter = Segmenter(segment, stop=stopped.set)
    segmenter.offer(1, snapshot(1))
    assert begun.wait(PATIENCE)
    assert segmenter.close(timeout=PATIENCE)
    assert segmenter.failures == 0


def test_close_does_not_wait_for_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE", 1000.0)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 1000.0)
    segmenter = Segmenter(lambda rgb: 1 / 0)  # type: ignore[arg-type,return-value]
    segmenter.offer(1, snapshot(1))
    until(lambda: segmenter.failures == 1)
    segmenter.offer(2, snapshot(2))
    assert segmenter.busy
    assert segmenter.close(timeout=PATIENCE)


def test_failures_are_counted_and_it_recovers() -> None:
    def segment(rgb: np.ndarray) -> Segmentation:
        if rgb[0, 0, 0] % 2:
            raise RuntimeError(f"cannot see {rgb[0, 0, 0]}")
        return halves(rgb)

    segmenter = Segmenter(segment, share=1)
    for seq in range(4):
        segmenter.offer(seq, snapshot(seq))
        until(lambda: not segmenter.busy)
    assert (segmenter.runs, segmenter.failures, segmenter.last_failure) == (2, 2, "cannot see 3")
    taken = segmenter.take()
    assert taken is not None
    assert taken[0] == 2
    segmenter.close()


def test_it_looks_rarely_where_it_always_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    wait_for = threading.Condition.wait_for

    def spy(self: threading.Condition, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        if timeout is not None:
            slept.append(timeout)
            timeout = 0.0
        return wait_for(self, predicate, timeout)

    monkeypatch.setattr(module, "FIRST_PAUSE", FIRST_PAUSE)
    monkeypatch.setattr(threading.Condition, "wait_for", spy)
    segmenter = Segmenter(lambda rgb: None)  # type: ignore[arg-type,return-value]
    for seq in range(9):
        segmenter.offer(seq, snapshot(seq))
        until(lambda seq=seq: len(slept) == seq + 1)
    assert slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert segmenter.last_failure == "the segmenter gave NoneType, not a segmentation"
    segmenter.close()


def test_cpu_time_is_counted_and_held_to_its_share() -> None:
    began: list[float] = []

    def segment(rgb: np.ndarray) -> Segmentation:
        began.append(time.monotonic())
        while time.thread_time() < 0.02 * len(began):
            pass
        return halves(rgb)

    segmenter = Segmenter(segment, share=0.1)
    segmenter.offer(0, snapshot(0))
    until(lambda: segmenter.cpu_seconds > 0)
    cpu = segmenter.cpu_seconds
    assert cpu >= 0.02
    segmenter.offer(1, snapshot(1))
    until(lambda: segmenter.runs == 2)
    assert began[1] - began[0] >= 0.99 * cpu / 0.1
    assert segmenter.cpu_seconds > cpu
    segmenter.close()


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(0, 100), st.floats(0.01, 1))
def test_rest_holds_the_share_and_no_longer_than_that(cpu: float, waiting: float, share: float) -> None:
    elapsed = cpu + waiting
    whole = elapsed + rest(cpu, elapsed, share)
    assert cpu <= share * whole * (1 + 1e-9)
    assert rest(cpu, elapsed, share) == 0 or cpu == pytest.approx(share * whole)


def test_pauses_double_up_to_half_a_minute() -> None:
    assert pause(0) == 0
    assert pause(10**9) == LONGEST_PAUSE == 30


def test_empty_and_all_covering_results_are_no_regions_and_are_counted() -> None:
    whole = np.ones((10, 20), np.uint8)
    nearly = whole.copy()
    nearly[0, :3] = 0
    for ids in (whole, nearly, np.full((1, 1), 16, np.uint8), np.zeros((3, 3), np.uint8)):
        segmenter = Segmenter(lambda rgb, ids=ids: Segmentation(ids), share=1)
        segmenter.offer(5, snapshot(0))
        until(lambda segmenter=segmenter: not segmenter.busy)
        taken = segmenter.take()
        assert taken is not None
        assert taken[1].ids.shape == ids.shape
        assert not taken[1].ids.any()
        assert (segmenter.runs, segmenter.empty, segmenter.failures) == (1, 1, 0)
        segmenter.close()
    nearly[:, 19] = 0
    assert checked(Segmentation(nearly)).ids.any()


IDS = np.ones((2, 2), np.uint8)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (None, "gave NoneType"),
        (IDS, "gave ndarray"),
        (Segmentation(IDS.astype(np.int64)), r"ids of int64 \[2, 2\]"),  # type: ignore[arg-type]
        (Segmentation(IDS[0]), r"ids of uint8 \[2\]"),
        (Segmentation(np.zeros((0, 4), np.uint8)), r"ids of uint8 \[0, 4\]"),
        (Segmentation(17 * IDS), "17 regions where at most 16"),
        (Segmentation(IDS, np.zeros((255, 4, 4), np.float32)), r"embedding of float32 \[255, 4, 4\]"),
        (Segmentation(IDS, np.zeros((256, 4), np.float32)), r"embedding of float32 \[256, 4\]"),
        (Segmentation(IDS, np.full((256, 4, 4), np.nan, np.float32)), "NaN or infinity"),
    ],
)
def test_nonsense_is_a_failure(found: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(found)


@pytest.mark.parametrize("share", [0, -1, 1.01])
def test_shares_that_cannot_be(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Segmenter(halves, share=share)
