"""``python -m training evaluate``: models against pictures, as a table on the screen and files in a folder."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from training.data import LAYOUT_NAMES, LAYOUTS, Pair, Subject, find_subjects, refuse_overlap
from training.evaluate.measure import Measures, open_lpips
from training.evaluate.sheet import Cells
from training.evaluate.table import Named, evaluate, figure, heading, markdown, open_models
from training.feed import shuffled
from training.metrics import LPIPS

_TRUNCATED = "Pictures that networks draw were cut off to 8 bits, not rounded (--truncate)."
_LPIPS_CACHE = Path()
"""Given as the folder by ``--lpips`` alone: torchvision's own cache."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """All options of the sub-command."""
    parser.add_argument(
        "--model",
        nargs="+",
        action="extend",
        required=True,
        help="input, lime, a bundle, full:BUNDLE, or a checkpoint of any system; NAME=MODEL names the row",
    )
    parser.add_argument("--data", type=Path, required=True, help="a published data set, pairs, brackets, or pictures")
    parser.add_argument(
        "--layout", choices=LAYOUT_NAMES, help="how the data is laid out (default: found from its tree)"
    )
    parser.add_argument(
        "--split", choices=("train", "val", "test"), default="test", help="part of the data (default test)"
    )
    parser.add_argument("--exclude", nargs="+", default=[], help="pairs to leave out by name, or: reported")
    parser.add_argument("--brightest", type=float, default=0.25, help="mean up to which an exposure counts as dark")
    parser.add_argument(
        "--gt-mean",
        nargs="?",
        choices=("grey", "llflow"),
        const="grey",
        help="also figures of results scaled to their reference's mean: grey over grey, or as LLFlow has it",
    )
    parser.add_argument(
        "--gt-ratio",
        action="store_true",
        help="checkpoints of KinD and KinD++ take their light ratio from the target, as in the published test",
    )
    parser.add_argument(
        "--truncate",
        action="store_true",
        help="cut off what networks draw to 8 bits as published code does, where tables here round",
    )
    parser.add_argument(
        "--lpips",
        type=Path,
        nargs="?",
        const=_LPIPS_CACHE,
        metavar="FOLDER",
        help="also LPIPS, with backbone weights from FOLDER (default: torchvision's cache)",
    )
    parser.add_argument("--niqe", action="store_true", help="also NIQE; without targets it is the only figure")
    parser.add_argument("--semantics", type=Path, metavar="CACHE", help="for models that take embeddings or regions")
    parser.add_argument(
        "--foreign-regions",
        action="store_true",
        help="each picture is told the regions of another scene: what a model makes of knowledge that is wrong",
    )
    parser.add_argument("--bank", type=Path, help="PASCAL-Context checkpoint of the HRNet, for networks it guides")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default cpu")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("out/evaluate"),
        help="folder for table.md, table.json and sheet.png (default out/evaluate)",
    )


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Measures, prints, writes. Raises ``ValueError`` and what opening a model raises."""
    torch.set_num_threads(given.threads)
    layout, subjects = find_subjects(given.data, given.layout, given.split, given.exclude, given.brightest)
    if given.gt_ratio and not isinstance(subjects[0], Pair):
        raise ValueError(f"--gt-ratio takes the light ratio from targets, and {given.data} has none")
    options = {"device": given.device, "threads": given.threads, "bank": given.bank, "gt_ratio": given.gt_ratio}
    options["truncate"] = given.truncate
    models = open_models(given.model, semantics=given.semantics, **options)
    if given.gt_ratio and not any(named.model.told for named in models):
        raise ValueError("--gt-ratio is for checkpoints of KinD and KinD++; none of the models is one")
    if given.foreign_regions:
        models = [Named(named.name, replace(named.model, regions_of=_of_others(subjects))) for named in models]
    for named in models:
        refuse_overlap(named.name, named.model.trained_on, layout, given.data)
    lpips: dict[str, LPIPS] = {}
    notes = [_TRUNCATED] if given.truncate else []
    if given.lpips is not None and layout in LAYOUTS:
        lpips, missing = open_lpips(None if given.lpips == _LPIPS_CACHE else given.lpips)
        notes += missing
    measures = Measures(given.gt_mean, given.niqe, lpips)
    cells = Cells(subjects)
    table = evaluate(
        models, subjects, _name(given, layout), measures=measures, notes=notes, device=given.device, cells=cells
    )
    print_table(table)
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "table.json").write_text(json.dumps(table, indent=2) + "\n")
    (given.output / "table.md").write_text(markdown(table))
    cells.save(given.output / "sheet.png")
    print(f"table.md, table.json and sheet.png are in {given.output}")
    return table


def _of_others(subjects: Sequence[Subject]) -> dict[Path, Path]:
    """For every dark picture another one, of another scene. Raises ``ValueError`` without targets."""
    pairs = [subject for subject in subjects if isinstance(subject, Pair)]
    if not pairs:
        raise ValueError("--foreign-regions tells scenes apart by their targets, and there are none")
    return {pair.low: shuffled(pairs, pair).low for pair in pairs}


def _name(given: argparse.Namespace, layout: str) -> str:
    split = f"-{given.split}" if layout in LAYOUTS and LAYOUTS[layout].splits else ""
    return f"{given.data.resolve().name}{split}"


def print_table(table: Mapping[str, Any]) -> None:
    """The table on the screen, models across where they are the fewer, and what could not be measured."""
    names = list(table["metrics"])
    lines = [("model", *(name.replace("_", " ") for name in names), "semantics")]
    for row in table["rows"]:
        lines.append((row["model"], *(figure(name, row[name]) for name in names), row["semantics"]))
    if len(names) > len(table["rows"]):
        lines = list(zip(*lines, strict=True))
    shown = Table(*lines[0], title=heading(table), title_justify="left")
    for line in lines[1:]:
        shown.add_row(*line)
    console = Console()
    console.print(shown)
    for note in table["notes"]:
        console.print(note, soft_wrap=True)
