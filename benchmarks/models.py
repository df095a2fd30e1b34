"""Every system of the papers: size, computing, export and cost in ONNX Runtime; writes docs/models.md.

Results merge into models.json row by row, so the run can be cut into pieces with ``--only`` and ``--parts``; timings
want a quiet machine. ``--parts`` without values measures nothing and writes the page anew. PSNR and SSIM come from the
tables beside models.json (see `models_quality`): ablations, tables of ``python -m training evaluate`` in the folder
``papers``, and what ``--runs FOLDER`` gathers there from finished trainings.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import machine, models_page, models_quality, report

PARTS = ("count", "export", "time")
PAGE = Path(__file__).parent.parent / "docs" / "models.md"
_SMALL: dict[str, dict[str, Any]] = {"sci": {}, "zero-dce": {"channels": 4}}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these rows only, as drbn or drbn-skf (default: all)")
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="what to measure (default: all)")
    parser.add_argument(
        "--limit",
        type=float,
        default=60.0,
        help="longest 1080p frame, or tile of one, in seconds",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of a 1080p frame (default 2); thumbnails: one")
    parser.add_argument("--runs", type=Path, help="trainings whose last figures go into papers/trainings.json")
    parser.add_argument("--page", type=Path, help="the page to write (default docs/models.md, or beside other results)")


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Measures, merges into what was measured before, writes the page."""
    from benchmarks.model_costs import KEYS, measured

    unknown = set(given.only or ()) - set(KEYS)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(KEYS)}")
    folder: Path = given.results
    path = folder / "models.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"rows": {}}
    for key in (given.only or (_SMALL if given.quick else KEYS)) if given.parts else ():
        limit = 0.0 if given.quick else given.limit
        row = measured(key, tuple(given.parts), given.threads, limit, _SMALL.get(key) if given.quick else None)
        print(f"{key}: {json.dumps({name: value for name, value in row.items() if name != 'conditions'})}", flush=True)
        found["rows"][key] = found["rows"].get(key, {}) | row
        found["rows"] = {name: found["rows"][name] for name in KEYS if name in found["rows"]}
        found |= {"versions": machine.versions()}
        report.save(folder, "models", found)
    if given.runs:
        report.save(folder / "papers", "trainings", models_quality.gathered(given.runs))
    page: Path = given.page or (PAGE if folder == report.RESULTS else folder / "models.md")
    page.write_text(models_page.page(found, models_quality.quality(folder)), encoding="utf-8")
    print(page)
    return found
