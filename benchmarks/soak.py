"""Months of trouble in an hour: a server that is killed, frozen and changes its pictures, hundreds of times.

A small fast stream is read, enhanced, published back to the same server and recorded in segments. Whatever happens,
frames have to be back soon after the server is, every frame has to be accounted for, and nothing may grow.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks import live_page, machine, report
from benchmarks.live_server import RtspServer, missing
from benchmarks.live_watch import FIGURES, Watch, slopes
from benchmarks.runs import ROOT

KILLS, FREEZES, RESIZES, FRAMES = 200, 50, 50, 100_000
BACK_GOAL_S = 1.0
LONGEST_BACKOFF_S = 0.5
_SIZES = ((320, 180), (256, 144), (352, 288))
_FPS = 100
_START_S = 120.0
_BACK_LIMIT_S = 60.0
"""Frames that are not back by then never come."""
_LOOK_S = 0.04


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=KILLS, help=f"of the server (default {KILLS})")
    parser.add_argument("--freezes", type=int, default=FREEZES, help=f"of the server (default {FREEZES})")
    parser.add_argument("--resizes", type=int, default=RESIZES, help=f"in mid-stream (default {RESIZES})")
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"at least (default {FRAMES})")
    parser.add_argument("--minutes", type=float, help="end after so many, whatever is left (default: when all is done)")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """The soak, its table, its plot, its part of the page."""
    reason = missing()
    if reason:
        sys.exit(f"error: {reason}")
    if given.quick:
        given.kills, given.freezes, given.resizes, given.frames, given.minutes = 8, 3, 2, 600, 2.0
    plan = Plan(given.kills, given.freezes, given.resizes, given.frames, given.minutes)
    found = {**machine.header(), **soak(plan)}
    show(found)
    _plot(found, given.results)
    report.save(given.results, "soak", found)
    live_page.rewrite(given.results)
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to happen before the end; ``minutes`` ends it earlier."""

    kills: int = KILLS
    freezes: int = FREEZES
    resizes: int = RESIZES
    frames: int = FRAMES
    minutes: float | None = None
    keep: str = "20MB"
    """Of the recordings; with more than they take every picture of them is counted at the end."""

    def events(self) -> list[str]:
        """All events in order, each kind spread evenly, so that an early end has seen all of them."""
        counts = {"kill": self.kills, "freeze": self.freezes, "resize": self.resizes}
        placed = [((index + 0.5) / count, kind) for kind, count in counts.items() for index in range(count)]
        return [kind for _, kind in sorted(placed)]


class Worker:
    """The process that is soaked."""

    def __init__(self, arguments: list[str], complaints: Path) -> None:
        with complaints.open("w") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.soak_worker", *arguments],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )
        self.pid = self._process.pid
        self.most_in_flight = 0
        """Of all figures so far. Raises RuntimeError in ``stats`` where it is below 0."""
        self._complaints = complaints

    def stats(self) -> dict[str, Any]:
        """Figures of this moment. Raises RuntimeError when the process is gone or its run has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the run died: {self._complaints.read_text()[-2000:]}")
        figures: dict[str, Any] = json.loads(line)
        self.most_in_flight = max(self.most_in_flight, figures["in_flight"])
        if figures["in_flight"] < 0:
            raise RuntimeError(f"more came out than went in: {figures}")
        if figures["ended"]:
            raise RuntimeError(f"the run ended by itself: {figures}")
        return figures

    def end(self) -> dict[str, Any]:
        """Ends the run; its summary."""
        out, _ = self._process.communicate(timeout=60)
        summary: dict[str, Any] = json.loads(out.splitlines()[-1])
        return summary

    def kill(self) -> None:
        """At once."""
        self._process.kill()
        self._process.wait()


def soak(plan: Plan, seed: int = 0) -> dict[str, Any]:
    """Runs the plan; the record."""
    random_, began = random.Random(seed), time.monotonic()
    todo = plan.events()
    per_event = plan.frames // max(1, len(todo))
    done, back = dict.fromkeys(("kill", "freeze", "resize"), 0), list[dict[str, Any]]()
    between = list[int]()
    with tempfile.TemporaryDirectory() as folder, RtspServer(width=320, height=180, fps=_FPS, kbit=600) as server:
        outputs = [server.url("/pub/soak"), str(Path(folder) / "recorded")]
        Path(outputs[1]).mkdir()
        worker = Worker(["--keep", plan.keep, server.url("/h264"), *outputs], Path(folder) / "said")
        try:
            _until_more(worker, 1, _START_S)
            watch = Watch(worker.pid, every_s=1.0)
            for number, what in enumerate(todo):
                if plan.minutes is not None and time.monotonic() - began > 60 * plan.minutes:
                    break
                between.append(_until_more(worker, per_event, per_event / _FPS * 3, where="frames_in"))
                seconds = _trouble(server, what, random_, worker)
                done[what] += 1
                if seconds is not None:
                    back.append({"after": what, "s": round(seconds, 3)})
                if number % 10 == 9:
                    _say(worker, number + 1, len(todo), back)
            samples = watch.end()
            summary, in_flight = worker.end(), worker.most_in_flight
        finally:
            worker.kill()
        pictures = _recorded(Path(outputs[1]))
    return {
        **_judged(done, back, samples, summary, time.monotonic() - began),
        "least_frames_between_events": min(between, default=0),
        "most_in_flight": in_flight,
        "pictures_in_recordings": pictures,
    }


def _trouble(server: RtspServer, what: str, random_: random.Random, worker: Worker) -> float | None:
    """One event; seconds from when the server was back until frames were, None where it was not away."""
    width, height = random_.choice(_SIZES)
    before = worker.stats()["generation"]
    if what == "resize":
        server.resize(width, height)
        return None
    if what == "kill":
        server.kill()
        time.sleep(random_.choice((0.0, 0.3, 1.0)))
        server.restart(width=width, height=height)
    else:
        server.freeze()
        time.sleep(random_.choice((0.2, 0.7, 1.5, 3.0)))
        server.thaw()
    at = time.monotonic()
    if what == "kill":
        _until_connected_anew(worker, before)
    _until_more(worker, 1, _BACK_LIMIT_S, must=True)
    return time.monotonic() - at


def _until_connected_anew(worker: Worker, before: int) -> None:
    """Wait for the first frame of a later connection. Raises RuntimeError where none comes."""
    deadline = time.monotonic() + _BACK_LIMIT_S
    while (figures := worker.stats())["generation"] <= before:
        if time.monotonic() > deadline:
            raise RuntimeError(f"no connection came back: {figures}")
        time.sleep(_LOOK_S)


def _until_more(worker: Worker, frames: int, timeout_s: float, where: str = "frames_out", must: bool = False) -> int:
    """Wait for so many more frames; how many came. Raises RuntimeError where they ``must`` come and do not."""
    first, deadline = worker.stats()[where], time.monotonic() + timeout_s
    while (figures := worker.stats())[where] < first + frames:
        if time.monotonic() > deadline:
            if must:
                raise RuntimeError(f"frames did not come back: {figures}")
            break
        time.sleep(_LOOK_S)
    return int(figures[where] - first)


def _recorded(folder: Path) -> int:
    """Pictures that can be decoded from all the files there."""
    count = 0
    for path in sorted(folder.iterdir()):
        with av.open(str(path)) as container:
            count += sum(1 for _ in container.decode(video=0))
    return count


def _say(worker: Worker, number: int, of: int, back: list[dict[str, Any]]) -> None:
    figures = worker.stats()
    latest = back[-1]["s"] if back else 0.0
    print(f"{number} of {of} events, {figures['frames_out']} frames, last back after {latest:.2f} s", flush=True)


def _judged(
    done: dict[str, int],
    back: list[dict[str, Any]],
    samples: list[dict[str, float]],
    summary: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    figures = summary["figures"]
    seconds_back = [event["s"] for event in back] or [0.0]
    p50, p95 = (float(np.percentile(seconds_back, share)) for share in (50, 95))
    return {
        "kills": done["kill"],
        "freezes": done["freeze"],
        "resizes": done["resize"],
        "seconds": seconds,
        "longest_backoff_s": LONGEST_BACKOFF_S,
        "back_s": {
            "p50": p50,
            "p95": p95,
            "most": max(seconds_back),
            "later_than_goal": sum(value > BACK_GOAL_S for value in seconds_back),
            "goal": BACK_GOAL_S,
        },
        "events": back,
        "exit_reason": summary["exit_reason"],
        "error": summary["error"],
        "figures": {name: value for name, value in figures.items() if name != "stages"},
        "unaccounted": figures["frames_in"] - figures["frames_out"] - sum(figures["dropped"].values()),
        "unaccounted_at_outputs": sum(
            output["offered"] - output["written"] - sum(output["dropped"].values()) for output in figures["outputs"]
        ),
        "not_offered_to_outputs": sum(
            figures["frames_out"] + figures["notices"] - output["offered"] for output in figures["outputs"]
        ),
        "longest_pause_s": summary["longest_pause_s"],
        "course": slopes(samples),
        "samples": samples,
    }


def show(found: dict[str, Any]) -> None:
    """Prints the table."""
    figures, back = found["figures"], found["back_s"]
    print(f"\n{machine.sentence(found)}; {found['seconds'] / 60:.1f} minutes\n")
    print(f"{found['kills']} kills, {found['freezes']} freezes, {found['resizes']} changes of size in mid-stream")
    print(f"{figures['frames_in']} frames in, {figures['frames_out']} out, dropped {figures['dropped']}")
    print(f"unaccounted: {found['unaccounted']}, at outputs {found['unaccounted_at_outputs']}")
    print(f"frames back after {back['p50']:.2f} s (p95 {back['p95']:.2f}, most {back['most']:.2f})\n")
    columns = ("of the process", "first", "last", "most", "growth an hour")
    course = found["course"]
    print(report.table(columns, [(name, *course[name].values()) for name in FIGURES if name in course]))


def _plot(found: dict[str, Any], folder: Path) -> None:
    made, (left, right) = report.figure(10, 3.6, columns=2)
    minutes = [sample["s"] / 60 for sample in found["samples"]]
    for name, colour, label in (
        ("rss_mb", "#d97706", "MB"),
        ("threads", "#4b7399", "threads"),
        ("fds", "#9ca3af", "file descriptors"),
    ):
        left.plot(minutes, [sample[name] for sample in found["samples"]], color=colour, label=label)
    left.set_xlabel("minutes")
    left.set_ylim(bottom=0)
    left.legend(frameon=False, fontsize=8)
    for kind, colour in (("kill", "#d97706"), ("freeze", "#4b7399")):
        seconds = [event["s"] for event in found["events"] if event["after"] == kind]
        right.hist(seconds, bins=np.arange(0, 3.05, 0.05), color=colour, alpha=0.7, label=f"after a {kind}")
    right.set_xlabel("seconds from the server being back until frames were")
    right.set_ylabel("events")
    right.legend(frameon=False, fontsize=8)
    made.supxlabel(machine.sentence(found), fontsize=7, color="#6b7280")
    report.save_figure(made, folder, "soak")
