"""What a run shows on standard error: a rich bar on a terminal, otherwise one plain line at the start and the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from stream.summary import Summary
from stream.telemetry import Stats

if TYPE_CHECKING:
    from rich.progress import Progress


class Display(Protocol):
    """Told what happens; shows what fits the place."""

    def __enter__(self) -> Display: ...
    def __exit__(self, *_: object) -> None: ...
    def begin(self, name: str, frames: int | None) -> None: ...
    def update(self, stats: Stats) -> None: ...
    def end(self, stats: Stats) -> None: ...
    def say(self, text: str) -> None: ...


def open_display(*, quiet: bool) -> Display:
    """The display for this standard error."""
    return Bar() if sys.stderr.isatty() and not quiet else Plain(quiet=quiet)


class Plain:
    """Lines without colours; no line at all when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begin(self, name: str, frames: int | None) -> None:
        """Work on a file starts; ``frames`` is an estimate."""
        self.say(f"{name}: {f'about {frames} frames' if frames else 'started'}")

    def update(self, stats: Stats) -> None:
        """Nothing: nobody watches."""

    def end(self, stats: Stats) -> None:
        """Nothing: the caller tells the result."""

    def say(self, text: str) -> None:
        """A line for people."""
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)


class Bar:
    """Frames, frames a second, time left, and how long a frame takes to enhance: median and 95th percentile."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress: Progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.completed:.0f}/{task.fields[frames]} frames"),
            TextColumn("{task.fields[fps]:.0f} fps"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[latency]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, visible=False, frames="?", fps=0.0, latency="")

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str, frames: int | None) -> None:
        """Work on a file starts; ``frames`` is an estimate."""
        self._progress.reset(
            self._task, total=frames, description=name, visible=True, frames=frames or "?", fps=0.0, latency=""
        )

    def update(self, stats: Stats) -> None:
        """Move the bar."""
        figures = stats.stages.get("enhance")
        latency = f"enhance p50 {figures.p50_ms:.1f}, p95 {figures.p95_ms:.1f} ms" if figures and figures.count else ""
        self._progress.update(self._task, completed=stats.frames_out, fps=stats.fps, latency=latency)

    def end(self, stats: Stats) -> None:
        """Hide the bar."""
        self.update(stats)
        self._progress.update(self._task, visible=False)

    def say(self, text: str) -> None:
        """A line for people, above the bar."""
        self._progress.console.print(text, markup=False, soft_wrap=True)


def result_line(summary: Summary) -> str:
    """``out.mp4: 190 frames, 84 fps``"""
    if summary.output is None:
        return f"{summary.input}: {summary.error or 'no output'}"
    parts = [f"{summary.frames_out} frames" if summary.frames_out != 1 else "1 frame"]
    if summary.frames_out > 1:
        parts.append(f"{summary.fps:.0f} fps")
    if summary.damaged:
        parts.append(f"{summary.damaged} damaged")
    parts += [f"{count} dropped ({cause})" for cause, count in summary.dropped.items()]
    return f"{summary.output}: {', '.join(parts)}"


def result_table(rows: Sequence[tuple[str, str, str]]) -> str:
    """Plain columns of (input, result, detail)."""
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}".rstrip() for row in rows)
