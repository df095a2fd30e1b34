"""Broken streams through the decode path: nothing may hang, crash, raise an untyped error or leak.

H.264, H.265 and AAC in MPEG-TS, mp4 and raw Annex B; bits flipped, packets lost, out of order and twice, beginnings and
ends missing. Every stream is read from a socket and as a file, in a process that is replaced when it dies.
"""

from __future__ import annotations

import argparse
import json
import queue
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import machine, report
from benchmarks.fuzz_streams import KINDS, pristine
from benchmarks.runs import ROOT

HANG_S = 300.0
"""Longest time for one stream; what takes longer hangs. Most take a tenth of a second, if the machine is quiet."""
STREAMS, QUICK = 2000, 60


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--streams", type=int, default=STREAMS, help=f"how many (default {STREAMS})")
    parser.add_argument("--seed", type=int, default=0, help="another seed breaks the streams in other places")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """All streams, a table, and what went wrong."""
    count = QUICK if given.quick else given.streams
    found: dict[str, Any] = {**machine.header(), **fuzz(range(count), given.seed)}
    show(found)
    return found


def fuzz(numbers: Sequence[int], seed: int = 0, hang_s: float = HANG_S) -> dict[str, Any]:
    """Breaks and reads the streams of these numbers; the record of it."""
    answers: list[dict[str, Any]] = []
    crashed: list[dict[str, Any]] = []
    hung: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, kind in enumerate(KINDS):
            (Path(folder) / str(number)).write_bytes(pristine(kind))
        worker: Worker | None = None
        try:
            for index in numbers:
                worker = worker or Worker(folder, seed)
                answer = worker.ask(index, hang_s)
                if isinstance(answer, dict):
                    answers.append(answer)
                    if len(answers) % 200 == 0:
                        print(f"{len(answers)} of {len(numbers)} streams, {answer['rss_mb']:.0f} MB", flush=True)
                    continue
                if answer is None:
                    hung.append(index)
                else:
                    crashed.append({"index": index, "exit": answer, "said": worker.complaint()})
                worker.end()
                worker = None
        finally:
            if worker is not None:
                worker.end()
    return _judged(len(numbers), seed, answers, crashed, hung)


def _judged(
    count: int, seed: int, answers: list[dict[str, Any]], crashed: list[dict[str, Any]], hung: list[int]
) -> dict[str, Any]:
    readings = [(answer, answer[how]) for answer in answers for how in ("network", "file")]
    faults = [
        {"index": answer["index"], "kind": answer["kind"], "mutations": answer["mutations"], "error": reading["error"]}
        for answer, reading in readings
        if reading["outcome"] == "fault"
    ]
    memory = [answer["rss_mb"] for answer in answers]
    return {
        "streams": count,
        "seed": seed,
        "readings": len(readings),
        "frames": sum(reading["frames"] for _, reading in readings),
        "outcomes": dict(Counter(reading["outcome"] for _, reading in readings)),
        "refusals": dict(Counter(reading["error"] for _, reading in readings if reading["outcome"] == "refused")),
        "hung": hung,
        "crashed": crashed,
        "faults": faults,
        "kinds": {kind.name: _of_kind(answers, kind.name) for kind in KINDS},
        "slowest_s": max((answer["seconds"] for answer in answers), default=0.0),
        "rss_mb": {
            "first": memory[0] if memory else 0.0,
            "last": memory[-1] if memory else 0.0,
            "most": max(memory, default=0.0),
            "lowest_of_each_quarter": [min(quarter) for quarter in _quarters(memory)],
            "every_50_streams": memory[::50],
        },
    }


def _quarters(values: list[float]) -> list[list[float]]:
    """Four parts in order. A broken stream may need much memory for a moment: what counts is where it returns to."""
    edges = [len(values) * part // 4 for part in range(5)]
    return [values[a:b] for a, b in pairwise(edges) if b > a]


def _of_kind(answers: list[dict[str, Any]], name: str) -> dict[str, int]:
    of_kind = [answer for answer in answers if answer["kind"] == name]
    figures = {"streams": len(of_kind)}
    for how in ("network", "file"):
        figures[f"{how}_refused"] = sum(answer[how]["outcome"] == "refused" for answer in of_kind)
        figures[f"{how}_frames"] = sum(answer[how]["frames"] for answer in of_kind)
    return figures


class Worker:
    """A process that reads broken streams until it is broken itself."""

    def __init__(self, folder: str, seed: int) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the process)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz_worker", folder, str(seed)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )
        self._answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def ask(self, index: int, timeout_s: float) -> dict[str, Any] | int | None:
        """What became of a stream; the exit code of a process that died of it; None if it hangs."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{index}\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=timeout_s)
        except BrokenPipeError:
            line = None
        except queue.Empty:
            return None
        if line is None:
            return self._process.wait()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def complaint(self) -> str:
        """The end of what it wrote to standard error."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace")[-2000:]

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                pipe.close()


def show(found: dict[str, Any]) -> None:
    """Prints the table."""
    print(f"\n{machine.sentence(found)}; {found['streams']} streams, seed {found['seed']}\n")
    columns = ("stream", "streams", "refused from a socket", "pictures", "refused as a file", "pictures")
    rows = [
        (
            name,
            kind["streams"],
            kind["network_refused"],
            kind["network_frames"],
            kind["file_refused"],
            kind["file_frames"],
        )
        for name, kind in found["kinds"].items()
    ]
    print(report.table(columns, rows))
    memory = found["rss_mb"]
    print(f"\nhung {len(found['hung'])}, crashed {len(found['crashed'])}, untyped errors {len(found['faults'])}")
    lowest = ", ".join(f"{value:.0f}" for value in memory["lowest_of_each_quarter"])
    print(
        f"memory: lowest of each quarter {lowest} MB, most {memory['most']:.0f} MB; slowest {found['slowest_s']:.1f} s"
    )
