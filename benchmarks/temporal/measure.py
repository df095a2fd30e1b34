"""Runs methods over clips and gathers rows: one for each clip and method."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks import machine, report
from benchmarks.night import NightClip
from benchmarks.temporal import METHODS, PAGE, PICTURES, pages, pictures, plots
from benchmarks.temporal.clips import clips
from benchmarks.temporal.ours import VARIANTS, ours
from benchmarks.temporal.outcome import Method, NotAvailable, Outcome
from benchmarks.temporal.peers import as_it_is, clahe, filtered, full_size, gamma, per_frame
from benchmarks.temporal.regions import Source, sam_regions, shuffled, true_regions
from benchmarks.temporal.scores import Truth, scores
from engines.errors import EngineError


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """All rows; what was measured before of other clips and methods stays in the results."""
    chosen = ablation(given) if given.ablate_regions else methods(given)
    table = "ablation" if given.ablate_regions else "rows"
    path = given.results / "temporal.json"
    folder = given.out or (given.results if given.quick else PICTURES)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    rows: dict[str, Any] = found.get(table, {})
    for clip in clips(given):
        print(f"{clip.name}: {len(clip)} frames {clip.size[0]}x{clip.size[1]}", flush=True)
        truth, shown, series = Truth(clip), dict[str, Outcome](), dict[str, pages.Row]()
        for name, method in chosen.items():
            row = measured(truth, method, shown, name)
            series[name] = row.pop("series", {})
            rows[f"{clip.name}/{name}"] = about(clip) | {"method": name} | row
            print(f"  {pages.line(name, row)}", flush=True)
        if not given.ablate_regions:
            pictures.draw(clip, shown, folder)
            plots.over_time(clip, {name: series[name] for name in shown}, given.results)
        report.save(given.results, "temporal", found | machine.header() | {table: rows})
    found |= machine.header() | {table: rows}
    page = given.page or (PAGE if given.results == report.RESULTS else given.results / "temporal.md")
    page.write_text(pages.page(found), encoding="utf-8")
    print(page)
    return found


def measured(truth: Truth, method: Method, shown: dict[str, Outcome], name: str) -> dict[str, Any]:
    """The figures of one method on one clip, or why there are none; its frames go into ``shown``."""
    try:
        outcome = method(truth.clip)
    except (NotAvailable, EngineError) as reason:
        return {"not_available": str(reason)}
    shown[name] = outcome
    return scores(truth, outcome)


def about(clip: NightClip) -> dict[str, Any]:
    """What a row says about its clip."""
    return {
        "clip": clip.name,
        "scenario": clip.scenario,
        "level": clip.level,
        "seed": clip.seed,
        "frames": len(clip),
        "size": list(clip.size),
        "fps": clip.fps,
        "encoded": clip.encoded is not None,
    }


def methods(given: argparse.Namespace) -> dict[str, Method]:
    """The rows that were asked for."""
    known: dict[str, Method] = {
        "input": as_it_is,
        "gamma": gamma,
        "clahe": clahe,
        "sci": per_frame(given.sci),
        "sci-full-size": full_size(given.sci),
        "hqdn3d": filtered("hqdn3d"),
        "atadenoise": filtered("atadenoise"),
        **{name: ours(given.bundle, VARIANTS[name]) for name in ("plain", "ema", "denoise")},
        "regions": with_sam(given, every(given.sam_every)),
    }
    return {name: known[name] for name in METHODS if name in given.methods}


def ablation(given: argparse.Namespace) -> dict[str, Method]:
    """The same network with none, wrong, SAM's and true regions, for several N; the true ones also as key frames."""
    found: dict[str, Method] = {"none": ours(given.bundle, VARIANTS["denoise"])}
    for n in given.every:
        found[f"true, N={n}"] = _ours_with(given, true_regions, n)
        found[f"true shuffled, N={n}"] = _ours_with(given, shuffled(true_regions, seed=n), n)
        found[f"SAM, N={n}"] = with_sam(given, n)
        found[f"SAM shuffled, N={n}"] = with_sam(given, n, partial(shuffled, seed=n))
    return found


def with_sam(
    given: argparse.Namespace,
    n: object,
    changed: Callable[[Callable[[NightClip], Source]], Callable[[NightClip], Source]] = lambda regions: regions,
) -> Method:
    """Ours with SAM every ``n`` frames; not available without its files."""
    if given.sam is None:

        def missing(_: NightClip) -> Outcome:
            raise NotAvailable("SAM's files were not given: --sam ENCODER DECODER")

        return missing
    return _ours_with(given, changed(sam_regions(*given.sam)), n)


def _ours_with(given: argparse.Namespace, regions: Callable[[NightClip], Source], n: object) -> Method:
    return ours(given.bundle, VARIANTS["regions"], regions, n)


def every(text: str) -> int | str:
    """``--sam-every`` as the product takes it: a number of frames, or a word."""
    return int(text) if text.isdecimal() else text
