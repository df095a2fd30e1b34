"""The soak: its parts on made-up data, a tenth of an hour of it among the slow tests; and the page of live figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import live_page
from benchmarks.live_camera import shown_number
from benchmarks.live_server import missing
from benchmarks.live_watch import slopes
from benchmarks.soak import Plan, soak


def test_events_of_every_kind_are_spread_over_the_plan() -> None:
    events = Plan(kills=8, freezes=4, resizes=4).events()
    assert sorted(events) == ["freeze"] * 4 + ["kill"] * 8 + ["resize"] * 4
    assert set(events[:5]) == {"kill", "freeze", "resize"}


def test_what_grows_is_seen_and_what_does_not_is_not() -> None:
    samples = [{"s": float(s), "rss_mb": 100 + s / 36, "threads": 12.0, "fds": 9.0} for s in range(200)]
    found = slopes(samples)
    assert found["rss_mb"]["slope_per_hour"] == pytest.approx(100)
    assert found["threads"]["slope_per_hour"] == pytest.approx(0)
    assert found["fds"]["first"] == found["fds"]["last"] == found["fds"]["most"] == 9


def test_a_number_in_a_clip_that_repeats_is_the_latest_one_that_was_sent() -> None:
    assert shown_number(7, 100, sent_before=7) == 7
    assert shown_number(7, 100, sent_before=106) == 7
    assert shown_number(7, 100, sent_before=512) == 507
    assert shown_number(99, 100, sent_before=500) == 499


def test_the_page_tells_figures_and_a_missed_goal(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    live_page.write(made_up(), page, tmp_path)
    text = page.read_text()
    assert "**missed**" in text
    assert "| added | 12.00 | 140 | 190 |" in text
    assert "**1** without a drop" in text
    assert max(map(len, text.splitlines())) <= 130


def made_up() -> dict[str, Any]:
    stage = {"p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0}
    delays = {"p50": 30.0, "p95": 40.0, "p99": 50.0, "most": 60.0}
    row = {
        "delays_ms": delays,
        "pictures": 100,
        "missing": 0,
        "cpu_cores": 0.5,
        "stages": {"total": stage},
        "course": {},
    }
    many = {
        "streams": 1,
        "delays_ms": delays,
        "pictures": 100,
        "missing": 0,
        "cpu_cores": 0.5,
        "rss_mb": 1.0,
        "threads": 9,
    }
    return {
        "machine": {"cpu": "made up", "cores": 2, "memory_gb": 8},
        "versions": {"python": "3.11"},
        "conditions": {"date": "then"},
        **{"size": "1280x720", "fps": 25, "rounds": 3, "seconds": 30},
        "one": {"relay": row, "enhanced": row},
        "added": {
            "p50": 12.0,
            "p95": 140.0,
            "p99": 190.0,
            "p95_above_relay_median_ms": 150.0,
            "goal_ms": 80.0,
            "met": False,
        },
        "many": [many],
        "streams_without_a_drop": 1,
    }


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ten_minutes_of_trouble() -> None:
    reason = missing()
    if reason:
        pytest.skip(reason)
    found = soak(Plan(minutes=10))
    assert found["error"] is None
    assert found["exit_reason"] == "interrupted"
    assert found["unaccounted"] == 0
    assert found["unaccounted_at_outputs"] == 0
    assert found["kills"] > 20
    assert found["freezes"] > 5
    assert found["resizes"] > 5
    course = found["course"]
    assert course["threads"]["last"] <= course["threads"]["first"] + 4, course
    assert course["fds"]["last"] <= course["fds"]["first"] + 4, course
    assert course["rss_mb"]["last"] < course["rss_mb"]["first"] + 40, course
