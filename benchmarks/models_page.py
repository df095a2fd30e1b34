"""docs/models.md from models.json, the tables of evaluations, and what is known about every system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from export.about import GUIDANCE, SYSTEMS, UNBUILT, About, about
from export.parity import TELLING

Rows = Mapping[str, Mapping[str, Any]]
Quality = Mapping[str, Mapping[str, Any]]

_HEAD = """# Models

Every network that can be built here, as measured. `python -m benchmarks models` writes this page; `--only NAME` takes
one row, `--parts count`, `export` or `time` one kind of figure, `--parts` alone none. Not to be edited by hand.
"""
_COLUMNS = (
    "system",
    "paper",
    "parameters",
    "GMAC at 600x400",
    "PSNR / SSIM here",
    "export: free / fixed sizes",
    "ms thumbnail",
    "ms 1080p",
)
_LEGEND = """\
- GMAC: 10⁹ multiply-accumulates of convolutions and linear layers for a picture of 600x400, without the bank's encoder;
  `curve` never sees more than a thumbnail of 256x144, which is what its figure is for.
- PSNR / SSIM (Gaussian window of 11): mean over 57 held-out pairs of 512x512, the best of what was measured here,
  without adapting the brightness to the reference. "card of bundle": through the path that ships, 8-bit 4:2:0 planes
  and the grid; all others in torch on whole pictures. With SKF: the arm with the most of it. "small" and a number of
  steps stand for the small variant of a recipe: minutes on a CPU, far from a paper's schedule; no figure here can be
  held against a paper's. By eye, after as much, HWMNet is brownish, EnlightenGAN red in the shadows,
  Wakeup-Darkness still dark: only what cards are named for is shipped.
- Export: 99th percentile of the difference between ONNX Runtime and torch in codes of 255, over made-up pictures of
  several sizes, odd ones too, and over extra inputs of zeros and random ones. It must be at most 1. Weights are random,
  made so that pictures come out (`benchmarks/lively.py`), at the published size: a tenth of the compared samples or
  more are neither clipped nor flat. "not tried with such weights": compared before that was asked for.
- ms: ONNX Runtime on the CPU, weights that were not learned, median. A thumbnail has 256x144 pixels and one thread; a
  frame of 1080p is cut into tiles as in `--mode full`; "about": one tile was measured, times their number. "not waited
  for": going by its thumbnail it takes longer than the run waits.
- Forms with SKF take an embedding of a SAM encoder as a second input; computing it is not in these figures.
"""


def page(found: Mapping[str, Any], figures: Quality) -> str:
    """The whole page. Rows that were never measured say so."""
    rows: Rows = found["rows"]
    keys = _keys(rows)
    lines = [_HEAD, _line(_COLUMNS), "| --- | --- | ---: | ---: | --- | --- | ---: | ---: |"]
    lines += [_line(_cells(key, rows.get(key, {}), figures.get(key))) for key in keys]
    lines += [_line((known.name, _paper(known), *["no network here"] * 6)) for known in UNBUILT.values()]
    lines += ["", _LEGEND + _conditions(rows), "## Systems", ""]
    for key in keys:
        if not key.endswith("-skf"):
            lines += _notes(key, about(key), rows)
    lines += _guidance(rows)
    for key, known in UNBUILT.items():
        lines += _notes(key, known, rows)
    return "\n".join(lines).rstrip() + "\n"


def _keys(rows: Rows) -> list[str]:
    """All systems in the order of `export.about`, guided forms that exist after them."""
    keys = []
    for system, known in SYSTEMS.items():
        keys += [system, *([f"{system}-skf"] if known.attachment else [])]
    return keys + [key for key in rows if key not in keys]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _paper(known: About) -> str:
    return known.where or "this project's own"


def _cells(key: str, row: Mapping[str, Any], figures: Mapping[str, Any] | None) -> Sequence[str]:
    system = key.removesuffix("-skf")
    known = about(system, guided=key != system)
    trained = "nothing to train, not evaluated here" if row.get("parameters") == 0 else "not trained here"
    if figures:
        variant = f"{figures['variant']}, " if figures["variant"] else ""
        ssim = "–" if figures["ssim"] is None else f"{figures['ssim']:.3f}"
        trained = f"{figures['psnr']:.2f} / {ssim} ({variant}{figures['table']})"
    return (
        f"{known.name} (`{key}`)",
        _paper(known),
        _grouped(row["parameters"]) if "parameters" in row else "not counted",
        _short(row["gmacs_600x400"]) if "gmacs_600x400" in row else "not counted",
        trained,
        f"{_export(row.get('free'))} / {_export(row.get('fixed'))}",
        _short(row["ms_thumbnail"]) if "ms_thumbnail" in row else "not measured",
        _full(row),
    )


def _full(row: Mapping[str, Any]) -> str:
    if row.get("system") == "curve":
        return "draws no pictures"
    if "ms_full" not in row:
        return "not measured"
    if row["ms_full"] is None:
        return f"about {_short(row['tiles'] * row['ms_tile'])}" if "ms_tile" in row else "not waited for"
    return _short(row["ms_full"])


def _export(record: Mapping[str, Any] | None) -> str:
    if record is None:
        return "not tried"
    if "error" in record:
        return "no, see below"
    if "telling" not in record:
        return "not tried with such weights"
    if record["telling"] < TELLING:
        return "nothing to compare came out"
    return f"p99 {record['p99']:.2g}" if record["passed"] else f"differs: p99 {record['p99']:.3g}"


def _grouped(value: int) -> str:
    return f"{value:,}".replace(",", " ")


def _short(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _conditions(rows: Rows) -> str:
    """Where the times were measured, each machine once."""
    seen = {}
    for row in rows.values():
        if "conditions" in row:
            where, when = row["conditions"]["machine"], row["conditions"]["conditions"]["date"][:10]
            full = f"1080p on {row['threads_full']} threads, tiles of {row['tile']}"
            seen[f"{where['cpu']}, {where['cores']} cores; {full}"] = when
    return "".join(f"- Times of {date}: {machine}.\n" for machine, date in seen.items())


def _notes(key: str, known: About, rows: Rows) -> list[str]:
    title = f", {known.title}, {known.where}" if known.title else ""
    lines = [f"**{known.name}** (`{key}`){title}. {known.note}", ""]
    lines += [f"- Faithful: {known.faithful}", f"- Repaired: {known.repaired}", f"- Unknown: {known.unknown}"]
    if known.in_video:
        lines.append(f"- {known.in_video}")
    if known.title:
        lines.append(f"- {known.licence}")
    return [*lines, *_refusals(key, rows), ""]


def _refusals(key: str, rows: Rows) -> list[str]:
    """What the exporter says where it refuses."""
    return [
        f"- `{name}`, {kind} sizes, is not exported: {record['error']}"
        for name in (key, f"{key}-skf")
        for kind in ("free", "fixed")
        if "error" in (record := rows.get(name, {}).get(kind) or {})
    ]


def _guidance(rows: Rows) -> list[str]:
    lines = [f"**{GUIDANCE.name}**, {GUIDANCE.title}, {GUIDANCE.where}. {GUIDANCE.note}", ""]
    lines += [f"- Faithful: {GUIDANCE.faithful}", f"- Repaired: {GUIDANCE.repaired}", f"- Unknown: {GUIDANCE.unknown}"]
    lines.append(f"- {GUIDANCE.licence}")
    for system, known in SYSTEMS.items():
        if not known.attachment:
            continue
        released = rows.get(f"{system}-skf", {}).get("parameters_released")
        count = f" {_grouped(released)} parameters with the modules as released, for HRNet." if released else ""
        lines.append(f"- {known.name}-SKF: modules {known.attachment} {known.guided_unknown}".rstrip() + count)
    return [*lines, ""]
