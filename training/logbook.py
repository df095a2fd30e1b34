"""The figures of a run as CSV, and as curves in a PNG."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np


class Logbook:
    """Rows of named figures by step. Rows past the step that a run resumes from are dropped: they will come again."""

    def __init__(self, path: Path, first: int) -> None:
        self.path = path
        self.rows: list[dict[str, str]] = []
        if path.is_file():
            with path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) < first]

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        self.rows.append({"step": str(step)} | {name: f"{value:.6g}" for name, value in figures.items()})

    def write(self) -> None:
        if not self.rows:
            return
        with self.path.open("w", newline="") as file:
            # Phases and alternating systems have terms of their own; what a row does not have stays empty.
            names = dict.fromkeys(name for row in self.rows for name in row)
            writer = csv.DictWriter(file, list(names))
            writer.writeheader()
            writer.writerows(self.rows)


def draw_curves(log: Path, validation: Path, target: Path) -> None:
    """The loss and its terms (running means), and the validation scores if there are any."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, path in ((left, log), (right, validation)):
        axes.set_xlabel("step")
        if not path.is_file():
            continue
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        # Gradients have a scale of their own, which would flatten the losses.
        names = [name for name in rows[0] if name != "step" and not name.startswith("gradient_")]
        for name in names if path == log else ["psnr"]:
            found = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
            width = max(1, len(found) // 50) if path == log else 1
            values = np.convolve([value for _, value in found], np.ones(width) / width, "valid")
            axes.plot([step for step, _ in found[width - 1 :]], values, label=name)
        axes.legend()
    left.set_title("loss")
    right.set_title("validation PSNR, dB")
    figure.savefig(target, dpi=90)
