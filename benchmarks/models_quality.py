"""PSNR and SSIM of every system, from what was measured on held-out pairs: evaluations, trainings, ablations, cards.

All are means over pairs of 8-bit R'G'B' without GT-mean, SSIM with a Gaussian window of 11, so that the best row of a
system may be taken whatever file it stands in; cards tell what the shipped path gives, 8-bit 4:2:0 planes and the grid,
all else what torch gives on whole pictures. Rows are called ``SYSTEM (words)``, or ``SYSTEM-skf (words)`` where SKF
guides it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from engines.bundle import SHIPPED, Card
from networks.systems import GUIDED

Figures = dict[str, Any]
"""``psnr``, ``ssim`` or None, ``variant`` in words, and the ``table`` that it stands in."""


def quality(results: Path, bundles: Path = SHIPPED) -> dict[str, Figures]:
    """The best figures of every row: from ``papers/*.json`` and ``ablation-*.json`` of a folder, and from cards."""
    best: dict[str, Figures] = {}
    for key, figures in (*_cards(bundles), *_tables(results / "papers"), *_ablations(results)):
        if key not in best or figures["psnr"] > best[key]["psnr"]:
            best[key] = figures
    return best


def _cards(bundles: Path) -> Iterator[tuple[str, Figures]]:
    for path in sorted(bundles.glob("*/card.json")):
        card = Card.from_json(path.read_text(encoding="utf-8"))
        if "val_psnr" in card.metrics:
            guided = any(given.name == "embedding" for given in card.inputs)
            variant = f"{card.training.recipe}, {card.training.steps} steps"
            ssim = card.metrics.get("val_ssim_gaussian11")
            key = f"{card.system}-skf" if guided else card.system
            yield key, _figures(card.metrics["val_psnr"], ssim, variant, f"card of bundle {card.name}")


def _tables(folder: Path) -> Iterator[tuple[str, Figures]]:
    """Of `python -m training evaluate` and of `gathered`. Who was told the target's brightness does not count."""
    for path in sorted(folder.glob("*.json")):
        table = json.loads(path.read_text(encoding="utf-8"))
        for row in table.get("rows", ()):
            if row.get("psnr") is not None and row["model"] not in table.get("gt_ratio", ()):
                key, _, variant = str(row["model"]).partition(" ")
                yield key, _figures(row["psnr"], row.get("ssim_gaussian11"), variant.strip("()"), table["name"])


def _ablations(results: Path) -> Iterator[tuple[str, Figures]]:
    """Of `python -m training ablate`: SKF's baselines without it, and with the most of it that was trained."""
    for path in sorted(results.glob("ablation-*.json")):
        table = json.loads(path.read_text(encoding="utf-8"))
        parts = {id(row): row["arm"].count("+") for row in table["rows"] if row["arm"] != table["against"]}
        for row in table["rows"]:
            most = max(
                (parts[id(r)] for r in table["rows"] if id(r) in parts and r["recipe"] == row["recipe"]), default=0
            )
            if row["recipe"].partition(".")[0] in GUIDED and parts.get(id(row), most) < most:
                continue
            file, _, variant = row["recipe"].partition(", ")
            key = file.removesuffix(".yaml").removesuffix("-skf")
            if key in GUIDED and row["arm"] != table["against"]:
                key += "-skf"
            seeds = f", {len(row['seeds'])} seeds" if len(row["seeds"]) > 1 else ""
            words = ", ".join(filter(None, (variant, row["arm"], f"{row['steps']} steps{seeds}")))
            yield key, _figures(row["psnr"], row["ssim_gaussian11"], words, path.stem)


def _figures(psnr: float, ssim: float | None, variant: str, table: str) -> Figures:
    return {"psnr": psnr, "ssim": ssim, "variant": variant, "table": table}


def gathered(runs: Path) -> dict[str, Any]:
    """A table of the finished trainings below a folder: what each found for its averaged weights at its last step.

    They are taken to have been validated on the same pairs as all else here. Raises ``ValueError`` where none is
    finished.
    """
    rows = []
    for path in sorted(runs.glob("*/checkpoint.pt")):
        state = torch.load(path, map_location="cpu", weights_only=True)
        scores = path.parent / "validation.csv"
        recipe = state.get("recipe") or {}
        steps = sum(phase["steps"] for phase in recipe.get("phases", {}).values())
        if not steps or state["step"] < steps or not scores.is_file():
            continue
        last = list(csv.DictReader(scores.read_text().splitlines()))[-1]
        if int(last["step"]) == steps - 1:
            file, _, variant = recipe["name"].partition(", ")
            words = ", ".join(filter(None, (variant, f"{steps} steps")))
            rows.append(
                {
                    "model": f"{file.removesuffix('.yaml')} ({words})",
                    "psnr": float(last["psnr"]),
                    "ssim_gaussian11": float(last["ssim_gaussian"]),
                }
            )
    if not rows:
        raise ValueError(f"no training below {runs} is finished and was validated at its end")
    return {"name": "end of its training", "rows": rows}
