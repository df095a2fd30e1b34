"""Measures one model over many pictures: the mean of every figure, the worst PSNR, and pictures to look at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from rich.progress import track
from torch import Tensor

from engines.planes import Bytes
from training.data import Subject, read_picture
from training.evaluate.models import Model
from training.evaluate.planes import to_tensor
from training.metrics import FULL_REFERENCE, LPIPS, WeightsMissingError, gt_mean, niqe
from training.metrics.lpips import Backbone


@dataclass(frozen=True, slots=True)
class Measures:
    """Which figures are taken beside those of ``FULL_REFERENCE``; ``lpips`` by name of column.

    ``gt_mean`` doubles every full-reference figure with one of the result scaled to its target's mean first.
    """

    gt_mean: Literal["grey", "llflow"] | None = None
    niqe: bool = False
    lpips: dict[str, LPIPS] = field(default_factory=dict)

    def of(self, got: Bytes, want: Bytes | None) -> dict[str, float]:
        """All figures of one result; without a target there is only NIQE."""
        found: dict[str, float] = {}
        if want is not None:
            target, result = to_tensor(want), to_tensor(got)
            found |= self._against(result, target, "")
            if self.gt_mean is not None:
                levelled = gt_mean(result, target, plain=self.gt_mean == "llflow").round()
                found |= self._against(levelled, target, "_gt_mean")
        if self.niqe or want is None:
            found["niqe"] = niqe(got)
        return found

    def _against(self, got: Tensor, want: Tensor, suffix: str) -> dict[str, float]:
        metrics: dict[str, Callable[[Tensor, Tensor], Tensor]] = {**FULL_REFERENCE, **self.lpips}
        return {f"{name}{suffix}": metric(got, want).item() for name, metric in metrics.items()}


def open_lpips(folder: Path | None) -> tuple[dict[str, LPIPS], list[str]]:
    """LPIPS with the backbones whose weights are in ``folder`` (None: torchvision's cache), and what is missing."""
    found: dict[str, LPIPS] = {}
    missing = []
    backbones: tuple[Backbone, ...] = ("alex", "vgg")
    for backbone in backbones:
        try:
            found[f"lpips_{backbone}"] = LPIPS(backbone, folder)
        except WeightsMissingError as error:
            missing.append(str(error))
    return found, missing


@dataclass(frozen=True, slots=True)
class Measured:
    """Means over all pictures, on how many of them NIQE could say something, and the results that were kept.

    ``kept``: position -> (result, its PSNR in dB, NaN without a target).
    """

    figures: dict[str, float]
    with_niqe: int
    kept: dict[int, tuple[Bytes, float]]


def measure(
    model: Model,
    subjects: Sequence[Subject],
    label: str = "",
    show: bool = False,
    *,
    measures: Measures | None = None,
    keep: Collection[int] = (),
) -> Measured:
    """Figures of ``model`` over all ``subjects``. Raises ``ValueError`` naming a picture that cannot be measured."""
    measures = measures or Measures()
    rows, kept = [], {}
    for number, subject in enumerate(track(subjects, label, disable=not show)):
        low, high = (subject, None) if isinstance(subject, Path) else (subject.low, subject.high)
        want = read_picture(high) if high else None
        try:
            got = model(read_picture(low), low, want)
            rows.append(measures.of(got, want))
        except ValueError as error:
            raise ValueError(f"{low}: {error}") from error
        if number in keep:
            kept[number] = (got, rows[-1].get("psnr", float("nan")))
    figures = {name: _mean([row[name] for row in rows]) for name in rows[0]}
    if "psnr" in figures:
        figures["psnr_worst"] = min(row["psnr"] for row in rows)
    return Measured(figures, sum(not np.isnan(row.get("niqe", np.nan)) for row in rows), kept)


def _mean(values: Sequence[float]) -> float:
    """Over those that are there; NaN if none is."""
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")
