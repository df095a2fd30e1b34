"""What a low-light pair is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A dark picture and its target. ``brighter`` is the next exposure of the same scene, if there is one."""

    name: str
    low: Path
    high: Path
    brighter: Path | None = None
