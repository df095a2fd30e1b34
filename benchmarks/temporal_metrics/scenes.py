"""Scenes of a clip: what lies between two cuts."""

from __future__ import annotations

from collections.abc import Iterable


def scenes(frames: int, cuts: Iterable[int], settle: int = 0, shortest: int = 1) -> list[slice]:
    """Frame ranges of the scenes without the first ``settle`` frames of each, if ``shortest`` or more are left.

    Raises ``ValueError`` for a cut outside 1..frames-1.
    """
    edges = sorted(set(cuts))
    if edges and not (edges[0] > 0 and edges[-1] < frames):
        raise ValueError(f"cuts {edges} of a clip of {frames} frames")
    starts, ends = [0, *edges], [*edges, frames]
    kept = [slice(start + settle, end) for start, end in zip(starts, ends, strict=True)]
    return [scene for scene in kept if scene.stop - scene.start >= max(shortest, 1)]
