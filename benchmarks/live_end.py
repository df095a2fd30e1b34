"""From SIGTERM to the end of the process: of a live command that publishes over RTSP and records an MP4 file.

The clock stops when the process is gone: frames in flight are written, the file is finalised and plays, the server was
told. Each run is ended at another moment between two key frames.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from threading import Timer
from typing import Any

import av
import numpy as np

from benchmarks import machine
from benchmarks.live_chain import start, stopped
from benchmarks.live_server import RtspServer
from benchmarks.runs import COMMAND, ROOT

GOAL_S = 2.0
_START_S = 120.0
_RUN_S = 4.0
_STEP_S = 0.37
"""By which each run is longer than the one before: no whole number of key frames."""
_HANGS_S = 60.0


def measure(clip: Path, runs: int) -> dict[str, Any]:
    """So many runs. Raises RuntimeError where one does not end as it should, or leaves a file that does not play."""
    seconds = list[float]()
    pictures = list[int]()
    for index in range(runs):
        took, played = _one(clip, _RUN_S + index * _STEP_S)
        print(f"ended {took:.2f} s after SIGTERM, {played} pictures in the file", flush=True)
        seconds.append(round(took, 3))
        pictures.append(played)
    return {
        **machine.header(),
        "runs": runs,
        "seconds": seconds,
        "pictures": pictures,
        "median_s": float(np.median(seconds)),
        "worst_s": max(seconds),
        "goal_s": GOAL_S,
        "met": max(seconds) <= GOAL_S,
    }


def _one(clip: Path, run_s: float) -> tuple[float, int]:
    """Seconds from the signal to the end, and the pictures of the file."""
    with tempfile.TemporaryDirectory() as scratch, RtspServer() as server:
        folder = Path(scratch)
        recorded, summary = folder / "recorded.mp4", folder / "summary.json"
        with start("live_camera", str(clip), server.url("/pub/camera0"), str(folder / "camera0")):
            server.wait_for("published", _START_S, path="/pub/camera0")
            ends = [server.url("/pub/camera0"), "-o", server.url("/pub/far0"), "-o", str(recorded)]
            with (folder / "said").open("wb") as said:
                process = subprocess.Popen(
                    [*COMMAND, *ends, "--json", str(summary)],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                )
            with stopped(process):
                server.wait_for("published", _START_S, path="/pub/far0")
                time.sleep(run_s)
                took = _terminated(process)
        if process.returncode != 128 + signal.SIGTERM:
            raise RuntimeError(f"the command ended with {process.returncode}: {(folder / 'said').read_text()[-2000:]}")
        played = _pictures(recorded)
        outputs = json.loads(summary.read_text())["figures"]["outputs"]
        written = next(output["written"] for output in outputs if output["uri"].endswith(recorded.name))
        if not played or played != written:
            raise RuntimeError(f"the file has {played} pictures, and {written} were written")
    return took, played


def _terminated(process: subprocess.Popen[bytes]) -> float:
    """Without a time limit ``wait`` returns at once when the process is gone; with one it looks now and then."""
    hangs = Timer(_HANGS_S, process.kill)
    hangs.start()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait()
    took = time.monotonic() - began
    hangs.cancel()
    return took


def _pictures(file: Path) -> int:
    with av.open(str(file)) as container:
        return sum(1 for _ in container.decode(video=0))
