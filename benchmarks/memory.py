"""Memory of the real command: its peak for a 1080p file, and its course over a long one.

The long file repeats the packets of the 1080p clip, so making it costs nothing; it is encoded with the fastest preset
and a coarse quality, because the question is whether memory grows, not how fast the encoder is.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks import machine, report
from benchmarks.clips import SIZES, TINY, clip, scratch
from benchmarks.runs import COMMAND, ROOT

GOAL_MB = 450.0
_SETTLED = 0.2
"""Share of a run after which memory should no longer grow: the slope is taken from there."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the long file (default 10)")
    parser.add_argument("--bundle", default="curve", help="bundle that enhances")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Both runs, a table and a plot."""
    spec = TINY if given.quick else SIZES["1080p"]
    found: dict[str, Any] = {**machine.header(), "clip": spec.name, "goal_mb": GOAL_MB}
    path = clip(spec)
    minutes = 0.1 if given.quick else given.minutes
    long = _repeated(path, minutes)
    try:
        found["short"] = _watch(path, given.bundle)
        found["long"] = {"minutes": minutes, **_watch(long, given.bundle, "--preset", "ultrafast", "--crf", "38")}
    finally:
        long.unlink()
    found["long"]["slope_mb_per_minute"] = _slope(found["long"]["samples"])
    show(found)
    _plot(found, given.results)
    return found


def _repeated(path: Path, minutes: float) -> Path:
    """A file of about ``minutes`` that holds the clip's packets again and again."""
    long = scratch() / f"long-{path.stem}.mp4"
    with av.open(str(long), "w") as target:
        stream, shift, end = None, 0, 0
        while stream is None or end * stream[1] < 60 * minutes:
            with av.open(str(path)) as source:
                video = source.streams.video[0]
                assert video.time_base is not None
                if stream is None:
                    stream = target.add_stream_from_template(video), Fraction(video.time_base)
                for packet in source.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream[0]
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.time_base = stream[1]
                    target.mux(packet)
            shift = end
    return long


def _watch(path: Path, bundle: str, *options: str) -> dict[str, Any]:
    """Runs the command on a file and samples its resident memory twice a second."""
    import psutil

    out = scratch() / "memory.mp4"
    command = [*COMMAND, str(path), str(out), "--model", bundle, "--overwrite", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    watched = psutil.Process(process.pid)
    started, samples, peak = time.monotonic(), [], 0.0
    while True:
        finished, status = os.waitpid(process.pid, os.WNOHANG)
        if finished:
            break
        with suppress(psutil.NoSuchProcess):
            samples.append((round(time.monotonic() - started, 2), watched.memory_info().rss / 1e6))
            peak = max(peak, samples[-1][1], _high_water_mb(process.pid))
        if len(samples) % 40 == 0:
            print(f"{path.name}: {samples[-1][0]:.0f} s, {samples[-1][1]:.0f} MB", flush=True)
        time.sleep(0.5)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    frames = _frames(out)
    out.unlink()
    return {
        "peak_mb": peak,
        "frames": frames,
        "seconds": samples[-1][0] if samples else 0.0,
        "options": list(options),
        "samples": samples,
    }


def _high_water_mb(process: int) -> float:
    """The most that was ever resident; 0 where the system does not tell.

    ``ru_maxrss`` of a child begins with that of its parent, from before the child became another program.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.video[0].frames


def _slope(samples: list[tuple[float, float]]) -> float:
    """MB a minute over the settled part, least squares."""
    settled = np.array(samples[int(_SETTLED * len(samples)) :])
    if len(settled) < 3:
        return 0.0
    return 60 * float(np.polyfit(settled[:, 0], settled[:, 1], 1)[0])


def show(found: dict[str, Any]) -> None:
    """Prints the table."""
    long = found["long"]
    print(f"\n{machine.sentence(found)}; {found['clip']}\n")
    columns = ("file", "frames", "took s", "peak MB", "slope MB/minute")
    rows = [
        (
            "the clip, default encoder settings",
            found["short"]["frames"],
            found["short"]["seconds"],
            found["short"]["peak_mb"],
            None,
        ),
        (
            f"{long['minutes']:g} minutes, {' '.join(long['options'])}",
            long["frames"],
            long["seconds"],
            long["peak_mb"],
            long["slope_mb_per_minute"],
        ),
    ]
    print(report.table(columns, rows))
    print(f"\ngoal: {found['goal_mb']:g} MB and flat; the slope leaves out the first {100 * _SETTLED:.0f} % of the run")


def _plot(found: dict[str, Any], folder: Path) -> None:
    samples = np.array(found["long"]["samples"] or [(0.0, 0.0)])
    made, axis = report.figure(8, 3.2)
    axis.plot(samples[:, 0], samples[:, 1], color="#d97706")
    axis.axhline(found["goal_mb"], color="#9ca3af", linestyle="--", linewidth=1)
    axis.text(0, found["goal_mb"], " goal", va="bottom", fontsize=8, color="#6b7280")
    axis.set_ylim(bottom=0)
    axis.set_xlabel("seconds")
    axis.set_ylabel("resident memory, MB")
    axis.set_title(f"{found['long']['minutes']:g} minutes of {found['clip']}", loc="left", fontsize=11)
    made.supxlabel(machine.sentence(found), fontsize=7, color="#6b7280")
    report.save_figure(made, folder, "memory")
