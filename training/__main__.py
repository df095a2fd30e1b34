"""``python -m training fit RECIPE`` trains a network; ``python -m training evaluate`` measures models on pairs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from engines.errors import EngineError
from training.data import find_pairs
from training.evaluate import evaluate, print_table, write_json
from training.recipe import load_recipe
from training.trainer import fit


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    training = commands.add_parser("fit", help="train a network by a recipe; a run that was stopped goes on")
    training.add_argument("recipe", type=Path)
    training.add_argument("--threads", type=int, default=2, help="CPU threads (default 2)")
    training.add_argument("--until", type=int, help="stop after this step, as if interrupted; for runs in two halves")
    judging = commands.add_parser("evaluate", help="print PSNR and SSIM of models on pairs")
    judging.add_argument(
        "--model",
        action="append",
        required=True,
        help="input, a bundle, full:BUNDLE, or an SCI checkpoint; NAME=MODEL names the row; may be repeated",
    )
    judging.add_argument("--data", type=Path, required=True, help="folder of pairs or brackets")
    judging.add_argument("--json", type=Path, help="also write the table here")
    given = parser.parse_args(arguments)
    try:
        if given.command == "fit":
            torch.set_num_threads(given.threads)
            print(fit(load_recipe(given.recipe), given.until))
        else:
            torch.set_num_threads(1)
            table = evaluate(given.model, find_pairs(given.data), given.data.name)
            print_table(table)
            if given.json:
                write_json(table, given.json)
    except KeyboardInterrupt:
        print("stopped; `fit` goes on from its last checkpoint when started again", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, EngineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
