"""The table of docs/tensorrt.md: what builds, what does not and why, and what was never tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.engines_page import BEGIN, END, with_table

PAGE = f"before\n{BEGIN}\nold\n{END}\nafter\n"
BUILT = {"megabytes": 1.26, "build_seconds": 2.4, "kept": True, "stated": "3 in fp16", "parsed": "3 in fp16"}


def row(text: str, key: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(f"| `{key}`"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_rows_say_size_time_agreement_and_what_was_not_tried() -> None:
    found: dict[str, Any] = {
        "rows": {
            "one": {
                "model": "trained",
                "rtx 1.7 fp32": BUILT,
                "rtx 1.7 fp16": BUILT | {"p99": 0.13, "worst": 0.3, "broken": "", "passed": True},
                "rtx 1.7 int8": BUILT | {"p99": 9.0, "worst": 20.0, "broken": "", "passed": False, "kept": False},
            },
            "two": {"rtx 1.7 fp32": {"error": "BuildError: node 'x' (Slice): no"}, "rtx 1.7 fp16": {}},
        }
    }
    del found["rows"]["two"]["rtx 1.7 fp16"]
    text = with_table(PAGE, found, ["one", "two", "three"])
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert row(text, "one") == [
        "`one`", "trained", "1.3, 2", "1.3, 2", "1.3, 2 (precision lost)", "0.13", "9.00 (refused)"
    ]  # fmt: skip
    assert row(text, "two")[2:] == ["no, see below", "not tried", "not tried", "not tried", "not tried"]
    assert "- two, fp32, rtx 1.7: BuildError: node 'x' (Slice): no" in text
    assert row(text, "three")[2:] == ["not tried"] * 5


def test_nan_is_said_and_shares_stand_where_there_are_no_codes() -> None:
    broken = BUILT | {"p99": None, "worst": None, "broken": "white", "passed": False}
    found = {"rows": {"one": {"rtx 1 fp16": broken, "rtx 1 int8": BUILT | {"relative_p99": 0.0012}}}}
    assert row(with_table(PAGE, found, ["one"]), "one")[5:] == ["NaN: white", "0.12 % of the largest"]


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no lines"):
        with_table("nothing", {"rows": {}}, [])


def test_the_documentation_has_a_place_for_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tensorrt.md").read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
