"""Every network through parse and build of the TensorRT that is here; writes the table of docs/tensorrt.md.

TensorRT-RTX builds without a GPU, so this runs anywhere. Results merge into engines.json model by model, so the run can
be cut into pieces with ``--only``; what was never run is "not tried". ``--only`` without names writes the page anew.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import engines_page, machine, report
from engines.precision.census import PRECISIONS

PAGE = Path(__file__).parent.parent / "docs" / "tensorrt.md"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="*", metavar="NAME", help="these models only (default: all)")
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--flavour", choices=("tensorrt-rtx", "tensorrt"), default="tensorrt-rtx")
    parser.add_argument("--limit", type=float, default=900.0, help="longest build that is waited for, in seconds")
    parser.add_argument(
        "--sam", type=Path, help="folder with a SAM: encoder.onnx, decoder.onnx, decoder-published.onnx (default: none)"
    )
    parser.add_argument("--again", action="store_true", help="also what was built before")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Builds, merges into what was built before, writes the page."""
    from benchmarks.engine_builds import measured
    from benchmarks.engine_models import KEYS, obtain
    from engines.tensorrt.flavour import find

    wanted = ["sci-bundle"] if given.quick else KEYS if given.only is None else given.only
    unknown = set(wanted) - set(KEYS)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(KEYS)}")
    path: Path = given.results / "engines.json"
    flavour = find(given.flavour)
    for key in wanted:
        row = _read(path)["rows"].get(key, {})
        missing = [name for name in given.precisions if given.again or f"{flavour} {name}" not in row]
        if not missing:
            continue
        model = obtain(key, given.sam)
        if isinstance(model, str):
            _save(path, {key: {"model": model}}, KEYS)
            continue
        for precision in missing:
            record = measured(model.path, model.card, precision, given.flavour, model.sizes, given.limit)
            print(f"{key} {precision}: {json.dumps(record)}", flush=True)
            _save(path, {key: {"model": model.note, f"{flavour} {precision}": record}}, KEYS)
    found = _read(path)
    page = PAGE if given.results == report.RESULTS else given.results / "tensorrt.md"
    text = PAGE.read_text(encoding="utf-8")
    page.write_text(engines_page.with_table(text, found, KEYS), encoding="utf-8")
    print(page)
    return found


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"rows": {}}
    return found


def _save(path: Path, rows: dict[str, dict[str, Any]], keys: Sequence[str]) -> None:
    """Adds to what is there now: several runs may be at work on different models."""
    found = _read(path)
    for key, row in rows.items():
        found["rows"][key] = found["rows"].get(key, {}) | row
    found["rows"] = {name: found["rows"][name] for name in keys if name in found["rows"]}
    found |= {"versions": machine.versions(), "conditions": machine.header()}
    report.save(path.parent, path.stem, found)
