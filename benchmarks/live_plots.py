"""Plots of the live benchmarks: latencies, memory and threads over time, streams until the first drop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, report

_COLOURS = {"relay": "#9ca3af", "enhanced": "#d97706"}
_DARK = "#4b7399"


def plot(found: dict[str, Any], runs: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    """Writes ``live-latency.png``, ``live-course.png`` and ``live-streams.png``."""
    _latency(found, runs, folder)
    _course(found, folder)
    _streams(found, folder)


def _latency(found: dict[str, Any], runs: dict[str, list[dict[str, Any]]], folder: Path) -> None:
    made, (left, right) = report.figure(10, 4.0, columns=2)
    for name, several in runs.items():
        delays = np.sort([delay for each in several for delay in each["delays_ms"][0]])
        left.plot(delays, 100 * np.arange(1, len(delays) + 1) / len(delays), color=_COLOURS[name], label=name)
        last = several[-1]
        right.plot(last["arrivals_s"][0], last["delays_ms"][0], color=_COLOURS[name], linewidth=0.8, label=name)
    left.axvline(_limit(found), color=_DARK, linestyle="--", linewidth=1, label="median of the relay + goal")
    left.set_xlabel("milliseconds from camera to viewer")
    left.set_ylabel("per cent of pictures")
    left.set_ylim(0, 100)
    right.set_xlabel("seconds")
    right.set_ylabel("milliseconds from camera to viewer")
    right.set_ylim(bottom=0)
    for axis in (left, right):
        axis.legend(frameon=False, fontsize=8)
    _sign(made, found)
    report.save_figure(made, folder, "live-latency")


def _limit(found: dict[str, Any]) -> float:
    relay: dict[str, float] = found["one"]["relay"]["delays_ms"]
    return relay["p50"] + float(found["added"]["goal_ms"])


def _course(found: dict[str, Any], folder: Path) -> None:
    made, (left, right) = report.figure(10, 3.4, columns=2)
    for name, row in found["one"].items():
        seconds = [sample["s"] for sample in row["samples"]]
        left.plot(seconds, [sample["rss_mb"] for sample in row["samples"]], color=_COLOURS[name], label=name)
        right.plot(seconds, [sample["threads"] for sample in row["samples"]], color=_COLOURS[name], label=name)
    left.set_ylabel("resident memory, MB")
    right.set_ylabel("threads")
    for axis in (left, right):
        axis.set_xlabel("seconds")
        axis.set_ylim(bottom=0)
        axis.legend(frameon=False, fontsize=8)
    _sign(made, found)
    report.save_figure(made, folder, "live-course")


def _streams(found: dict[str, Any], folder: Path) -> None:
    many = found["many"]
    made, (left, right) = report.figure(10, 3.4, columns=2)
    streams = [row["streams"] for row in many]
    for share, style in (("p50", "o-"), ("p95", "o--"), ("p99", "o:")):
        left.plot(
            streams, [row["delays_ms"].get(share) for row in many], style, color=_COLOURS["enhanced"], label=share
        )
    left.set_ylabel("milliseconds from camera to viewer")
    left.legend(frameon=False, fontsize=8)
    lost = [100 * row["missing"] / max(1, row["missing"] + row["pictures"]) for row in many]
    right.bar(streams, lost, width=0.6, color=_DARK)
    right.set_ylabel("per cent of pictures missing")
    for axis in (left, right):
        axis.set_xlabel("streams in one process")
        axis.set_xticks(streams)
        axis.set_xlim(0.5, max(streams) + 0.5)
        axis.set_ylim(bottom=0)
    _sign(made, found)
    report.save_figure(made, folder, "live-streams")


def _sign(made: Any, found: dict[str, Any]) -> None:
    text = f"{found['size']} at {found['fps']} fps; {machine.sentence(found)}"
    made.supxlabel(text, fontsize=7, color="#6b7280")
