"""Runs methods over clips and gathers rows: one for each clip and method."""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timezone
from typing import Any

from benchmarks import machine, report
from benchmarks.night import NightClip
from benchmarks.temporal import METHODS, PAGE, PICTURES, pages, pictures, plots
from benchmarks.temporal.clips import clips
from benchmarks.temporal.ours import VARIANTS, Segmenters, ours
from benchmarks.temporal.outcome import Method, NotAvailable, Outcome
from benchmarks.temporal.peers import as_it_is, best_grid, clahe, filtered, full_size, gamma, per_frame
from benchmarks.temporal.regions import Eyes, InStep, opened_sam, sam_regions, shuffled, true_regions
from benchmarks.temporal.scores import Truth, scores
from engines.errors import EngineError
from stream.vision.segmenter import Segmenter

_USUAL_EVERY = 15


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
        stored = "uncompressed" if clip.encoded is None else clip.encoded.stem.rsplit("-", 1)[-1]
        truth, shown, series = Truth(clip), dict[str, Outcome](), dict[str, pages.Row]()
        for name, method in chosen.items():
            row = measured(truth, method, shown, name)
            series[name] = row.pop("series", {})
            rows[f"{clip.name}-{stored}/{name}"] = about(clip) | {"method": name} | row
            print(f"  {pages.line(name, row)}", flush=True)
        if not given.ablate_regions:
            pictures.draw(clip, shown, folder)
            plots.over_time(clip, {name: series[name] for name in shown}, truth.luma.mean(axis=(1, 2)), given.results)
        report.save(given.results, "temporal", found | machine.header() | {table: rows})
    commands = list(dict.fromkeys([*found.get("commands", []), command(given)]))
    found |= machine.header() | {table: rows, "commands": commands}
    page = given.page or (PAGE if given.results == report.RESULTS else given.results / "temporal.md")
    page.write_text(pages.page(found), encoding="utf-8")
    print(page)
    return found


def command(given: argparse.Namespace) -> str:
    """What has to be typed for these rows."""
    words = ["python -m benchmarks temporal", "--scenario", *(given.scenario or ["(all)"]), "--level", *given.level]
    words += ["--seed", *given.seed, "--frames", given.frames, "--size", *given.size, "--source", given.source]
    words += ["--uncompressed"] if given.uncompressed else ["--crf", given.crf]
    words += ["--ablate-regions", "--every", *given.every] if given.ablate_regions else ["--methods", *given.methods]
    words += ["--bundle", given.bundle]
    if given.sam is not None:
        words += ["--sam", *(path.name for path in given.sam), "--sam-every", given.sam_every]
    return " ".join(str(word) for word in words)


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
        "measured": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }


def methods(given: argparse.Namespace) -> dict[str, Method]:
    """The rows that were asked for."""
    known: dict[str, Method] = {
        "input": as_it_is,
        "gamma": gamma,
        "clahe": clahe,
        "sci": per_frame(given.sci),
        "sci-full-size": full_size(given.sci),
        "hqdn3d+eq": filtered("hqdn3d"),
        "atadenoise+eq": filtered("atadenoise"),
        **{name: ours(given.bundle, options) for name, options in VARIANTS.items()},
        "regions": live_sam(given),
        "best-grid": best_grid,
    }
    return {name: known[name] for name in METHODS if name in given.methods}


def ablation(given: argparse.Namespace) -> dict[str, Method]:
    """The same network with none, wrong, SAM's and true regions, for several N. None of them depends on the machine."""
    options = VARIANTS["denoise"]
    usual = min(given.every, key=lambda n: abs(n - _USUAL_EVERY))
    found: dict[str, Method] = {"none": ours(given.bundle, options)}
    kinds: dict[str, Eyes] = {"true": true_regions}
    if given.sam is not None:
        kinds["SAM"] = sam_regions(*given.sam)
    for name, eyes in kinds.items():
        for n in given.every:
            found[f"{name}, N={n}"] = ours(given.bundle, options, in_step(eyes), n)
        found[f"{name}, shuffled, N={usual}"] = ours(given.bundle, options, in_step(shuffled(eyes, usual)), usual)
    return found


def in_step(eyes: Eyes) -> Segmenters:
    """For every clip a stand-in of the segmenter that keeps up with the frames."""
    return lambda clip: InStep(eyes(clip))


def live_sam(given: argparse.Namespace) -> Method:
    """The product with SAM in its own thread, as fast as this machine is."""

    def missing(_: NightClip) -> Outcome:
        raise NotAvailable("SAM's files were not given: --sam ENCODER DECODER")

    def segmenter(_: NightClip) -> Segmenter:
        sam = opened_sam(*given.sam)
        return Segmenter(sam, stop=sam.stop)

    if given.sam is None:
        return missing
    every = int(given.sam_every) if given.sam_every.isdecimal() else given.sam_every
    return ours(given.bundle, VARIANTS["denoise"], segmenter, every, live=True)
