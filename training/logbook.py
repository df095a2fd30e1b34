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
            writer = csv.DictWriter(file, list(self.rows[0]))
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
        steps = np.array([int(row["step"]) for row in rows])
        names = [name for name in rows[0] if name != "step"]
        width = max(1, len(rows) // 50) if path == log else 1
        for name in names if path == log else ["psnr"]:
            values = np.convolve([float(row[name]) for row in rows], np.ones(width) / width, "valid")
            axes.plot(steps[width - 1 :], values, label=name)
        axes.legend()
    left.set_title("loss")
    right.set_title("validation PSNR, dB")
    figure.savefig(target, dpi=90)
