"""J and F of masks against true ones, after DAVIS (Perazzi et al., CVPR 2016): overlap, and agreement of outlines.

J is intersection over union. F is the harmonic mean of precision and recall of the outline, an outline pixel being
right if the other outline is within 0.8 % of the picture's diagonal (here: in a disc of that radius, rounded up).
Identities count: a found region stands for the same true object in the whole clip, so exchanging two costs both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.temporal_metrics.arrays import Array, Bools

_TOLERANCE = 0.008


@dataclass(frozen=True, slots=True)
class RegionScores:
    """Means over the frames that show an object, then over objects; ``objects`` says how many there were."""

    j: float
    f: float
    objects: int

    @property
    def j_and_f(self) -> float:
        return (self.j + self.f) / 2


def jaccard(found: Bools, true: Bools) -> float:
    """Intersection over union of two masks [H, W]; 1 where both are empty."""
    union = np.count_nonzero(found | true)
    return np.count_nonzero(found & true) / union if union else 1.0


def outline(mask: Bools) -> Bools:
    """Pixels of a mask that have a neighbour (four of them) outside it; the picture's own edge is no outline."""
    padded = np.pad(mask, 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.asarray(mask & ~inner)


def widened(mask: Bools, radius: int) -> Bools:
    """The mask and everything within ``radius`` pixels of it."""
    height, width = mask.shape
    padded = np.pad(mask, radius)
    grown = np.zeros_like(mask)
    for dy in range(-radius, radius + 1):
        reach = int(np.sqrt(radius**2 - dy**2))
        for dx in range(-reach, reach + 1):
            grown |= padded[radius + dy : radius + dy + height, radius + dx : radius + dx + width]
    return grown


def boundary_f(found: Bools, true: Bools, radius: int | None = None) -> float:
    """F of the outlines of two masks [H, W]; 1 where neither has any, 0 where only one has."""
    if radius is None:
        radius = max(1, int(np.ceil(_TOLERANCE * np.hypot(*true.shape))))
    first, second = outline(found), outline(true)
    if not first.any() or not second.any():
        return float(first.any() == second.any())
    precision = np.count_nonzero(first & widened(second, radius)) / np.count_nonzero(first)
    recall = np.count_nonzero(second & widened(first, radius)) / np.count_nonzero(second)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def matched(found: Array, true: Array) -> dict[int, int | None]:
    """Which found id stands for each true id over the clip, both [n, H, W]: the best overlap first, each used once."""
    pairs = []
    for want in np.unique(true[true > 0]):
        inside = true == want
        for got in np.unique(found[inside & (found > 0)]):
            pairs.append((jaccard(found == got, inside), int(want), int(got)))
    match: dict[int, int | None] = {int(want): None for want in np.unique(true[true > 0])}
    used = set[int]()
    for _, want, got in sorted(pairs, reverse=True):
        if match[want] is None and got not in used:
            match[want] = got
            used.add(got)
    return match


def region_scores(found: Array, true: Array) -> RegionScores | None:
    """J and F of all true objects (ids 1 and up) in the frames that show them; None where there are none.

    Both are id maps [n, H, W] of one size. An object that no region stands for has J = F = 0.
    """
    match = matched(found, true)
    overlaps, outlines = [], []
    for want, got in match.items():
        shown = [t for t in range(len(true)) if (true[t] == want).any()]
        if got is None:
            overlaps.append(0.0)
            outlines.append(0.0)
            continue
        overlaps.append(float(np.mean([jaccard(found[t] == got, true[t] == want) for t in shown])))
        outlines.append(float(np.mean([boundary_f(found[t] == got, true[t] == want) for t in shown])))
    return RegionScores(float(np.mean(overlaps)), float(np.mean(outlines)), len(match)) if match else None
