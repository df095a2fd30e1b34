"""Latency of live streams from glass to glass over loopback, against a plain relay; and how many streams hold.

The relay is the same command with strength 0 between the same camera, server and viewer, so what is added is the
enhancement. Both take turns. Everything, cameras, server and viewers included, shares the cores of this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import live_end, live_page, live_plots, machine, report
from benchmarks.live_camera import numbered_clip
from benchmarks.live_chain import Chain, run_chain
from benchmarks.live_server import missing
from benchmarks.live_watch import slopes

GOAL_INTERVALS = 2
"""Added latency at p95, in times between two frames."""
RELAY, ENHANCED = "relay", "enhanced"
_STRENGTH = {RELAY: 0.0, ENHANCED: 1.0}
_CLIP_S = 20.0
_QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3, help="relay and enhanced, one after the other (default 3)")
    parser.add_argument("--seconds", type=float, default=30.0, help="measured in each run (default 30)")
    parser.add_argument("--size", default="1280x720", help="of the pictures (default 1280x720)")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--mbit", type=float, default=3.0, help="of the camera, a second (default 3)")
    parser.add_argument("--most-streams", type=int, default=8, help="try up to so many at a time (default 8)")
    parser.add_argument("--ends", type=int, default=9, help="runs that are ended by SIGTERM (default 9)")
    parser.add_argument("--only-ends", action="store_true", help="measure nothing else; the other figures stay")
    parser.add_argument("--page", type=Path, help="where the page goes (default docs/live-benchmarks.md)")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """All runs, tables, plots, the page."""
    reason = missing()
    if reason:
        sys.exit(f"error: {reason}")
    if given.quick:
        given.size, given.rounds, given.seconds, given.most_streams, given.mbit = "320x180", 1, 4.0, 2, 0.6
        given.ends = 2
    width, height = (int(side) for side in given.size.split("x"))
    clip = numbered_clip(width, height, given.fps, _CLIP_S, given.mbit)
    if given.only_ends:
        return _ends_renewed(given, clip)
    found: dict[str, Any] = {
        **machine.header(),
        "size": given.size,
        "fps": given.fps,
        "mbit_per_s": given.mbit,
        "seconds": given.seconds,
        "rounds": given.rounds,
    }

    def chain(strength: float, streams: int = 1) -> dict[str, Any]:
        print(f"{streams} x strength {strength:g} ...", flush=True)
        return run_chain(Chain(clip, given.fps, round(_CLIP_S * given.fps), strength, streams, given.seconds))

    runs = {RELAY: [], ENHANCED: []}  # type: dict[str, list[dict[str, Any]]]
    for _ in range(given.rounds):
        for name, several in runs.items():
            several.append(chain(_STRENGTH[name]))
    found["one"] = {name: _together(several) for name, several in runs.items()}
    found["added"] = _added(runs, given.fps)
    found["many"] = []
    for streams in range(1, given.most_streams + 1):
        found["many"].append(_of_many(chain(_STRENGTH[ENHANCED], streams)))
        if not _held(found["many"][-1]):
            break
    found["streams_without_a_drop"] = sum(_held(many) for many in found["many"])
    found["end"] = live_end.measure(clip, given.ends)
    show(found)
    live_plots.plot(found, runs, given.results)
    if not given.quick or given.page:
        live_page.write(found, given.page or live_page.PAGE, given.results)
    return found


def _ends_renewed(given: argparse.Namespace, clip: Path) -> dict[str, Any]:
    """The figures of before with another measurement of the end."""
    file = given.results / "live.json"
    before: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    found = {**before, "end": live_end.measure(clip, given.ends)}
    print(f"\n{live_page.end_sentence(found['end'])}")
    if "one" in before and not given.quick:
        live_page.write(found, given.page or live_page.PAGE, given.results)
    return found


def _together(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """All rounds of one row."""
    delays = [delay for each in runs for delay in each["delays_ms"][0]]
    fars = [each["far"][0] for each in runs]
    samples = runs[-1]["samples"]
    return {
        "delays_ms": _quantiles(delays),
        "rounds_p95_ms": [far.get("p95_ms") for far in fars],
        "pictures": sum(far["pictures"] for far in fars),
        "missing": sum(far["missing"] for far in fars),
        "unreadable": sum(far["unreadable"] for far in fars),
        "dropped": _dropped(runs),
        "cpu_cores": float(np.mean([each["cpu_cores"] for each in runs])),
        "stages": runs[-1]["stages"][0],
        "course": slopes(samples),
        "samples": samples,
    }


def _dropped(runs: list[dict[str, Any]]) -> dict[str, int]:
    """By cause, over the whole runs, the warm-up included."""
    total: dict[str, int] = {}
    for each in runs:
        for cause, count in each["dropped"].items():
            total[cause] = total.get(cause, 0) + count
    return total


def _quantiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    found = {f"p{share}": float(np.percentile(values, share)) for share in _QUANTILES}
    return {**found, "mean": float(np.mean(values)), "most": max(values)}


def _added(runs: dict[str, list[dict[str, Any]]], fps: int) -> dict[str, Any]:
    """What the enhancement adds to the relay's median, at each quantile, and the goal."""
    relay, enhanced = (
        _quantiles([delay for each in runs[name] for delay in each["delays_ms"][0]]) for name in (RELAY, ENHANCED)
    )
    goal = 1000.0 * GOAL_INTERVALS / fps
    missing_pictures = sum(each["far"][0]["missing"] for each in runs[ENHANCED])
    added = {share: enhanced[share] - relay["p50"] for share in ("p50", "p95", "p99")}
    return {
        **added,
        "goal_ms": goal,
        "met": added["p95"] <= goal and not missing_pictures,
        "missing": missing_pictures,
    }


def _of_many(found: dict[str, Any]) -> dict[str, Any]:
    delays = [delay for several in found["delays_ms"] for delay in several]
    return {
        "streams": found["streams"],
        "pictures": sum(far["pictures"] for far in found["far"]),
        "missing": sum(far["missing"] for far in found["far"]),
        "unreadable": sum(far["unreadable"] for far in found["far"]),
        "dropped": found["dropped"],
        "delays_ms": _quantiles(delays),
        "cpu_cores": found["cpu_cores"],
        "rss_mb": max((sample["rss_mb"] for sample in found["samples"]), default=0.0),
        "threads": max((sample["threads"] for sample in found["samples"]), default=0.0),
    }


def _held(many: dict[str, Any]) -> bool:
    """Whether every picture arrived, once all were warm."""
    return bool(many["pictures"]) and not many["missing"] and not many["unreadable"]


def show(found: dict[str, Any]) -> None:
    """Prints the tables."""
    print(f"\n{machine.sentence(found)}; {found['size']} at {found['fps']} fps, H.264 to H.264\n")
    print(live_page.latency_table(found))
    print(f"\nadded {live_page.added(found)['p95']:.1f} ms at p95 to the relay's median")
    print(f"goal: {found['added']['goal_ms']:.0f} ms and no picture missing: {live_page.verdict(found)}\n")
    print(live_page.stage_table(found))
    print()
    print(live_page.streams_table(found))
    print(f"\n{live_page.end_sentence(found['end'])}")
    print(f"\n{found['streams_without_a_drop']} streams without a drop; plots and JSON in {report.RESULTS.name}/")
