"""``python -m training fit RECIPE`` trains a network; ``python -m training evaluate`` measures models on pairs;
``python -m training semantics DATA`` computes once what SAM sees in the pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from engines.errors import EngineError
from training.ablation import collect, markdown, train
from training.evaluate import command
from training.recipe import load_recipe, merged
from training.semantics import command as semantics
from training.trainer import fit


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("fit", help="train a network by a recipe; a run that was stopped goes on")
    training.add_argument("recipe", type=Path)
    training.add_argument("--variant", help="a variant in the recipe, `small` for two CPU cores and minutes")
    training.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="an entry of the recipe, as in semantics.sch=1"
    )
    training.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    training.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    training.add_argument("--until", type=int, help="stop after this step, as if interrupted; for runs in two halves")
    comparing = commands.add_parser("ablate", help="train the arms of an ablation and compare them")
    comparing.add_argument("ablation", type=Path, help="a file of training/ablations")
    comparing.add_argument("--runs", type=Path, default=Path("runs"), help="where the runs lie (default runs)")
    comparing.add_argument("--seed", type=int, action="append", help="only this seed; may be repeated")
    comparing.add_argument("--group", action="append", help="only this group; may be repeated")
    comparing.add_argument("--arm", action="append", help="only this arm; may be repeated")
    comparing.add_argument("--worker", default="1/1", help="K/N: only the K-th share of N, for several processes")
    comparing.add_argument("--device", default="cpu", help="cpu or cuda (default cpu)")
    comparing.add_argument(
        "-o", "--output", type=Path, help="train nothing; write the table of what is done, as JSON and .md"
    )
    comparing.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")
    judging = commands.add_parser("evaluate", help="measure models on pictures: tables and a sheet of pictures")
    command.add_options(judging)
    seeing = commands.add_parser("semantics", help="compute once what SAM sees in pictures, and the bank")
    semantics.add_options(seeing)
    given = parser.parse_args(arguments)
    try:
        if given.command == "fit":
            torch.set_num_threads(given.threads)
            recipe = load_recipe(given.recipe, given.variant, changes(given.set))
            print(fit(recipe, given.until, device=given.device))
        elif given.command == "semantics":
            semantics.run(given)
        elif given.command == "ablate":
            _ablate(given)
        else:
            command.run(given)
    except KeyboardInterrupt:
        print("stopped; `fit` goes on from its last checkpoint when started again", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _ablate(given: argparse.Namespace) -> None:
    out = given.runs / given.ablation.stem
    if given.output is None:
        torch.set_num_threads(given.threads)
        worker, workers = _share(given.worker)
        train(given.ablation, out, given.seed, given.group, given.arm, worker - 1, workers, given.device)
    table = collect(given.ablation, out)
    print(markdown(table))
    if given.output is not None:
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(table, indent=2) + "\n")
        given.output.with_suffix(".md").write_text(markdown(table))


def _share(text: str) -> tuple[int, int]:
    """``K/N`` as two numbers. Raises ``ValueError`` unless 1 <= K <= N."""
    try:
        worker, workers = (int(part) for part in text.split("/"))
    except ValueError:
        worker, workers = 0, 0
    if not 1 <= worker <= workers:
        raise ValueError(f"--worker takes K/N with K from 1 to N, not '{text}'")
    return worker, workers


def changes(entries: Sequence[str]) -> dict[str, Any]:
    """``a.b=value`` as ``{"a": {"b": value}}``, values as in YAML. Raises ``ValueError`` without an equals sign."""
    found: dict[str, Any] = {}
    for entry in entries:
        key, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"--set takes KEY=VALUE, not '{entry}'")
        nested: Any = yaml.safe_load(value)
        for name in reversed(key.split(".")):
            nested = {name: nested}
        found = merged(found, nested)
    return found


if __name__ == "__main__":
    sys.exit(main())
