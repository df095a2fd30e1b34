"""``python -m training semantics``: what SAM sees in a data set, computed once, and the bank fitted on it."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from training.data import LAYOUT_NAMES, find_subjects
from training.semantics.precompute import ensure_bank, fill_cache


def add_options(parser: argparse.ArgumentParser) -> None:
    """All options of the sub-command."""
    parser.add_argument(
        "data", type=Path, help="a published data set, pairs, brackets, or pictures; training ones first, for the bank"
    )
    parser.add_argument(
        "--layout", choices=LAYOUT_NAMES, help="how the data is laid out (default: found from its tree)"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), help="part of the data, where it has several")
    parser.add_argument("--encoder", type=Path, required=True, help="SAM image encoder, ONNX")
    parser.add_argument("--decoder", type=Path, help="SAM mask decoder, ONNX; without it no regions")
    parser.add_argument("--cache", type=Path, required=True, help="folder to write to; a stopped run goes on")
    parser.add_argument(
        "--brightest", type=float, default=0.25, help="mean up to which an exposure of brackets is dark"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default 1)")


def run(given: argparse.Namespace) -> None:
    """Computes what is not there yet and says what was done. Raises ``ValueError`` and what opening a model raises."""
    torch.set_num_threads(given.threads)
    _, subjects = find_subjects(given.data, given.layout, given.split, brightest=given.brightest)
    done = fill_cache(subjects, given.cache, given.encoder, given.decoder, threads=given.threads)
    print(f"{done.embeddings} embeddings and {done.regions} region maps computed, the others were there")
    fitted = ensure_bank(subjects, given.cache, given.encoder)
    print(f"{given.cache / 'bank.pt'} {'fitted on these pictures' if fitted else 'was there and is kept'}")
