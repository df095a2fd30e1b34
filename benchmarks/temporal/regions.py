"""Where regions come from in the ablation: the truth, the truth in wrong places, or SAM itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.night import NightClip
from engines.planes import Bytes
from stream.vision.regions import MOST, Segmentation

_LONGEST_SIDE = 256
Segment = Callable[[Bytes], Segmentation]


class Source:
    """A segmenter for one clip. ``now`` is the frame that is being enhanced, for those that know the truth."""

    def __init__(self, segment: Callable[[Source, Bytes], Segmentation]) -> None:
        self._segment = segment
        self.now = 0

    def segment(self, rgb: Bytes) -> Segmentation:
        """Regions of a snapshot, RGB uint8 [h, w, 3]."""
        return self._segment(self, rgb)


def true_regions(clip: NightClip) -> Source:
    """The masks of the moving objects, as a perfect segmenter would give them, at once; no embedding."""
    step = max(1, round(max(clip.size) / _LONGEST_SIDE))
    return Source(lambda source, _: Segmentation(by_size(clip.masks[source.now, ::step, ::step])))


@cache
def sam_regions(encoder: Path, decoder: Path) -> Callable[[NightClip], Source]:
    """SAM from two ONNX files, opened once."""
    from stream.vision.sam_regions import open_sam

    sam = open_sam(encoder, decoder)
    return lambda _: Source(lambda source, rgb: sam(rgb))


def shuffled(regions: Callable[[NightClip], Source], seed: int) -> Callable[[NightClip], Source]:
    """The same shapes, wrong places: every map and embedding is mirrored or not and moved around its edges at random.

    A network that gains as much from these gains from something else than knowing what is where.
    """

    def make(clip: NightClip) -> Source:
        inner, rng = regions(clip), np.random.default_rng(seed)

        def segment(source: Source, rgb: Bytes) -> Segmentation:
            inner.now = source.now
            found = inner.segment(rgb)
            down, across = rng.uniform(0.25, 0.75, 2)
            mirror = int(rng.integers(0, 2))

            def moved(array: np.ndarray) -> np.ndarray:
                if mirror:
                    array = array[..., ::-1]
                return np.roll(array, (round(down * array.shape[-2]), round(across * array.shape[-1])), (-2, -1))

            embedding = None if found.embedding is None else moved(found.embedding)
            return Segmentation(moved(found.ids), embedding)

        return Source(segment)

    return make


def by_size(ids: Bytes) -> Bytes:
    """The map with the ids 1, 2, ... from the largest region to the smallest, ``MOST`` of them."""
    counts = np.bincount(ids.ravel(), minlength=1)
    counts[0] = 0
    largest = [int(i) for i in np.argsort(-counts, kind="stable")[:MOST] if counts[i]]
    table = np.zeros(len(counts), np.uint8)
    for number, region in enumerate(largest, start=1):
        table[region] = number
    return table[ids]
