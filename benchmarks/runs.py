"""Starts measured runs as processes of their own and gathers them: interleaved, repeated, medians."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.clips import scratch
from benchmarks.machine import ffmpeg_binary
from benchmarks.peers import ENCODER_OPTIONS

ROOT = Path(__file__).parent.parent
COMMAND = (sys.executable, "-c", "import sys; from stream.cli import main; sys.exit(main())")
"""The ``stream-enhance`` of this interpreter, whatever PATH says."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a name and how to run it. ``rounds`` limits how often, for what is slow."""

    name: str
    arguments: tuple[str, ...]
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """All runs of a row, medians over them."""

    row: Row
    runs: list[dict[str, Any]] = field(repr=False)

    def per_frame_ms(self, what: str = "cpu_s") -> float:
        """Median milliseconds a frame of ``cpu_s`` or ``wall_s``."""
        return median([1e3 * float(run[what]) / int(run["frames"]) for run in self.runs])

    @property
    def fps(self) -> float:
        return median([int(run["frames"]) / float(run["wall_s"]) for run in self.runs])

    @property
    def spread(self) -> float:
        """(Largest - smallest) / median of the CPU time: how far the runs disagree."""
        times = [float(run["cpu_s"]) / int(run["frames"]) for run in self.runs]
        return (max(times) - min(times)) / median(times)

    def middle_run(self) -> dict[str, Any]:
        """The run whose CPU time is the (lower) median."""
        return sorted(self.runs, key=lambda run: run["cpu_s"])[(len(self.runs) - 1) // 2]

    def summary(self) -> dict[str, Any]:
        """What the JSON file keeps of a row."""
        kept = ("cpu_s", "wall_s", "process_cpu_s", "peak_rss_mb", "bytes_out")
        return {
            "name": self.row.name,
            # Where the clips lie on this machine says nothing to a reader; their names say what they are.
            "arguments": [Path(word).name if Path(word).is_absolute() else word for word in self.row.arguments],
            "frames": self.runs[0]["frames"],
            "cpu_ms_per_frame": self.per_frame_ms(),
            "wall_ms_per_frame": self.per_frame_ms("wall_s"),
            "fps": self.fps,
            "spread": self.spread,
            "runs": [{key: run[key] for key in kept if key in run} for run in self.runs],
            "stages": self.middle_run().get("stages", {}),
        }


def interleaved(rows: Sequence[Row], rounds: int, label: str) -> list[Measured]:
    """Runs all rows in turn, ``rounds`` times over, so that a drift of the machine meets all of them alike.

    Raises RuntimeError with the output of a run that failed.
    """
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    started = time.monotonic()
    for turn in range(rounds):
        for row in rows:
            if row.rounds is not None and turn >= row.rounds:
                continue
            run = _ffmpeg(row.arguments) if row.arguments[0] == "ffmpeg" else _worker(row.arguments)
            found[row.name].append(run)
            print(
                f"{label} {turn + 1}/{rounds}  {row.name:<44} {1e3 * run['cpu_s'] / run['frames']:7.2f} ms CPU/frame "
                f"{run['frames'] / run['wall_s']:7.1f} fps  ({time.monotonic() - started:.0f} s)",
                flush=True,
            )
    return [Measured(row, found[row.name]) for row in rows]


def _worker(arguments: Sequence[str]) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker", *arguments], capture_output=True, text=True, cwd=ROOT
    )
    if run.returncode != 0:
        raise RuntimeError(f"benchmarks.worker {' '.join(arguments)} failed:\n{run.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def ffmpeg_row(name: str, clip: Path, frames: int, filters: str | None, rounds: int | None = None) -> Row:
    """The ``ffmpeg`` command line with a filter, same encoder settings; its frames are those of the clip."""
    video = ("-vf", filters) if filters else ()
    encoder = (
        "-c:v",
        "libx264",
        *(part for key, value in ENCODER_OPTIONS.items() for part in (f"-{key}", value)),
        "-an",
    )
    return Row(name, ("ffmpeg", str(frames), "-i", str(clip), *video, *encoder, str(scratch() / "out.mp4")), rounds)


def _ffmpeg(arguments: Sequence[str]) -> dict[str, Any]:
    binary = ffmpeg_binary()
    assert binary is not None
    start = time.perf_counter()
    process = subprocess.Popen(
        [binary, "-nostdin", "-loglevel", "error", "-y", *arguments[2:]], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"ffmpeg {' '.join(arguments[2:])} ended with {process.returncode}")
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "frames": int(arguments[1]),
        "cpu_s": cpu,
        "process_cpu_s": cpu,
        "wall_s": time.perf_counter() - start,
        "bytes_out": Path(arguments[-1]).stat().st_size,
    }
