"""The page of the figures about time: tables for every scenario and level, means over seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from benchmarks import machine, report
from benchmarks.temporal import goals

Row = dict[str, Any]
_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("psnr", "PSNR dB", 2),
    ("psnr_worst", "worst frame", 2),
    ("ssim", "SSIM", 3),
    ("curve_jitter", "curve jitter, codes", 2),
    ("curve_jitter_p99", "p99", 2),
    ("static_residual", "static residual", 2),
    ("excess_warping", "excess warping, codes", 2),
    ("flicker_rms", "flicker 1-10 Hz, %", 2),
    ("background_change", "background, codes", 2),
    ("lamp_change", "lamps, codes", 1),
    ("objects_luma", "objects, luma", 2),
    ("objects_detail", "objects, detail", 2),
    ("cut_frames", "cut, frames", 0),
    ("cut_frames_tone", "cut, tone", 0),
    ("ghost", "ghost", 3),
    ("mabd_mse", "MABD-MSE, 1e-6", 1),
    ("ab_var", "AB(Var), 1e-6", 1),
    ("ms_p50", "ms p50", 2),
    ("ms_p95", "ms p95", 2),
)
_REGION_COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("psnr", "PSNR dB", 2),
    ("psnr_objects", "PSNR dB, objects", 2),
    ("ssim", "SSIM", 3),
    ("curve_jitter", "curve jitter, codes", 2),
    ("excess_warping", "excess warping, codes", 2),
    ("region_pumping", "region pumping", 3),
    ("background_change", "background, codes", 2),
    ("background_change_worst_tile", "worst sixteenth", 2),
    ("j", "J", 3),
    ("f", "F", 3),
)
_SCALE = {"flicker_rms": 100.0, "mabd_mse": 1e6, "ab_var": 1e6}
_INTRODUCTION = """\
# Stability in time

Written by `python -m benchmarks temporal`; the commands stand at the end. Clips are synthetic (`benchmarks/night`), so
picture, motion and objects are known exactly. **A picture that never changes is perfectly stable**: read no figure of
stability without the PSNR beside it. PSNR and SSIM (Gaussian window, every fifth frame) are those of 8-bit RGB against
the clean scene, nothing is levelled to its mean first.

* **curve jitter**: mean |E_t(x_t) - E_(t-1)(x_t)|, both tone operators on the same frame, in codes of 0..255; `~` where
  the operator had to be estimated from input and output, which adds jitter. Cuts do not count.
* **static residual**: standard deviation in time where the truth stands still, over that of the input seen through the
  method's own tone operator. 1 = the noise is amplified as it is. The first 12 frames of a scene do not count.
* **excess warping**: mean |out_t - out_(t-1) moved along the true motion| over visible pixels, less the same for the
  truth: noise, flicker and ghosts together, in codes of 0..255.
* **flicker**: root mean square of mean log-luma between 1 and 10 Hz, in per cent of brightness; the truth's own in
  brackets where it is not 0.
* **background**: how far the background's mean moves, at most, once an object has entered, against what the tone
  operator of the frame before the entry makes of each frame.
* **cut**: frames of the slowest cut until PSNR is within 0.5 dB of where it settles, of whole pictures (noise needs
  time to settle) and, as *tone*, of 8x8 means; **ghost**: share of the old scene in the first frame of the new one.
* **lamps**: mean change of luma where the dark picture is 200 and brighter; **objects**: mean luma of the moving
  objects, and its spread inside of each, over those of the truth, where all is in even light: who stands against the
  light is readable as these come near 1.
* **MABD-MSE** and **AB(Var)**: luma 0..1, times 1e-6; compare them inside one table only.
* **ms**: wall-clock time a frame of everything but decoding and encoding, one thread.
"""
_METHODS = """\
`input` is the dark clip as it is. `gamma` is v^(1/2.2). `clahe` is OpenCV's on luma, clip 3, 8x8 tiles. `sci` is SCI
(the bundle) on every frame by itself through the grid, `sci-full-size` on the whole frame. `hqdn3d+eq` and
`atadenoise+eq` are FFmpeg's denoisers with their defaults, followed by `eq`, whose gamma is set once by the first frame
(to a mean of 0.42), with black at 0 and saturation 1.5. `plain` is our network on every frame and nothing in time;
`ema` adds the smoothing of the grid, `denoise` motion and the temporal denoiser, `regions` SAM's regions, carried by
motion between key frames. `best-grid` is no method: it is fitted to the truth of every frame, and says what a network
could make of the same pass without any denoising.
"""

_COMPRESSED = """\
At CRF 28 H.264 has frozen or smoothed nine tenths of the noise in time before we see it: on the still clip 94 % of the
pixels are exactly what they were a frame earlier, and the rest jump in whole blocks and stay. There is nothing left to
average, and a denoiser that averaged jumps would smear; its residual there is 1. What a denoiser does shows in
uncompressed clips; there too the input is noisier, so PSNR before it is lower. What keeps PSNR low is tone: the network
does not undo the uneven light of these clips, nor does it know the exposure that the truth happens to have; how far it
is from what the same pass could do, `best-grid` says.
"""


def page(found: dict[str, Any]) -> str:
    """All of docs/temporal.md."""
    parts = [_INTRODUCTION, _METHODS]
    if found.get("conditions"):
        busy = " Times are left out: too much else ran." if _busy(found) else ""
        parts.append(f"Measured on: {machine.sentence(found)}; load average {_load(found)}.{busy}\n")
    reached = _goals(found.get("rows", {}).values())
    if reached:
        parts.append(f"## Goals, level mid\n\n{_COMPRESSED}\n{reached}")
    for title, rows in grouped(found.get("rows", {}).values()):
        columns = tuple(column for column in _COLUMNS if not (column[0].startswith("ms_") and _busy(found)))
        stages = "" if _busy(found) else _stages(rows)
        parts.append(f"## {title}\n\n{_table(rows, columns)}\n{_when(rows)}{stages}{_missing(rows)}")
    ablation = grouped(found.get("ablation", {}).values())
    if ablation:
        parts.append(
            "## What regions add\n\nThe same network and the same variant, `denoise`, with regions from elsewhere.\n"
        )
    for title, rows in ablation:
        parts.append(f"### {title}\n\n{_table(rows, _REGION_COLUMNS)}\n{_when(rows)}{_missing(rows)}")
    commands = "\n".join(found.get("commands", ["python -m benchmarks temporal"]))
    parts.append(f"## Commands\n\n```\n{commands}\n```\n")
    return "\n".join(parts)


def grouped(rows: Iterable[Row]) -> list[tuple[str, list[list[Row]]]]:
    """For each scenario, level and way of storing: its title, and for each method its rows of all seeds."""
    groups: dict[tuple[str, ...], dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        stored = "H.264" if row["encoded"] else "uncompressed"
        size = f"{row['size'][0]}x{row['size'][1]}, {row['frames']} frames, {row['fps']} a second, {stored}"
        groups[row["scenario"], row["level"], size][row["method"]].append(row)
    return [(f"{key[0]}, {key[1]}: {key[2]}", list(methods.values())) for key, methods in groups.items()]


def _goals(rows: Iterable[Row]) -> str:
    """The goals at level mid, for clips as the sensor gives them and as H.264."""
    usual = [row for row in rows if row["level"] == "mid"]
    parts = []
    for encoded, stored in ((False, "uncompressed"), (True, "H.264")):
        reached = goals.table(_by_scenario(row for row in usual if row["encoded"] == encoded))
        parts += [f"### {stored}\n\n{reached}\n"] if reached else []
    return "\n".join(parts)


def _by_scenario(rows: Iterable[Row]) -> dict[str, goals.Rows]:
    """Mean figures over seeds."""
    found: dict[str, goals.Rows] = {}
    for _, methods in grouped(rows):
        for seeds in methods:
            numbers = (key for key, value in seeds[0].items() if isinstance(value, (int, float)))
            figures = {key: mean(seeds, key) for key in numbers}
            found.setdefault(seeds[0]["scenario"], {})[seeds[0]["method"]] = figures
    return found


def _table(methods: list[list[Row]], columns: tuple[tuple[str, str, int], ...]) -> str:
    there = [rows for rows in methods if "psnr" in rows[0]]
    used = [column for column in columns if any(_value(rows, column[0]) is not None for rows in there)]
    cells = [(_named(rows), *(_cell(rows, key, digits) for key, _, digits in used)) for rows in there]
    return report.table(("", *(label for _, label, _ in used)), cells)


def _named(rows: list[Row]) -> str:
    return f"`{rows[0]['method']}`" + (f" ({len(rows)} seeds)" if len(rows) > 1 else "")


def mean(rows: list[Row], key: str) -> float | None:
    """Mean over seeds, of those that can tell."""
    known = [row[key] for row in rows if row.get(key) is not None]
    return sum(known) / len(known) if known else None


def _value(rows: list[Row], key: str) -> float | None:
    """The mean as it is shown."""
    known = mean(rows, key)
    return None if known is None else known * _SCALE.get(key, 1)


def _cell(rows: list[Row], key: str, digits: int) -> str:
    value = _value(rows, key)
    if value is None:
        return "-"
    text = f"{value:.{digits}f}" if float(value).is_integer() or digits else f"{value:.1f}"
    if key.startswith("curve_jitter") and rows[0]["operator_fitted"]:
        return f"~{text}"
    truth = _value(rows, "flicker_rms_truth") if key == "flicker_rms" else None
    return f"{text} ({100 * truth:.2f})" if truth and truth > 5e-5 else text


def _stages(methods: list[list[Row]]) -> str:
    """Milliseconds by stage of our last row that has any."""
    with_stages = [rows for rows in methods if rows[0].get("stages_ms")]
    if not with_stages:
        return ""
    rows = with_stages[-1]
    parts = [f"{name} {p50:.2f} / {p95:.2f}" for name, (p50, p95) in rows[0]["stages_ms"].items()]
    return f"\nStages of `{rows[0]['method']}`, ms p50 / p95: {', '.join(parts)}.\n"


def _when(methods: list[list[Row]]) -> str:
    """When the rows were measured: not all of them need be from one run, or of the same version."""
    times: dict[str, list[str]] = defaultdict(list)
    for rows in methods:
        if "psnr" in rows[0]:
            times[rows[0].get("measured", "before times were kept")].append(f"`{rows[0]['method']}`")
    return "\nMeasured " + "; ".join(f"{at}: {', '.join(names)}" for at, names in sorted(times.items())) + ".\n"


def _missing(methods: list[list[Row]]) -> str:
    lines = [
        f"\n`{rows[0]['method']}` was not run: {rows[0]['not_available']}." for rows in methods if "psnr" not in rows[0]
    ]
    return "".join(f"{line}\n" for line in lines)


def _load(found: dict[str, Any]) -> str:
    return " / ".join(f"{value:.1f}" for value in found["conditions"]["load_average_1_5_15"])


def _busy(found: dict[str, Any]) -> bool:
    """Whether times measured then would tell of other work: one core is this benchmark's own."""
    there = "conditions" in found
    return there and bool(found["conditions"]["load_average_1_5_15"][0] > found["machine"]["cores"])


def line(name: str, row: Row) -> str:
    """A row on the screen, while others are still to come."""
    if "psnr" not in row:
        return f"{name:24} not available: {row['not_available']}"
    shown = (
        "psnr",
        "ssim",
        "curve_jitter",
        "static_residual",
        "excess_warping",
        "background_change",
        "cut_frames",
        "j",
    )
    parts = (f"{key} {row[key]:.3g}" for key in shown if row[key] is not None)
    return f"{name:24} {'  '.join(parts)}"
