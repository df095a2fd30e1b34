"""One run from glass to glass on this machine, and what became of each picture.

    camera -> RTSP server -> stream-enhance -> RTSP server -> viewer

Every arrow is a connection over loopback, every box a process of its own. Viewers read the numbers in the pictures.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.live_camera import shown_number
from benchmarks.live_server import RtspServer
from benchmarks.live_watch import Watch
from benchmarks.runs import COMMAND, ROOT

_START_S = 120.0
_END_S = 30.0
WARM_UP_S = 4.0
"""From the first picture at the far end on, which is not measured."""


@dataclass(frozen=True, slots=True)
class Chain:
    """What runs. ``strength`` 0 is the plain relay: decoded and encoded alike, and not enhanced."""

    clip: Path
    fps: int
    clip_frames: int
    strength: float
    streams: int = 1
    seconds: float = 20.0


@dataclass(slots=True)
class Far:
    """One stream at the far end, after the warm-up."""

    delays_ms: list[float] = field(default_factory=list)
    """From leaving the camera to being decoded by the viewer, of every picture that arrived."""
    arrivals_s: list[float] = field(default_factory=list)
    """When, in seconds since the first of them."""
    expected: int = 0
    """Pictures that left the camera between the first and the last that arrived."""
    missing: int = 0
    unreadable: int = 0


def run_chain(chain: Chain) -> dict[str, Any]:
    """Runs it for ``seconds`` after everything stands; the record. Raises RuntimeError where a part fails."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        server = stack.enter_context(RtspServer())
        for index in range(chain.streams):
            camera = folder / f"camera{index}"
            stack.enter_context(start("live_camera", str(chain.clip), server.url(f"/pub/camera{index}"), str(camera)))
            server.wait_for("published", _START_S, path=f"/pub/camera{index}")
        product = _product(stack, chain, server, folder)
        for index in range(chain.streams):
            server.wait_for("published", _START_S, path=f"/pub/far{index}")
            stack.enter_context(start("live_viewer", server.url(f"/pub/far{index}"), str(folder / f"far{index}")))
        for index in range(chain.streams):
            _wait_for_lines(folder / f"far{index}", product)
        watch = Watch(product.pid)
        time.sleep(WARM_UP_S + chain.seconds)
        samples = watch.end()
        product.send_signal(signal.SIGTERM)
        product.wait(_END_S)
        summaries = _summaries(folder)
        fars = [_far(folder / f"camera{n}", folder / f"far{n}", chain) for n in range(chain.streams)]
    return {
        "strength": chain.strength,
        "streams": chain.streams,
        "far": [_figures(far) for far in fars],
        "delays_ms": [far.delays_ms for far in fars],
        "arrivals_s": [far.arrivals_s for far in fars],
        "stages": [summary["figures"]["stages"] for summary in summaries],
        "frames_in": sum(summary["figures"]["frames_in"] for summary in summaries),
        "frames_out": sum(summary["figures"]["frames_out"] for summary in summaries),
        "dropped": _sum([summary["figures"]["dropped"] for summary in summaries]),
        "output_dropped": _sum([out["dropped"] for each in summaries for out in each["figures"]["outputs"]]),
        "cpu_cores": _cores(samples),
        "samples": samples,
    }


def _product(stack: ExitStack, chain: Chain, server: RtspServer, folder: Path) -> subprocess.Popen[bytes]:
    """The real command: one stream from its arguments, several from a file, in one process."""
    summary = folder / "summary.json"
    if chain.streams == 1:
        ends = [server.url("/pub/camera0"), "-o", server.url("/pub/far0")]
        what = [*ends, "--strength", f"{chain.strength:g}", "--json", str(summary)]
    else:
        streams = folder / "streams.yaml"
        streams.write_text(_yaml(chain, server, summary))
        what = ["run", str(streams)]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen([*COMMAND, *what], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    return stack.enter_context(stopped(process))


def _yaml(chain: Chain, server: RtspServer, summary: Path) -> str:
    lines = [f"summary: '{summary}'", f"defaults: {{strength: {chain.strength:g}}}", "streams:"]
    for index in range(chain.streams):
        source, output = server.url(f"/pub/camera{index}"), server.url(f"/pub/far{index}")
        lines.append(f"  camera{index}: {{source: '{source}', outputs: '{output}'}}")
    return "\n".join(lines) + "\n"


def start(module: str, *arguments: str) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """A part of the chain, until left."""
    return stopped(
        subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )


@contextmanager
def stopped(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Killed at the end of the block, if it still runs then."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _wait_for_lines(log: Path, product: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while not (log.exists() and log.stat().st_size):
        if product.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"no picture reached {log.name}, and the command said: {_said(log.parent)}")
        time.sleep(0.1)


def _cores(samples: list[dict[str, float]]) -> float:
    """CPU seconds of the product per second, after the warm-up."""
    kept = [sample for sample in samples if sample["s"] >= WARM_UP_S]
    if len(kept) < 2:
        return 0.0
    return (kept[-1]["cpu_s"] - kept[0]["cpu_s"]) / (kept[-1]["s"] - kept[0]["s"])


def _summaries(folder: Path) -> list[dict[str, Any]]:
    """Of all streams. Raises RuntimeError where the command left none."""
    path = folder / "summary.json"
    if not path.exists():
        raise RuntimeError(f"the command left no summary and said: {_said(folder)}")
    found = json.loads(path.read_text())
    return found if isinstance(found, list) else [found]


def _said(folder: Path) -> str:
    return (folder / "said").read_text(errors="replace")[-2000:]


def _sum(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for count in counts:
        for cause, number in count.items():
            total[cause] = total.get(cause, 0) + number
    return total


def _far(camera: Path, far: Path, chain: Chain) -> Far:
    """Match what arrived with what had left."""
    sent = _lines(camera)
    seen = _lines(far)
    found = Far()
    if not len(seen) or not len(sent):
        return found
    seen = seen[seen[:, 2] >= seen[0, 2] + WARM_UP_S]
    left_at, numbers = sent[:, 1], set[int]()
    for shown, _, decoded in seen:
        if shown < 0:
            found.unreadable += 1
            continue
        latest = int(np.searchsorted(left_at, decoded)) - 1
        number = shown_number(int(shown), chain.clip_frames, latest)
        if number < 0:
            continue
        numbers.add(number)
        found.delays_ms.append(round(1e3 * float(decoded - left_at[number]), 3))
        found.arrivals_s.append(round(float(decoded - seen[0, 2]), 3))
    if numbers:
        found.expected = max(numbers) - min(numbers) + 1
        found.missing = found.expected - len(numbers) - found.unreadable
    return found


def _lines(log: Path) -> NDArray[np.float64]:
    """Complete lines; the last one may have been cut by the end."""
    rows = [line.split() for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return np.array(rows, float)


def _figures(far: Far) -> dict[str, Any]:
    figures: dict[str, Any] = {"pictures": len(far.delays_ms), "expected": far.expected}
    figures |= {"missing": far.missing, "unreadable": far.unreadable}
    if far.delays_ms:
        p50, p95, p99 = np.percentile(far.delays_ms, (50, 95, 99))
        figures |= {"p50_ms": float(p50), "p95_ms": float(p95), "p99_ms": float(p99), "most_ms": max(far.delays_ms)}
    return figures
