"""Stability and fidelity in time on synthetic night clips, whose truth is known: ours against what else there is.

Clips come from ``benchmarks.night``. Every row has PSNR and SSIM beside its figures of stability, because a picture
that never changes is perfectly stable. Nothing is levelled to the mean of the truth. With ``--ablate-regions`` one
network is given no regions, regions in wrong places, SAM's and the true ones instead.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from benchmarks.runs import ROOT

PAGE = ROOT / "docs" / "temporal.md"
PICTURES = ROOT / "out"
METHODS = (
    "input",
    "gamma",
    "clahe",
    "sci",
    "sci-full-size",
    "hqdn3d+eq",
    "atadenoise+eq",
    "plain",
    "ema",
    "denoise",
    "regions",
    "best-grid",
)
EVERY = (5, 15, 30, 60)
"""Frames between two key frames of the ablation."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scenario", nargs="+", metavar="NAME", help="scenarios of the generator (default: all)")
    parser.add_argument("--level", nargs="+", default=["mid"], metavar="NAME", help="levels of darkness (default: mid)")
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="seeds of the clips (default 1)")
    parser.add_argument("--frames", type=int, default=120, help="frames a clip (default 120)")
    parser.add_argument("--size", type=int, nargs=2, default=[640, 360], metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--source", default="street", help="street, texture, a photograph, a folder of them, or a clip")
    parser.add_argument("--crf", type=int, default=28, help="of the H.264 that the clips are stored as (default 28)")
    parser.add_argument("--uncompressed", action="store_true", help="the clips are never encoded")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS, help="rows (default: all)")
    parser.add_argument("--bundle", default="curve", help="the network of our rows")
    parser.add_argument("--sci", default="sci", help="the network of the rows of SCI")
    parser.add_argument("--sam", type=Path, nargs=2, metavar=("ENCODER", "DECODER"), help="SAM's two ONNX files")
    parser.add_argument("--sam-every", default="15", help="frames between key frames, or auto (default 15)")
    parser.add_argument("--ablate-regions", action="store_true", help="regions: none, shuffled, SAM's, true; and N")
    parser.add_argument("--every", type=int, nargs="+", default=EVERY, help="N of the ablation (default 5 15 30 60)")
    parser.add_argument("--out", type=Path, help="folder for contact sheets and slow-motion clips (default out)")
    parser.add_argument(
        "--page", type=Path, help="the page to write (default docs/temporal.md, or beside other results)"
    )


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Runs the methods, or the ablation, over all clips; writes pictures and the page."""
    from benchmarks.temporal.measure import measure

    return measure(given)
