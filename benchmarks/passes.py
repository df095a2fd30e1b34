"""The parts of the enhancement by themselves, in this process: the fused pass without and with the denoiser, and what
comes before it: thumbnail, network and fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import av
import numpy as np

from benchmarks import report
from benchmarks.clips import ClipSpec, clip
from engines.bundle import load_bundle
from engines.colour import Colour
from engines.curve.cpu import apply
from engines.curve.temporal import denoise
from engines.curve.temporal_history import History
from engines.curve.temporal_motion import BlockMotion
from engines.noise import NoiseModel
from engines.planes import Planes
from engines.thumbnail import sample
from engines.tone_model import ToneModel
from stream.media.pictures import fresh_picture, planes_of
from stream.settings import Settings

THREADS = (1, 2)
MOTIONS = {"none": 0, "pan": 5}
"""In half pixels a frame, to and fro: nothing to search, and every block searched and most of them interpolated."""


def measure(specs: Sequence[ClipSpec], bundle: str, sci: str, quick: bool) -> dict[str, Any]:
    """Median, p95 and p99 in ms: the fused pass for each size and thread count, and what comes before it."""
    repeats = 5 if quick else 200
    passes = [
        {"size": spec.name, "threads": threads, **_fused_pass(spec, bundle, threads, repeats)}
        for spec in specs
        for threads in THREADS
    ]
    denoised = [
        {"size": spec.name, "motion": motion, "threads": threads}
        | denoised_pass(spec, bundle, threads, quarters, repeats)
        for spec in specs
        for motion, quarters in MOTIONS.items()
        for threads in THREADS
    ]
    spec = next((s for s in specs if s.height == 1080), specs[-1])
    _, planes = _picture(spec)
    every = Settings.model_fields["network_every"].default
    before = {name: _before(planes, name, 5 if quick else 100) for name in (bundle, sci)}
    for parts in before.values():
        parts["per_frame_ms"] = parts["thumbnail"]["mean_ms"] + parts["model"]["mean_ms"] / every
    return {
        "fused_pass": passes,
        "denoised_pass": denoised,
        "before_the_pass": before,
        "network_every": every,
        "size": spec.name,
    }


def _fused_pass(spec: ClipSpec, bundle: str, threads: int, repeats: int) -> dict[str, float]:
    picture, planes = _picture(spec)
    grid = ToneModel(load_bundle(bundle))(sample(planes))
    # Four pictures in turn: a result never lands in the cache lines that the one before it left behind.
    outs = cycle([planes_of(fresh_picture(picture), planes.colour) for _ in range(4)])
    return _timed(lambda: apply(planes, grid, next(outs), threads), repeats)


def denoised_pass(spec: ClipSpec, bundle: str, threads: int, halves: int, repeats: int) -> dict[str, float]:
    """With the estimate of the noise, on one frame moved to and fro."""
    picture, planes = _picture(spec)
    grid = ToneModel(load_bundle(bundle))(sample(planes))
    outs = cycle([planes_of(fresh_picture(picture), planes.colour) for _ in range(4)])
    still = BlockMotion.still(planes.width, planes.height)
    left, right = (
        BlockMotion(still.dx + np.int16(quarters), still.dy, still.confidence) for quarters in (-2 * halves, 2 * halves)
    )
    moved = [_moved(planes, shift) for shift in (0, halves, 2 * halves, halves)]
    steps = cycle(zip(moved, (right, left, left, right), strict=True))
    history, noise, last = History(), NoiseModel(), next(outs)
    apply(planes, grid, last, threads)

    def step() -> None:
        nonlocal last
        (now, motion), out = next(steps), next(outs)
        noise.update(now)
        denoise(now, grid, out, last, motion, history, noise, 1.0, threads)
        last = out

    return _timed(step, repeats)


def _moved(planes: Planes, halves: int) -> Planes:
    """The picture so many half luma pixels to the right, around the border; chroma to the nearest pixel."""
    y, u, v = (np.ascontiguousarray(plane) for plane in (planes.y, planes.u, planes.v))
    near, far = np.roll(y, halves // 2, 1), np.roll(y, (halves + 1) // 2, 1)
    luma = ((near.astype(np.uint16) + far + 1) // 2).astype(np.uint8)
    return Planes(luma, np.roll(u, halves // 4, 1), np.roll(v, halves // 4, 1), planes.colour)


def _before(planes: Planes, bundle: str, repeats: int) -> dict[str, Any]:
    model, thumbnail = ToneModel(load_bundle(bundle)), sample(planes)
    return {
        "thumbnail": _timed(lambda: sample(planes), repeats),
        "model": _timed(lambda: model(thumbnail), repeats),
        "kind": model.card.kind,
    }


def _picture(spec: ClipSpec) -> tuple[av.VideoFrame, Planes]:
    """A frame from the middle of the clip."""
    with av.open(str(clip(spec))) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == spec.frames // 2:
                return frame, planes_of(frame, Colour())
    raise RuntimeError(f"the {spec.name} clip is shorter than {spec.frames} frames: delete it and run again")


def _timed(work: Callable[[], object], repeats: int) -> dict[str, float]:
    """Milliseconds of wall time; the first calls are not counted."""
    for _ in range(3):
        work()
    times = np.empty(repeats)
    cpu = time.process_time()
    for index in range(repeats):
        start = time.perf_counter()
        work()
        times[index] = time.perf_counter() - start
    cpu = time.process_time() - cpu
    p5, p50, p95, p99 = 1e3 * np.percentile(times, (5, 50, 95, 99))
    return {
        "p5_ms": float(p5),
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "p99_ms": float(p99),
        "mean_ms": 1e3 * float(times.mean()),
        "cpu_ms": 1e3 * cpu / repeats,
    }


def show(found: dict[str, Any]) -> None:
    """Prints the tables."""
    print("\nThe fused pass by itself\n")
    headings = ["size", "threads", "median ms", "p95 ms", "p99 ms", "CPU ms"]
    keys = ("size", "threads", "p50_ms", "p95_ms", "p99_ms", "cpu_ms")
    print(report.table(headings, [[row[key] for key in keys] for row in found["fused_pass"]]))
    print("\nThe fused pass with the temporal denoiser and the estimate of the noise\n")
    rows = [[row[key] for key in ("size", "motion", *keys[1:])] for row in found["denoised_pass"]]
    print(report.table(["size", "motion", *headings[1:]], rows))
    print(f"\nBefore the pass, {found['size']}: thumbnail, then the model every {found['network_every']} frames\n")
    headings = ["bundle", "kind", "thumbnail ms", "model ms", "mean a frame ms"]
    print(
        report.table(
            headings,
            [
                (name, parts["kind"], parts["thumbnail"]["mean_ms"], parts["model"]["mean_ms"], parts["per_frame_ms"])
                for name, parts in found["before_the_pass"].items()
            ],
        )
    )
