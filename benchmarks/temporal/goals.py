"""What stability should reach, and where it stands: goals that the tables are read for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import report

Rows = dict[str, dict[str, Any]]
"""The rows of a scenario by method, mean figures over seeds."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of a scenario at level mid; ``value`` raises ``KeyError`` or ``TypeError`` without it."""

    what: str
    scenario: str
    value: Callable[[Rows, str], float]
    at_least: float | None = None
    at_most: float | None = None
    digits: int = 2

    def line(self, rows: Rows, ours: str) -> tuple[str, str, str, str] | None:
        """What, the goal, the value, and whether it is reached; None where it was not measured."""
        try:
            value = self.value(rows, ours)
        except (KeyError, TypeError):
            return None
        low, high = self.at_least, self.at_most
        met = (low is None or value >= low) and (high is None or value <= high)
        bound = f">= {low:g}" if low is not None else f"<= {high:g}"
        return f"{self.what} ({self.scenario})", bound, f"{value:.{self.digits}f}", "yes" if met else "**no**"


def _own(key: str) -> Callable[[Rows, str], float]:
    return lambda rows, ours: float(rows[ours][key])


GOALS = (
    Goal("PSNR, dB", "pan", _own("psnr"), at_least=24),
    Goal("SSIM", "pan", _own("ssim"), at_least=0.75, digits=3),
    Goal("PSNR over SCI per frame, dB", "pan", lambda r, ours: r[ours]["psnr"] - r["sci"]["psnr"], at_least=4),
    Goal("curve jitter, codes", "pan", _own("curve_jitter"), at_most=0.5),
    Goal("curve jitter, codes", "static", _own("curve_jitter"), at_most=0.5),
    Goal("static residual", "static", _own("static_residual"), at_most=0.45),
    Goal(
        "excess warping error over that without denoising, codes",
        "pan",
        lambda r, ours: r[ours]["excess_warping"] - r["ema"]["excess_warping"],
        at_most=0,
    ),
    Goal("cut response, frames, of 8x8 means", "cuts", _own("cut_frames_tone"), at_most=1, digits=0),
    Goal("background when a bright object enters, codes", "enter", _own("background_change"), at_most=1),
)


def table(grouped: dict[str, Rows]) -> str:
    """Goals against the last of our variants that was measured, by scenario at level mid; empty without any."""
    lines = []
    for goal in GOALS:
        rows = grouped.get(goal.scenario, {})
        ours = next((name for name in ("regions", "denoise") if "psnr" in rows.get(name, {})), None)
        line = goal.line(rows, ours) if ours else None
        if line and ours:
            lines.append((line[0], f"`{ours}`", *line[1:]))
    return report.table(("", "method", "goal", "measured", "reached"), lines) if lines else ""
