"""How near the enhanced pictures come to their references, per picture and on average, against what is usually done.

Pairs and metrics are those of ``python -m training evaluate``: every exposure of a bracket with a mean in 0.02..0.25
against the fusion of the bracket, on 8-bit RGB. The product's rows go through the run-time path (planes, thumbnail,
ONNX Runtime, grid, fused pass). Networks at full size are what their papers do; the product never does that.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine, report
from benchmarks.runs import ROOT
from engines.planes import Bytes

DATA = ROOT.parent / "shared" / "data"
GOAL_DB, GOAL_ABOVE_SCI_DB = 21.5, 2.0
_NORMAL_MEAN = 0.42
"""Mean of well-exposed references, for the gamma that knows nothing else."""
Method = Callable[[Bytes], Bytes]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA / "exposures" / "val", help="folder of pairs or brackets")
    parser.add_argument("--checkpoints", type=Path, default=DATA / "models" / "sci", help="published SCI .pt files")
    parser.add_argument("--bundle", default="curve")
    parser.add_argument("--sci", default="sci")


def gamma(picture: Bytes) -> Bytes:
    """v^(1/2.2): what people try first."""
    return _power(picture, 1 / 2.2)


def gamma_to_mean(picture: Bytes) -> Bytes:
    """The one exponent that brings this picture's mean to that of well-exposed ones, by bisection."""
    low, high = 0.05, 1.0
    small = picture[::4, ::4].astype(np.float32) / 255
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if float((small**middle).mean()) > _NORMAL_MEAN else (low, middle)
    return _power(picture, (low + high) / 2)


def _power(picture: Bytes, exponent: float) -> Bytes:
    codes = np.arange(256, dtype=np.float64) / 255
    result: Bytes = np.round(255 * codes**exponent).astype(np.uint8)[picture]
    return result


def clahe(picture: Bytes) -> Bytes:
    """Contrast-limited adaptive histogram equalisation of L in Lab, clip 3, 8x8 tiles."""
    import cv2

    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def methods(given: argparse.Namespace) -> dict[str, Method]:
    """Every row of the table by name."""
    from engines.picture import enhance_picture
    from training.evaluate import open_method

    found: dict[str, Method] = {
        "input": open_method("input"),
        "gamma 2.2": gamma,
        f"gamma to mean {_NORMAL_MEAN}": gamma_to_mean,
        "CLAHE on L": clahe,
    }
    for level in ("easy", "medium", "difficult"):
        path = given.checkpoints / f"{level}.pt"
        if path.is_file():
            found[f"SCI published, {level}, full size"] = open_method(str(path))
    found["SCI ours, full size"] = open_method(f"full:{given.sci}")
    found["SCI ours, through the bridge"] = open_method(given.sci)
    found["curve"] = open_method(given.bundle)
    found["curve, photos (chroma at every pixel)"] = lambda picture: enhance_picture(picture, given.bundle)
    return found


def run(given: argparse.Namespace) -> dict[str, Any]:
    """All rows over all pairs."""
    try:
        import torch

        from training.data import LayoutError, find_pairs
    except ImportError as error:
        raise SystemExit(
            f"quality needs the training half ({error}): run it with the environment of make test"
        ) from error
    if not given.data.is_dir():
        raise SystemExit(f"{given.data} does not exist: name a folder of pairs or of exposure brackets with --data")
    torch.set_num_threads(1)
    try:
        pairs = find_pairs(given.data)
    except LayoutError as error:
        raise SystemExit(str(error)) from error
    if given.quick:
        pairs = pairs[:: max(1, len(pairs) // 3)][:3]
    found: dict[str, Any] = {**machine.header(), "data": given.data.name, "pairs": len(pairs), "rows": []}
    found |= {"goal_db": GOAL_DB, "goal_above_sci_db": GOAL_ABOVE_SCI_DB}
    for name, method in methods(given).items():
        scores = [_scores(method, pair) for pair in pairs]
        means = {key: float(np.mean([score[key] for score in scores])) for key in scores[0]}
        worst = min(score["psnr"] for score in scores)
        per_pair = {pair.name: score for pair, score in zip(pairs, scores, strict=True)}
        found["rows"].append({"name": name, **means, "psnr_worst": worst, "pairs": per_pair})
        print(f"{name:<40} {means['psnr']:6.2f} dB  SSIM {means['ssim_gaussian11']:.3f}", flush=True)
    show(found)
    _plot(found, given.results)
    return found


def _scores(method: Method, pair: Any) -> dict[str, float]:
    import torch

    from training.data import read_picture
    from training.metrics import gt_mean, psnr, ssim_gaussian, ssim_uniform

    def tensor(picture: Bytes) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float()

    want, got = tensor(read_picture(pair.high)), tensor(method(read_picture(pair.low)))
    levelled = gt_mean(got, want).round()
    return {
        "psnr": psnr(got, want).item(),
        "ssim_gaussian11": ssim_gaussian(got, want).item(),
        "ssim_uniform7": ssim_uniform(got, want).item(),
        "psnr_gt_mean": psnr(levelled, want).item(),
        "ssim_gaussian11_gt_mean": ssim_gaussian(levelled, want).item(),
    }


def lines(found: dict[str, Any]) -> str:
    """The table of a result."""
    columns = ("", "PSNR dB", "worst", "SSIM gauss11", "SSIM uniform7", "PSNR dB, GT-mean", "SSIM gauss11, GT-mean")
    keys = ("psnr", "psnr_worst", "ssim_gaussian11", "ssim_uniform7", "psnr_gt_mean", "ssim_gaussian11_gt_mean")
    rows = [
        (row["name"], *(f"{row[k]:.2f}" if "psnr" in k else f"{row[k]:.3f}" for k in keys)) for row in found["rows"]
    ]
    return report.table(columns, rows)


def show(found: dict[str, Any]) -> None:
    """Prints the table."""
    print(f"\n{found['pairs']} pairs of {found['data']}, 8-bit RGB, means\n\n{lines(found)}")
    rows = {row["name"]: row["psnr"] for row in found["rows"]}
    above = rows["curve"] - rows["SCI ours, full size"]
    print(f"\ncurve {rows['curve']:.2f} dB (goal {found['goal_db']}),")
    print(f"{above:+.2f} dB against our SCI at full size (goal +{found['goal_above_sci_db']:g}),")
    best = max((name for name in rows if name.startswith("SCI")), key=lambda name: rows[name])
    print(f"{rows['curve'] - rows[best]:+.2f} dB against the best of all SCI rows ({best})")
    print("GT-mean rows brighten each result to its reference's mean first: they need the reference, no camera has it")


def _plot(found: dict[str, Any], folder: Path) -> None:
    rows = found["rows"]
    made, (left, right) = report.figure(11, 0.34 * len(rows) + 1.6, columns=2)
    colours = ["#d97706" if row["name"].startswith("curve") else "#4b7399" for row in rows]
    left.barh(range(len(rows)), [row["psnr"] for row in rows], color=colours, height=0.66)
    for index, row in enumerate(rows):
        left.text(row["psnr"] + 0.2, index, f"{row['psnr']:.2f}", va="center", fontsize=8)
    left.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    left.invert_yaxis()
    left.set_xlabel("PSNR, dB, mean")
    ours = next(row for row in rows if row["name"] == "curve")["pairs"]
    peer = next(row for row in rows if row["name"] == "SCI ours, full size")["pairs"]
    right.scatter([peer[name]["psnr"] for name in ours], [ours[name]["psnr"] for name in ours], s=14, color="#d97706")
    ends = (min(right.get_xlim()[0], right.get_ylim()[0]), max(right.get_xlim()[1], right.get_ylim()[1]))
    right.plot(ends, ends, color="#9ca3af", linewidth=1)
    right.set_xlabel("SCI at full size, dB, each picture")
    right.set_ylabel("curve, dB")
    report.save_figure(made, folder, "quality")
