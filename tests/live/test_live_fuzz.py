"""Broken streams neither hang nor crash the decode path; every failure has a type. A slice of ``benchmarks fuzz``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from benchmarks.fuzz import QUICK, STREAMS, fuzz
from benchmarks.fuzz_streams import KINDS, MUTATIONS, broken, pristine

ONCE_FAILED = (108, 1297, 1513)
"""A stream appears in mid-stream, on which PyAV raised an untyped error."""


def test_the_same_number_breaks_a_stream_in_the_same_way() -> None:
    streams = {kind: pristine(kind) for kind in KINDS}
    several = [broken(index, streams) for index in range(0, 600, 7)]
    assert [one.data for one in several] == [broken(one.index, streams).data for one in several]
    assert {one.kind for one in several} == set(KINDS)
    assert {name for one in several for name in one.mutations} == set(MUTATIONS)
    changed = sum(one.data != streams[one.kind] for one in several)
    assert changed > 0.9 * len(several), "some losses lose nothing"


@pytest.mark.timeout(900)
def test_a_slice_of_broken_streams_is_survived() -> None:
    check([*range(QUICK), *ONCE_FAILED])


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_thousand_broken_streams_are_survived_without_a_leak() -> None:
    lowest = check(range(STREAMS))["lowest_of_each_quarter"]
    assert lowest[3] < lowest[0] + 25, lowest


def check(numbers: Sequence[int]) -> dict[str, Any]:
    found = fuzz(numbers)
    assert found["hung"] == []
    assert found["crashed"] == []
    assert found["faults"] == []
    assert found["readings"] == 2 * len(numbers)
    assert found["outcomes"]["read"] > found["outcomes"]["refused"] > 0, "broken, not destroyed"
    memory: dict[str, Any] = found["rss_mb"]
    return memory
