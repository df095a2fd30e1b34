"""Writes the figures of ``benchmarks/results`` into README.md, between its two markers. Nothing is typed by hand."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import machine, quality, report
from benchmarks.runs import ROOT

BEGIN, END = "<!-- figures: python -m benchmarks readme -->", "<!-- end of figures -->"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=report.RESULTS)
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")


def run(given: argparse.Namespace) -> None:
    """Replaces the part between the markers. Raises SystemExit where they or the results are missing."""
    text = given.readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{given.readme} lacks the markers {BEGIN} and {END}")
    parts = [write(given.results) for write in (_throughput, _others, _quality)]
    head, rest = text.split(BEGIN, 1)
    tail = rest.split(END, 1)[1]
    body = "\n\n".join(part for part in parts if part)
    given.readme.write_text(f"{head}{BEGIN}\n{body}\n{END}{tail}", encoding="utf-8")
    print(f"{given.readme} carries the figures of {given.results}")


def _load(folder: Path, name: str) -> dict[str, Any] | None:
    path = folder / f"{name}.json"
    if not path.exists():
        print(f"{path} is missing: its figures are left out")
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _throughput(folder: Path) -> str:
    found = _load(folder, "throughput")
    if found is None:
        return ""
    ratio, rows = found["ratio"], found["rows"]
    enhanced = next(row for row in rows if row["name"] == "enhanced")
    ours, stage = enhanced["wall_ms_per_frame"], enhanced["stages"]["enhance"]
    lines = [
        (row["name"], row["cpu_ms_per_frame"], row["fps"], f"{row['wall_ms_per_frame'] / ours:.2f}x") for row in rows
    ]
    clip, alone = found["clip"], found["passes"]
    fused = {(row["size"], row["threads"]): row["p50_ms"] for row in alone["fused_pass"]}
    size, threads = alone["size"], max(row["threads"] for row in alone["fused_pass"])
    before = alone["before_the_pass"]
    sizes = report.table(
        ["CPU ms/frame", "codec only", "codec only, same pictures", "enhanced", "ratio, dark", "ratio, same pictures"],
        [
            (s["spec"], s["codec_cpu_ms"], s["matched_cpu_ms"], s["enhanced_cpu_ms"], s["dark"], s["same_pictures"])
            for s in found["sizes"]
        ],
    )
    return (
        f"**Speed.** {machine.sentence(found)}; {clip['width']}x{clip['height']} H.264 with sensor noise to H.264 "
        f"({found['encoder']}), medians of up to {found['rounds']} interleaved runs:\n\n"
        f"{report.table(['', 'CPU ms/frame', 'fps', 'time against ours'], lines)}\n\n"
        f"CPU time of codec-only / enhanced: **{ratio['same_pictures']:.3f}** when the encoder gets the same bright "
        f"pictures, **{ratio['dark']:.3f}** against encoding the dark frames as they are. The second is lower because "
        f"brightened noise costs the encoder more, whatever brightens it; the enhancement itself counts "
        f"{1e3 * stage['cpu_s'] / stage['count']:.1f} ms of CPU time a frame in its own thread. The fused pass alone "
        f"takes {fused[size, threads]:.2f} ms at {size} on {threads} threads, thumbnail and network "
        f"{next(iter(before.values()))['per_frame_ms']:.2f} ms.\n\n{sizes}"
    )


def _others(folder: Path) -> str:
    startup, memory = _load(folder, "startup"), _load(folder, "memory")
    parts = []
    if startup:
        parts.append(
            f"**Start.** First enhanced frame {startup['warm_median_s']:.2f} s after the command, "
            f"{startup['cold_median_s']:.2f} s when the kernels were never compiled on this machine."
        )
    if memory:
        long = memory["long"]
        parts.append(
            f"**Memory.** Peak {memory['short']['peak_mb']:.0f} MB for a 1080p file, {long['peak_mb']:.0f} MB over "
            f"{long['minutes']:g} minutes of 1080p ({' '.join(long['options'])}) with a slope of "
            f"{long['slope_mb_per_minute']:+.2f} MB a minute."
        )
    return " ".join(parts)


def _quality(folder: Path) -> str:
    found = _load(folder, "quality")
    if found is None:
        return ""
    return (
        f"**Quality.** {found['pairs']} held-out pairs of real exposure brackets, 8-bit RGB, means. No "
        f"training run saw them, but the settings, and the run that ships, were chosen by their PSNR. GT-mean columns "
        f"brighten each result to its reference first, which needs the reference:\n\n{quality.lines(found)}"
    )
