"""Plots of the throughput figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import machine, report

_OURS, _CODEC, _PEER = "#d97706", "#9ca3af", "#4b7399"


def plot_rows(found: dict[str, Any], folder: Path) -> None:
    """Wall time a frame of every row, logarithmic, ours in its own colour."""
    rows = found["rows"]
    made, axis = report.figure(9, 0.42 * len(rows) + 1.2)
    values = [row["cpu_ms_per_frame"] for row in rows]
    colours = [
        _OURS if row["name"].startswith("enhanced") else _CODEC if row["name"].startswith("codec") else _PEER
        for row in rows
    ]
    axis.barh(range(len(rows)), values, color=colours, height=0.66)
    for index, value in enumerate(values):
        axis.text(value * 1.03, index, f"{value:.0f}" if value >= 100 else f"{value:.1f}", va="center", fontsize=9)
    axis.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axis.invert_yaxis()
    axis.set_xscale("log")
    axis.set_xlabel("CPU milliseconds a frame, decoding and encoding included (logarithmic)")
    axis.set_title(f"{found['clip']['width']}x{found['clip']['height']} H.264 to H.264", loc="left", fontsize=11)
    made.supxlabel(machine.sentence(found), fontsize=7, color="#6b7280")
    report.save_figure(made, folder, "throughput")


def plot_sizes(found: dict[str, Any], folder: Path) -> None:
    """CPU time against pixels: codec with the same pictures, and what the enhancement adds; and the fused pass."""
    sizes = found["sizes"]
    made, (left, right) = report.figure(10, 4.0, columns=2)
    pixels = [size["pixels"] / 1e6 for size in sizes]
    left.plot(pixels, [size["codec_cpu_ms"] for size in sizes], "o--", color=_CODEC, label="codec only, dark frames")
    left.plot(pixels, [size["matched_cpu_ms"] for size in sizes], "o-", color=_CODEC, label="codec only, same pictures")
    left.plot(pixels, [size["enhanced_cpu_ms"] for size in sizes], "o-", color=_OURS, label="enhanced")
    left.set_ylabel("CPU milliseconds a frame")
    left.legend(frameon=False, fontsize=8)
    at = {size["spec"]: size["pixels"] / 1e6 for size in sizes}
    for threads, style in ((1, "o--"), (2, "o-")):
        rows = [row for row in found["passes"]["fused_pass"] if row["threads"] == threads and row["size"] in at]
        right.plot(
            [at[row["size"]] for row in rows],
            [row["p50_ms"] for row in rows],
            style,
            color=_OURS,
            label=f"fused pass, {threads} thread{'s' if threads > 1 else ''}",
        )
    right.set_ylabel("milliseconds, median")
    right.legend(frameon=False, fontsize=8)
    for axis in (left, right):
        axis.set_xlabel("megapixels")
        axis.set_xlim(left=0)
        axis.set_ylim(bottom=0)
    made.supxlabel(machine.sentence(found), fontsize=7, color="#6b7280")
    report.save_figure(made, folder, "throughput-sizes")
