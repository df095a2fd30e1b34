"""The table of docs/tensorrt.md out of engines.json; the text around it is written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.report import table
from engines.precision.census import PRECISIONS

BEGIN, END = "<!-- table of python -m benchmarks engines -->", "<!-- end of the table -->"


def with_table(text: str, found: dict[str, Any], keys: Sequence[str]) -> str:
    """The page with its table made anew. Raises ``ValueError`` where the page has no place for it."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"the page has no lines '{BEGIN}' and '{END}'")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    return f"{before}{BEGIN}\n{_tables(found, keys)}\n{END}{after}"


def _tables(found: dict[str, Any], keys: Sequence[str]) -> str:
    rows = found["rows"]
    flavours = sorted({name.rsplit(" ", 1)[0] for row in rows.values() for name in row if name != "model"})
    parts = []
    for flavour in flavours or ["no TensorRT"]:
        cells = [_row(key, rows.get(key, {}), flavour) for key in keys]
        columns = ["model", "what", *(f"{name}: MB, s" for name in PRECISIONS), "fp16 file, p99", "int8 file, p99"]
        parts.append(f"**{flavour}**\n\n{table(columns, cells)}")
    errors = [
        f"- {key}, {name.rsplit(' ', 1)[1]}, {name.rsplit(' ', 1)[0]}: {record['error']}"
        for key in keys
        for name, record in rows.get(key, {}).items()
        if name != "model" and "error" in record
    ]
    if errors:
        parts.append("What does not build, and why:\n\n" + "\n".join(errors))
    return "\n\n".join(parts)


def _row(key: str, row: dict[str, Any], flavour: str) -> list[str]:
    records = {name: row.get(f"{flavour} {name}") for name in PRECISIONS}
    checks = [_check(records[name]) for name in ("fp16", "int8")]
    return [f"`{key}`", str(row.get("model", "-")), *(_built(records[name]) for name in PRECISIONS), *checks]


def _built(record: dict[str, Any] | None) -> str:
    if record is None:
        return "not tried"
    if "error" in record:
        return "no, see below"
    lost = "" if record["kept"] else " (precision lost)"
    return f"{record['megabytes']:.1f}, {record['build_seconds']:.0f}{lost}"


def _check(record: dict[str, Any] | None) -> str:
    if record is not None and "relative_p99" in record:
        share = record["relative_p99"]
        return "NaN" if share is None else f"{100 * share:.2f} % of the largest"
    if record is None or "passed" not in record:
        return "not tried"
    if record["broken"]:
        return f"NaN: {record['broken']}"
    return f"{record['p99']:.2f} {'' if record['passed'] else '(refused)'}".strip()
