"""The newest frame wins: whatever is written and read in whatever order, every frame is accounted for."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.live.channel import MOST_PACKETS, Closed, NewestChannel
from stream.queues import Cancelled

pytestmark = pytest.mark.timeout(60)


@dataclass(frozen=True)
class Item:
    number: int
    captured_at: float | None
    """None for packets."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def channel(capacity=4, **options):
    return NewestChannel(capacity, lambda item: item.captured_at, **options)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.floats(0, 2)),
        st.tuples(st.just("packet"), st.just(0.0)),
        st.tuples(st.just("read"), st.just(0.0)),
        st.tuples(st.just("sleep"), st.floats(0, 1)),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(STEPS, st.integers(1, 6), st.integers(1, 6), st.sampled_from([None, 0.0, 0.5]), st.booleans())
def test_every_frame_is_accounted_at_every_moment_and_order_is_kept(steps, capacity, standing, staleness, cancelled):
    clock, told = Clock(), Counter()
    ring = channel(
        capacity,
        staleness_s=staleness,
        standing=min(standing, capacity),
        on_drop=lambda cause, count: told.update({cause: count}),
        clock=clock,
    )
    put, read = [], []
    for number, (step, amount) in enumerate(steps):
        if step == "sleep":
            clock.now += amount
        elif step == "read":
            item = ring.get(timeout=0)
            if item is not None:
                read.append(item)
                assert item.captured_at is None or staleness is None or clock.now - item.captured_at <= staleness
        else:
            item = Item(number, clock.now - amount if step == "frame" else None)
            put.append(item)
            ring.put(item)
        frames = sum(item.captured_at is not None for item in put)
        assert ring.frames_in == frames
        assert ring.frames_in == ring.frames_out + ring.dropped.total() + ring.waiting
        assert 0 <= ring.waiting <= capacity
        assert told == ring.dropped
    if cancelled:
        waiting = ring.waiting
        assert ring.cancel() == waiting
        assert ring.dropped["cancelled"] == waiting
    else:
        ring.close()
        read += list(ring)
        packets = [item for item in put if item.captured_at is None]
        assert [item for item in read if item.captured_at is None] == packets
    assert ring.waiting == 0
    assert ring.frames_in == ring.frames_out + ring.dropped.total()
    assert read == [item for item in put if item in set(read)]


def test_the_oldest_goes_when_there_is_no_room():
    ring = channel(2)
    for number in range(5):
        ring.put(Item(number, 0.0))
    ring.put(Item(5, None))
    ring.close()
    assert [item.number for item in ring] == [3, 4, 5]
    assert ring.dropped == {"queue_full": 3}


def test_a_burst_finds_room_and_a_standing_queue_does_not():
    clock = Clock()
    ring = channel(8, standing=2, patience_s=0.5, clock=clock)
    for number in range(8):
        ring.put(Item(number, clock.now))
    assert (ring.waiting, ring.dropped.total()) == (8, 0)
    for number in range(8, 12):  # served as fast as frames come, but the queue stays
        clock.now += 0.2
        ring.get(0)
        ring.put(Item(number, clock.now))
    assert ring.waiting == 2
    assert ring.dropped == {"queue_full": 6}
    while ring.waiting:
        ring.get(0)
    clock.now += 60
    for number in range(20, 28):
        ring.put(Item(number, clock.now))
    assert (ring.waiting, ring.dropped.total()) == (8, 6)


def test_a_reader_that_waits_gets_the_next_frame_although_the_one_before_was_stale():
    clock = Clock()
    ring = channel(4, staleness_s=0.5, clock=clock)
    got = []
    reader = threading.Thread(target=lambda: got.append(ring.get(timeout=30)))
    ring.put(Item(0, clock.now - 1))
    reader.start()
    ring.put(Item(1, clock.now))
    reader.join(30)
    assert got == [Item(1, clock.now)]
    assert ring.dropped == {"stale": 1}


def test_room_is_waited_for_without_dropping():
    ring = channel(4)
    ring.put(Item(0, 0.0))
    assert not ring.wait_for_room(1, timeout=0.01)
    reader = threading.Timer(0.05, ring.get)
    reader.start()
    assert ring.wait_for_room(1, timeout=30)
    reader.join()


@pytest.mark.parametrize("wait", [lambda ring: ring.get(), lambda ring: ring.wait_for_room(0)])
def test_cancelling_releases_who_waits(wait):
    ring, released = channel(1), []

    def body():
        with pytest.raises(Cancelled):
            wait(ring)
        released.append(True)

    waiting = threading.Thread(target=body)
    waiting.start()
    ring.cancel()
    waiting.join(30)
    assert released
    with pytest.raises(Cancelled):
        ring.put(Item(0, 0.0))


def test_a_closed_channel_gives_what_is_inside_and_then_ends():
    ring = channel(2)
    ring.put(Item(0, 0.0))
    ring.close()
    assert ring.get() == Item(0, 0.0)
    with pytest.raises(Closed):
        ring.get()
    with pytest.raises(ValueError, match="closed"):
        ring.put(Item(1, 0.0))


def test_packets_nobody_reads_are_bounded():
    ring = channel(1)
    ring.put(Item(-1, 0.0))
    for number in range(MOST_PACKETS + 5):
        ring.put(Item(number, None))
    ring.close()
    assert ring.packets_lost == 5
    assert [item.number for item in ring] == [-1, *range(5, MOST_PACKETS + 5)]


def test_a_slow_reader_beside_a_fast_writer_loses_nothing_uncounted():
    ring, read = channel(3, standing=1), []
    reader = threading.Thread(target=lambda: read.extend(ring))
    reader.start()
    for number in range(5000):
        ring.put(Item(number, 0.0))
    ring.close()
    reader.join(30)
    assert ring.frames_in == 5000 == len(read) + ring.dropped.total()
    assert [item.number for item in read] == sorted(item.number for item in read)
    assert read[-1].number == 4999


@pytest.mark.parametrize(("capacity", "standing"), [(0, None), (2, 0), (2, 3)])
def test_impossible_sizes_are_refused(capacity, standing):
    with pytest.raises(ValueError, match="at least one"):
        channel(capacity, standing=standing)
