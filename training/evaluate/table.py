"""The table of an evaluation: for programs as JSON, for people as Markdown; every column says its convention.

JSON: ``name`` of the data, ``pictures``, ``paired``, ``gt_mean`` (null, or which), ``gt_ratio`` (models that were told
the light ratio), ``metrics`` (column -> convention), ``notes``, the conditions, and ``rows``, each with ``model``,
``semantics`` and its figures (null: not to be had).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data import Pair, Subject
from training.evaluate.conditions import conditions
from training.evaluate.gt_ratio import MEANING
from training.evaluate.measure import Measures, measure
from training.evaluate.models import Model, open_method
from training.evaluate.sheet import Cells
from training.metrics import GT_MEAN, VARIANTS

_SUFFIX = "_gt_mean"


@dataclass(frozen=True, slots=True)
class Named:
    """A model and the name of its row."""

    name: str
    model: Model


def open_models(names: Sequence[str], **options: Any) -> list[Named]:
    """``MODEL`` or ``NAME=MODEL`` each, with the options of `open_method`. Raises ``ValueError`` for a name twice."""
    found: list[Named] = []
    for text in names:
        label, _, place = text.rpartition("=")
        label = label or (place if place == "input" or place.startswith("full:") else Path(place).stem)
        if label in [named.name for named in found]:
            raise ValueError(f"two models are called {label}: name one of them, as in OTHER={place}")
        found.append(Named(label, open_method(place, **options)))
    return found


def evaluate(
    models: Sequence[Named | str],
    subjects: Sequence[Subject],
    name: str,
    show: bool = True,
    *,
    measures: Measures | None = None,
    notes: Sequence[str] = (),
    device: str = "cpu",
    cells: Cells | None = None,
) -> dict[str, Any]:
    """Figures of all models as one JSON-ready table; ``cells`` gathers the results that the sheet shows."""
    measures = measures or Measures()
    opened = [open_models([model])[0] if isinstance(model, str) else model for model in models]
    rows: list[dict[str, Any]] = []
    remarks = list(notes)
    for named in opened:
        done = measure(
            named.model, subjects, named.name, show, measures=measures, keep=cells.chosen if cells is not None else ()
        )
        if cells is not None:
            cells.add(named.name, done.kept)
        if "niqe" in done.figures and done.with_niqe < len(subjects):
            remarks.append(f"{named.name}: NIQE over {done.with_niqe} of {len(subjects)} pictures, others lack texture")
        figures = {key: None if math.isnan(value) else value for key, value in done.figures.items()}
        rows.append({"model": named.name, "semantics": named.model.semantics} | figures)
    paired = isinstance(subjects[0], Pair)
    gt_mean = measures.gt_mean if paired else None
    columns = [key for key in rows[0] if key not in ("model", "semantics")]
    return {
        "name": name,
        "pictures": len(subjects),
        "paired": paired,
        "gt_mean": gt_mean and GT_MEAN[gt_mean],
        "gt_ratio": [named.name for named in opened if named.model.told is not None] if paired else [],
        "metrics": {key: _convention(key) for key in columns},
        "notes": remarks,
        **conditions(device),
        "rows": rows,
    }


def _convention(column: str) -> str:
    if column.endswith(_SUFFIX):
        return f"{VARIANTS[column.removesuffix(_SUFFIX)]}; after GT-mean"
    return VARIANTS[column]


def heading(table: Mapping[str, Any]) -> str:
    """What was measured, in one line; says whether GT-mean was used, and which models were told the light ratio."""
    if not table["paired"]:
        return f"{table['name']}: {table['pictures']} pictures without targets, 8-bit RGB"
    correction = f"with GT-mean: {table['gt_mean']}" if table["gt_mean"] else "without GT-mean"
    told = f", with {MEANING}: {', '.join(table['gt_ratio'])}" if table["gt_ratio"] else ""
    return f"{table['name']}: {table['pictures']} pairs, 8-bit RGB, means, {correction}{told}"


def markdown(table: Mapping[str, Any]) -> str:
    """The whole table as a page of its own."""
    columns = list(table["metrics"])
    titles = [column.replace(_SUFFIX, ", GT-mean").replace("_", " ") for column in columns]
    lines = [f"# {heading(table)}", "", _line(["model", *titles, "semantics"]), _line(["---"] * (len(columns) + 2))]
    for row in table["rows"]:
        figures = [figure(column, row[column]) for column in columns]
        lines.append(_line([row["model"], *figures, row["semantics"]]))
    raw = [(t, key) for t, key in zip(titles, columns, strict=True) if not key.endswith(_SUFFIX)]
    lines += ["", *(f"- {title}: {table['metrics'][key]}" for title, key in raw)]
    if table["gt_mean"]:
        lines.append("- GT-mean needs the reference, which no camera has: such figures only match tables that use it")
    if table["gt_ratio"]:
        lines.append("- The light ratio comes from the reference, which no camera has, as in KinD's published test")
    lines.append("- semantics: whether a model was told what is where in the picture; not given means zeros")
    lines += [f"- {note}" for note in table["notes"]]
    versions = ", ".join(f"{package} {number}" for package, number in table["versions"].items())
    commit = f", commit {table['commit']}" if "commit" in table else ""
    return "\n".join([*lines, "", f"{table['device']}, {table['date']}{commit}; {versions}", ""])


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def figure(column: str, value: float | None) -> str:
    """A figure with as many digits as mean something."""
    if value is None:
        return "–"
    return f"{value:.2f}" if column.startswith(("psnr", "niqe")) else f"{value:.3f}"
