"""How long one waits for the first enhanced frame after typing the command, and where that time goes.

The real command line runs on the 1080p clip in a process of its own; a probe stamps the moment when the interpreter
stands, when the command's code is imported and when the first enhanced frame reaches the encoder, then ends it. Warm is
the everyday case; cold means that no compiled kernel is cached, as at the very first start after an installation
without ``stream-enhance warm``. Files are in the system's page cache either way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine, report
from benchmarks.clips import SIZES, TINY, clip, scratch
from benchmarks.runs import ROOT

GOAL_S = 2.0
_PROBE = """
import json, os, sys, time
stamps = {"interpreter": time.time()}
from stream.cli import main
from stream.media.sinks.file import FileSink
stamps["imports"] = time.time()
answer = int(sys.argv[1])
def first_frame(self, frame):
    stamps["first frame"] = time.time()
    os.write(answer, json.dumps(stamps).encode())
    os._exit(0)
FileSink.write = first_frame
sys.argv = ["stream-enhance", *sys.argv[2:]]
sys.exit(main())
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=9, help="warm starts (default 9); cold ones are a third of it")
    parser.add_argument("--bundle", default="curve", help="bundle that enhances")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Warm and cold starts; medians."""
    spec = TINY if given.quick else SIZES["1080p"]
    found: dict[str, Any] = {**machine.header(), "clip": spec.name, "goal_s": GOAL_S}
    path = clip(spec)
    warm_runs, cold_runs = (1, 1) if given.quick else (given.runs, max(1, given.runs // 3))
    with tempfile.TemporaryDirectory() as kept:
        _start(path, given.bundle, kept)
        found["warm"] = [_start(path, given.bundle, kept) for _ in range(warm_runs)]
    found["cold"] = []
    for _ in range(cold_runs):
        with tempfile.TemporaryDirectory() as empty:
            found["cold"].append(_start(path, given.bundle, empty))
    for state in ("warm", "cold"):
        found[f"{state}_median_s"] = median(start["first frame"] for start in found[state])
    show(found)
    return found


def _start(path: Path, bundle: str, kernels: str) -> dict[str, float]:
    """Seconds from the command to each stamp, with compiled kernels kept in the folder ``kernels``."""
    out = scratch() / "startup.mp4"
    out.unlink(missing_ok=True)
    read, write = os.pipe()
    command = [sys.executable, "-c", _PROBE, str(write), str(path), str(out), "--model", bundle, "--overwrite"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": kernels}
    typed = time.time()
    process = subprocess.Popen(
        command, env=environment, cwd=ROOT, pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    os.close(write)
    _, complaint = process.communicate(timeout=300)
    with os.fdopen(read) as pipe:
        stamps = pipe.read()
    for left in out.parent.glob(f"*{out.stem}*"):
        left.unlink()
    if not stamps:
        raise RuntimeError(f"the command ended before its first frame:\n{complaint.decode()[-2000:]}")
    return {name: at - typed for name, at in json.loads(stamps).items()}


def show(found: dict[str, Any]) -> None:
    """Prints the table."""
    print(f"\n{machine.sentence(found)}; {found['clip']}, medians\n")
    columns = ("start", "runs", "interpreter s", "imports s", "first enhanced frame s", "slowest s")
    lines = []
    for state, kernels in (("warm", "kernels cached"), ("cold", "kernels compiled anew")):
        starts = found[state]
        at = [median(start[stamp] for start in starts) for stamp in ("interpreter", "imports", "first frame")]
        lines.append((f"{state}, {kernels}", len(starts), *at, max(start["first frame"] for start in starts)))
    print(report.table(columns, lines))
    print(f"\ngoal: {found['goal_s']:g} s")
