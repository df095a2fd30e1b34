"""The channel between two threads: order, back-pressure, and the two ways to end."""

from __future__ import annotations

import threading
import time

import pytest

from stream.queues import Cancelled, Channel

pytestmark = pytest.mark.timeout(20)


def _in_thread(body):
    outcome = []

    def run():
        try:
            outcome.append(body())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def _until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.001)


def test_items_come_out_in_order_and_close_ends_the_loop_after_them():
    channel = Channel(3)
    thread, outcome = _in_thread(lambda: list(channel))
    for number in range(500):
        channel.put(number)
    channel.close()
    thread.join(10)
    assert outcome == [list(range(500))]


def test_a_full_channel_makes_its_writer_wait():
    channel = Channel(2)
    written = []

    def write():
        for number in range(5):
            channel.put(number)
            written.append(number)

    thread, _ = _in_thread(write)
    _until(lambda: len(written) == 2)
    time.sleep(0.05)
    assert written == [0, 1]
    assert next(iter(channel)) == 0
    _until(lambda: len(written) == 3)
    channel.cancel()
    thread.join(10)
    assert not thread.is_alive()


def test_cancel_releases_a_writer_that_waits_for_room():
    channel = Channel(1)
    channel.put(0)
    thread, outcome = _in_thread(lambda: channel.put(1))
    time.sleep(0.02)
    channel.cancel()
    thread.join(10)
    assert isinstance(outcome[0], Cancelled)


def test_cancel_releases_a_reader_that_waits_for_items():
    channel = Channel(1)
    thread, outcome = _in_thread(lambda: list(channel))
    time.sleep(0.02)
    channel.cancel()
    thread.join(10)
    assert isinstance(outcome[0], Cancelled)


def test_cancel_gives_up_what_waits_inside():
    channel = Channel(4)
    channel.put(0)
    channel.cancel()
    assert len(channel) == 0
    with pytest.raises(Cancelled):
        next(iter(channel))
    with pytest.raises(Cancelled):
        channel.put(1)


def test_nothing_is_put_into_a_closed_channel():
    channel = Channel(4)
    channel.close()
    with pytest.raises(ValueError, match="closed"):
        channel.put(1)


def test_a_channel_without_room_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        Channel(0)
