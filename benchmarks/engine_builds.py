"""One model through one TensorRT in one precision: does it parse and build, how large, how long, does the file agree?

``python -m benchmarks.engine_builds MODEL.onnx CARD.json PRECISION FLAVOUR SIZES`` prints a JSON record. It is a
process of its own, so that a builder that crashes or takes too long ends nothing else.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from engines.bundle import Bundle, Card
from engines.errors import EngineError
from engines.onnx_runtime import open_engine
from engines.precision.agreement import LIMITS, Run, compare
from engines.precision.census import PRECISIONS, Census, Precision, count
from engines.precision.half import to_half
from engines.precision.pictures import Floats, feeds
from engines.precision.quantised import to_int8
from engines.tensorrt.build import build
from engines.tensorrt.flavour import Name, find
from engines.tensorrt.shapes import THUMBNAILS, Profile, profiles
from engines.tensorrt.stated import usual_shapes

SAM = "sam"


def measured(model: Path, card: Path, precision: str, flavour: str, sizes: int, limit_s: float) -> dict[str, Any]:
    """The record of one build. ``sizes``: number of the usual thumbnails it is for; ``limit_s`` ends it."""
    command = [sys.executable, "-m", "benchmarks.engine_builds", model, card, precision, flavour, str(sizes)]
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"not done after {limit_s:.0f} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        return {"error": f"ended with {done.returncode}: {done.stderr.strip()[-200:]}"}
    record: dict[str, Any] = json.loads(lines[-1])
    return record


def main(arguments: list[str]) -> int:
    model, card_path, precision, flavour, sizes = arguments
    card = Card.from_json(Path(card_path).read_text(encoding="utf-8"))
    bundle = Bundle(Path(card_path).parent, card, Path(model).read_bytes())
    ranges = profiles(card, sizes=THUMBNAILS[: int(sizes)], free=False)
    if precision not in PRECISIONS or flavour not in get_args(Name):
        raise SystemExit(f"unknown: {precision} {flavour}")
    print(json.dumps(_record(bundle, Path(model), precision, flavour, ranges)), flush=True)  # type: ignore[arg-type]
    return 0


def _record(bundle: Bundle, path: Path, precision: Precision, flavour: Name, ranges: list[Profile]) -> dict[str, Any]:
    record: dict[str, Any] = {"profiles": len(ranges), "onnx_megabytes": len(bundle.model) / 1e6}
    begun = time.perf_counter()
    try:
        content = _converted(bundle, precision, ranges)
        stated = count(content)
        record |= {"stated": str(stated), "convert_seconds": round(time.perf_counter() - begun, 1)}
        built = build(find(flavour), content, ranges, path=str(path))
    except EngineError as error:
        return record | {"error": f"{type(error).__name__}: {error}"[:600]}
    record |= {"megabytes": len(built.plan) / 1e6, "build_seconds": round(built.seconds, 1)}
    record |= {"parsed": str(built.census), "kept": _kept(stated, built.census)}
    if precision != "fp32":
        record |= _agreement(bundle, content, precision, ranges)
    return record


def _kept(stated: Census, parsed: Census) -> bool:
    """Whether as much was parsed in fp16 and int8 as the file states."""
    return parsed.fp16 >= stated.fp16 and parsed.int8 >= stated.int8


def _converted(bundle: Bundle, precision: Precision, ranges: list[Profile]) -> bytes:
    if precision == "fp32":
        return bundle.model
    if precision == "fp16":
        return to_half(bundle.model)
    return to_int8(bundle.model, (feed for _, feed in _seen(bundle, ranges, seed=1)))


def _agreement(bundle: Bundle, content: bytes, precision: Precision, ranges: list[Profile]) -> dict[str, Any]:
    """The file against fp32, both in ONNX Runtime on the CPU."""
    try:
        one, two = open_engine(bundle), open_engine(replace(bundle, model=content), as_stated=True)
        grid = bundle.card.kind == "grid"
        if bundle.card.system == SAM:
            return _relative(one.infer, two.infer, _seen(bundle, ranges, seed=0))
        found = compare(one.infer, two.infer, _seen(bundle, ranges, seed=0), grid)
    except EngineError as error:
        return {"check_error": str(error)[:300]}
    finite = not found.broken
    return {
        "p99": round(found.p99, 3) if finite else None,
        "worst": round(found.worst, 2) if finite else None,
        "broken": found.broken,
        "passed": found.passes(LIMITS[precision]),
    }


def _seen(bundle: Bundle, ranges: list[Profile], seed: int) -> Iterator[tuple[str, dict[str, Floats]]]:
    """What it is run on: made-up pictures; for the two halves of SAM random numbers such as they get."""
    if bundle.card.system != SAM:
        yield from feeds(usual_shapes(ranges), bundle.card.kind == "grid", seed=seed)
        return
    rng = np.random.default_rng(seed)
    for _ in range(2):
        feed = {name: np.zeros(limits.opt, np.float32) for name, limits in ranges[0].items()}
        first = next(iter(feed))
        feed[first] = rng.standard_normal(feed[first].shape, dtype=np.float32)
        if "point_coords" in feed:
            feed["point_coords"] = rng.uniform(0, 1024, feed["point_coords"].shape).astype(np.float32)
            feed["point_labels"][:] = (1, -1)
        yield "random", feed


def _relative(one: Run, two: Run, seen: Iterator[tuple[str, dict[str, Floats]]]) -> dict[str, Any]:
    """The 99th percentile of the difference as a share of the largest value; there is no picture to count codes in."""
    shares = [0.0]
    for _, feed in seen:
        expected, found = one(feed), two(feed)
        for name, right in expected.items():
            share = np.percentile(np.abs(found[name] - right), 99) / max(1e-9, float(np.abs(right).max()))
            shares.append(float(share) if np.isfinite(found[name]).all() else float("inf"))
    return {"relative_p99": max(shares)} if np.isfinite(shares).all() else {"relative_p99": None}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
