"""Plots over time: mean luma, PSNR, jitter of the tone curves, and the background where something enters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import machine, report
from benchmarks.night import NightClip

_CURVES = (
    ("luma", "mean luma, 0..255"),
    ("psnr", "PSNR, dB"),
    ("curve_jitter", "curve jitter, codes"),
    ("background", "background against before, codes"),
)
_OURS = {"plain": "#fbbf24", "ema": "#f59e0b", "denoise": "#d97706", "regions": "#92400e"}
_PEERS = ("#9ca3af", "#4b7399", "#7fa650", "#a855a0", "#3b9e9e", "#c2566b", "#6b7280", "#1f4e79")


def over_time(clip: NightClip, series: dict[str, dict[str, Any]], truth: NDArray[Any], folder: Path) -> None:
    """One plot for each curve that the rows have, cuts as dotted lines, the ``truth`` [n] beside mean luma."""
    curves = [(key, label) for key, label in _CURVES if any(_known(found[key]) for found in series.values())]
    made, axes = report.figure(5.2 * len(curves), 3.8, columns=len(curves))
    peers = iter(_PEERS)
    colours = {name: _OURS.get(name) or next(peers, "#111827") for name in series}
    seconds = np.arange(len(clip)) / clip.fps
    for axis, (key, label) in zip(axes if len(curves) > 1 else [axes], curves, strict=True):
        for name, found in series.items():
            values = [np.nan if value is None else value for value in found[key]]
            axis.plot(seconds, values, color=colours[name], linewidth=1.8 if name in _OURS else 1, label=name)
        if key == "luma":
            axis.plot(seconds, truth, color="black", linestyle="--", linewidth=1, label="truth")
        for cut in clip.cuts:
            axis.axvline(cut / clip.fps, color="#d1d5db", linestyle=":", linewidth=1)
        if key == "curve_jitter":
            axis.set_yscale("symlog", linthresh=0.1)
        axis.set_title(label, loc="left", fontsize=10)
        axis.set_xlabel("seconds")
    made.legend(
        *(axes[0] if len(curves) > 1 else axes).get_legend_handles_labels(),
        loc="outside right upper",
        frameon=False,
        fontsize=8,
    )
    made.supxlabel(f"{clip.name}; {machine.sentence(machine.header())}", fontsize=7, color="#6b7280")
    report.save_figure(made, folder, f"temporal-{clip.scenario}-{clip.level}")


def _known(values: list[float | None]) -> bool:
    return any(value is not None for value in values)
