"""What the parts that work in time cost a frame, by themselves: smoothing of the grid, flow, regions carried along, and
the pass with the denoiser.

All in one process, in turn on every frame, as in a run: each finds the caches as the others leave them. On a machine
that others use too, read the CPU time: wall time counts their turns. Flow and smoothing look at thumbnails, so size
matters to the pass alone. The clip of the night street has little motion; for
``pan`` its pictures slide by three pixels of the thumbnail a frame.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks import machine, passes, report
from benchmarks.clips import SIZES, TINY, ClipSpec, clip
from engines.bundle import load_bundle
from engines.colour import Colour
from engines.curve.grid import CELL
from engines.thumbnail import Thumbnail, sample
from engines.tone_model import ToneModel
from stream.media.pictures import planes_of
from stream.vision.carry import cell_means
from stream.vision.motion import MotionEstimator
from stream.vision.regions import Segmentation
from stream.vision.scene import preview
from stream.vision.smoothing import GridSmoother
from stream.vision.tracker import RegionTracker

THREADS = 2
MOTIONS = {"none": 0, "pan": 3}
"""Pixels of the thumbnail a frame."""
_FRAMES, _SETTLING = 60, 10
_GOALS_MS = {"smoothing": 0.5, "flow + propagation": 2.0, "pass with denoiser, 1080p": 4.0}

Times = dict[str, list[tuple[float, float]]]
"""Wall and CPU time of each call, in ms."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="how often the clip is gone through (default 5)")
    parser.add_argument("--bundle", default="curve", help="bundle that decides the grids")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Median, p95 and p99 of every stage in ms."""
    started = machine.header()
    spec = TINY if given.quick else SIZES["720p"]
    model, rounds = ToneModel(load_bundle(given.bundle)), 1 if given.quick else given.rounds
    thumbnails = list(_thumbnails(spec))
    rows: list[dict[str, Any]] = [
        {"stage": stage, "motion": motion, **figures}
        for motion, pixels in MOTIONS.items()
        for stage, figures in _in_time(model, thumbnails, pixels, rounds).items()
    ]
    for size in [TINY] if given.quick else [SIZES["720p"], SIZES["1080p"]]:
        for motion, halves in passes.MOTIONS.items():
            figures = passes.denoised_pass(size, given.bundle, THREADS, halves, 5 if given.quick else 40 * rounds)
            rows.append({"stage": f"pass with denoiser, {size.name}", "motion": motion, "threads": THREADS, **figures})
    found: dict[str, Any] = {**started, "clip": spec.name, "rounds": rounds, "goals_ms": _GOALS_MS, "rows": rows}
    show(found)
    return found


def _thumbnails(spec: ClipSpec) -> Iterator[Thumbnail]:
    with av.open(str(clip(spec))) as container:
        for frame in islice(container.decode(video=0), _FRAMES):
            yield sample(planes_of(frame, Colour()))


def _in_time(model: ToneModel, thumbnails: list[Thumbnail], pixels: int, rounds: int) -> dict[str, dict[str, float]]:
    """Figures of each stage over all frames but the first ones, which fill caches and find no state to work on."""
    times: Times = {}
    for _ in range(rounds):
        smoother, estimator, tracker = GridSmoother(), MotionEstimator(), RegionTracker()
        grid = model(thumbnails[0])
        here: Times = {}
        for number, thumbnail in enumerate(thumbnails):
            y = np.ascontiguousarray(np.roll(thumbnail.y, number * pixels, 1))
            u, v = np.roll(thumbnail.u, number * pixels, 1), np.roll(thumbnail.v, number * pixels, 1)
            moved = Thumbnail(y, u, v, thumbnail.matrix)
            wish, shown = model(moved), preview(y, grid)
            with _timed(here, "flow"):
                motion = estimator.step(shown)
            with _timed(here, "propagation"):
                tracker.step(motion, 0.04)
            if number == 1:
                tracker.accept(_blocks(y.shape), tracker.expect())
            with _timed(here, "smoothing"):
                grid = smoother.step(wish, cell_means(y, y.shape[0] // CELL, y.shape[1] // CELL), 0.04, motion)
        pairs = zip(here["flow"], here["propagation"], strict=True)
        here["flow + propagation"] = [(a + b, cpu_a + cpu_b) for (a, cpu_a), (b, cpu_b) in pairs]
        for stage, values in here.items():
            times.setdefault(stage, []).extend(values[_SETTLING:])
    return {stage: _figures(values) for stage, values in times.items()}


@contextmanager
def _timed(times: Times, stage: str) -> Iterator[None]:
    start, cpu = time.perf_counter(), time.thread_time()
    yield
    cpu = time.thread_time() - cpu
    times.setdefault(stage, []).append((1e3 * (time.perf_counter() - start), 1e3 * cpu))


def _figures(values: list[tuple[float, float]]) -> dict[str, float]:
    wall, cpu = zip(*values, strict=True)
    p5, p50, p95, p99 = (float(value) for value in np.percentile(wall, (5, 50, 95, 99)))
    return {"p5_ms": p5, "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "cpu_ms": float(np.median(cpu))}


def _blocks(shape: tuple[int, ...]) -> Segmentation:
    """Sixteen regions, as a segmenter might have found them."""
    rows, columns = np.indices((shape[0], shape[1]))
    ids: NDArray[np.uint8] = (1 + rows * 4 // shape[0] * 4 + columns * 4 // shape[1]).astype(np.uint8)
    return Segmentation(ids)


def show(found: dict[str, Any]) -> None:
    """Prints the table."""
    print(f"\n{machine.sentence(found)}; thumbnails of the {found['clip']} clip, {found['rounds']} rounds\n")
    headings = ["stage", "motion", "threads", "goal ms", "quietest 5 % ms", "median ms", "p95 ms", "p99 ms", "CPU ms"]
    goals, keys = found["goals_ms"], ("p5_ms", "p50_ms", "p95_ms", "p99_ms", "cpu_ms")
    lines = [
        (row["stage"], row["motion"], row.get("threads", 1), goals.get(row["stage"]), *(row[key] for key in keys))
        for row in found["rows"]
    ]
    print(report.table(headings, lines))
