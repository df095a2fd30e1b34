"""Amounts as people write them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.quantities import Keep, bits_per_second, keep, seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [("90", 90), (90, 90), (0.5, 0.5), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("7d", 604800), (" 2 H ", 7200)],
)
def test_seconds(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("4M", 4_000_000), ("800k", 800_000), (1500, 1500), ("1.5m", 1_500_000)])
def test_bits_per_second(text, value):
    assert bits_per_second(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7d", Keep(seconds=604800)),
        ("50GB", Keep(bytes=50 * 10**9)),
        ("10m", Keep(seconds=600)),
        ("1GiB", Keep(None, 2**30)),
    ],
)
def test_what_is_kept(text, value):
    assert keep(text) == value


@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_refused_as_a_value(text):
    for read in (seconds, bits_per_second, keep):
        with contextlib.suppress(ValueError):
            assert read(text)


@pytest.mark.parametrize("text", ["", "m", "-1m", "0s", "1e9", "ten", "5 parsecs", "nan"])
def test_other_words_are_refused(text):
    for read in (seconds, bits_per_second, keep):
        with pytest.raises(ValueError, match="is not"):
            read(text)
