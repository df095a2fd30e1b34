"""The waiting line of an output: what it keeps, what it loses and counts, and that it begins again with a key frame."""

from __future__ import annotations

from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from stream.live.outputs.line import LineLimits, PacketLine
from stream.live.outputs.packets import EncodedPicture

FORMAT = cast(Any, object())
SECOND = 90_000


def picture(number: int, *, key: bool, size: int = 10) -> EncodedPicture:
    return EncodedPicture(bytes(size), number * 3600, number * 3600, 3600, key, FORMAT)


def opened(limits: LineLimits | None = None) -> PacketLine:
    line = PacketLine(limits)
    line.open("before_key_frame")
    return line


def taken(line: PacketLine) -> list[int]:
    numbers = []
    while (item := line.take(0)) is not None:
        numbers.append(item.pts // 3600)
    return numbers


def test_it_begins_with_a_key_frame() -> None:
    line = PacketLine()
    assert line.offer(picture(0, key=True)) is False
    line.open("connecting")
    assert line.offer(picture(1, key=False)) is True, "one is asked for"
    line.offer(picture(2, key=True))
    line.offer(picture(3, key=False))
    assert taken(line) == [2, 3]
    assert line.dropped == {"connecting": 2}


def test_too_long_it_loses_the_oldest_up_to_a_key_frame() -> None:
    line = opened(LineLimits(seconds=1.0))
    for number in range(27):
        line.offer(picture(number, key=number % 10 == 0))
    assert taken(line) == list(range(10, 27))
    assert line.dropped == {"queue_full": 10}


def test_without_a_later_key_frame_it_loses_all_and_asks_for_one() -> None:
    line = opened(LineLimits(seconds=1.0))
    asked = [line.offer(picture(number, key=number == 0)) for number in range(30)]
    assert asked.index(True) == 26
    line.offer(picture(30, key=True))
    assert taken(line) == [30]
    assert line.dropped == {"queue_full": 30}


def test_bytes_and_items_are_bounded() -> None:
    by_size, by_items = opened(LineLimits(size=1000)), opened(LineLimits(items=50))
    for number in range(200):
        by_size.offer(picture(number, key=True, size=100))
        by_items.offer(picture(number, key=True))
    assert by_size.waiting <= 10
    assert by_items.waiting <= 50


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("offer"), st.booleans()),
            st.tuples(st.sampled_from(["take", "shut", "open", "finish", "lose"]), st.none()),
        ),
        max_size=200,
    )
)
def test_every_picture_is_accounted_for_and_what_comes_out_can_be_decoded(steps: list[tuple[str, bool | None]]) -> None:
    line = opened(LineLimits(seconds=0.4))
    number = out = lost = 0
    previous, key_seen = -1, False
    for what, key in steps:
        if what == "offer":
            line.offer(picture(number, key=bool(key)))
            number += 1
        elif what == "take" and line.waiting:
            item = line.take(0)
            assert isinstance(item, EncodedPicture)
            out += 1
            taken_now = item.pts // 3600
            key_seen = item.key_frame or (key_seen and taken_now == previous + 1)
            assert key_seen, "a picture whose predecessor is missing"
            previous = taken_now
        elif what == "lose" and out > lost:
            line.lose("lost")
            lost += 1
        elif what in ("shut", "open"):
            getattr(line, what)("reconnecting")
        elif what == "finish":
            line.finish()
        assert line.offered == number == (out - lost) + line.dropped.total() + line.waiting
