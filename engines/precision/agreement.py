"""Do two ways of running a model agree? Compared in 8-bit codes of the enhanced picture: what one sees.

Every engine passes here before it is installed. A result that is not finite fails whatever the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.colour import Colour
from engines.curve.grid import CurveGrid
from engines.curve.reference import apply
from engines.planes import Planes

Floats = NDArray[np.float32]
Run = Callable[[Mapping[str, Floats]], Mapping[str, NDArray[Any]]]

LIMITS = {"fp32": 1.0, "fp16": 2.0, "int8": 4.0}
"""Greatest allowed 99th percentile of the difference, in codes of 255."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Differences in codes over all pictures. ``broken``: the first kind of picture with NaN or infinity, or empty."""

    p99: float
    worst: float
    pictures: int
    broken: str = ""

    def passes(self, limit: float) -> bool:
        """Whether the 99th percentile keeps to ``limit`` and everything was finite."""
        return not self.broken and self.p99 <= limit

    def __str__(self) -> str:
        if self.broken:
            return f"NaN or infinity on {self.broken}"
        return f"p99 {self.p99:.2f}, max {self.worst:.2f} codes over {self.pictures} pictures"


def compare(reference: Run, candidate: Run, feeds: Iterable[tuple[str, dict[str, Floats]]], grid: bool) -> Agreement:
    """Runs both on everything that ``feeds`` gives; ``grid``: the model gives a grid and not a picture.

    With a picture that is broken in the reference as well, the model is at fault, and it is said all the same.
    """
    differences, count = [], 0
    for kind, feed in feeds:
        count += 1
        one, two = reference(feed), candidate(feed)
        given = next(iter(feed.values()))
        for name, expected in one.items():
            if not np.isfinite(expected).all() or not np.isfinite(two[name]).all():
                return Agreement(float("inf"), float("inf"), count, kind)
            if two[name].shape != expected.shape:
                return Agreement(float("inf"), float("inf"), count, f"{kind}: {name} has another shape")
            differences.append(_codes(expected, two[name], given, grid))
    together = np.concatenate(differences) if differences else np.zeros(1)
    return Agreement(float(np.percentile(together, 99)), float(together.max()), count)


def _codes(expected: NDArray[Any], found: NDArray[Any], given: Floats, grid: bool) -> NDArray[np.float32]:
    if not grid:
        return np.abs(expected.astype(np.float32) - found.astype(np.float32)).ravel() * np.float32(255)
    pairs = zip(expected, found, given, strict=True)
    return np.concatenate([np.abs(applied(one, seen) - applied(two, seen)) for one, two, seen in pairs])


def applied(grid: NDArray[Any], planar: Floats) -> NDArray[np.float32]:
    """Codes of the picture [3, h, w] (y, u, v) after the shipped pass, all planes in one row."""
    codes = np.rint(planar * 255 + np.array([0, 128, 128], np.float32)[:, None, None]).clip(0, 255).astype(np.uint8)
    planes = Planes(codes[0], codes[1, ::2, ::2].copy(), codes[2, ::2, ::2].copy(), Colour("bt709", True))
    done = apply(planes, CurveGrid(grid.astype(np.float32)))
    return np.concatenate([plane.ravel() for plane in (done.y, done.u, done.v)]).astype(np.float32)
