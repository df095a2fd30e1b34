"""How results leave: Markdown tables on the screen, JSON files, plots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS = Path(__file__).parent / "results"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; the first column is left-aligned, the others to the right. Floats come with three digits."""
    lines = [f"| {' | '.join(columns)} |", f"| --- {'| ---: ' * (len(columns) - 1)}|"]
    lines += [f"| {' | '.join(_text(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines)


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.1f}" if abs(cell) >= 20 else f"{cell:.2f}"
    return str(cell)


def save(folder: Path, name: str, content: dict[str, Any]) -> Path:
    """Writes ``name.json`` into the folder of results."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"\n{path}")
    return path


def figure(width: float = 9.0, height: float = 4.2, columns: int = 1) -> tuple[Figure, Any]:
    """A figure without a display and its axes, one or an array of ``columns``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    made, axes = pyplot.subplots(1, columns, figsize=(width, height), layout="constrained")
    for axis in axes if columns > 1 else [axes]:
        axis.spines[["top", "right"]].set_visible(False)
    return made, axes


def save_figure(made: Figure, folder: Path, name: str) -> None:
    """Writes ``name.png`` beside the JSON and closes the figure."""
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    made.savefig(folder / f"{name}.png", dpi=110)
    pyplot.close(made)
    print(folder / f"{name}.png")
