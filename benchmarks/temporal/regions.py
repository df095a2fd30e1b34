"""Where regions come from in the ablation: the truth, the truth in wrong places, or SAM itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.night import NightClip
from engines.planes import Bytes
from stream.vision.regions import MOST, Segmentation
from stream.vision.segmenter import Segmenter, checked

_LONGEST_SIDE = 256
Look = Callable[[int, Bytes], Segmentation]
"""Regions of a frame by its number and its snapshot, RGB uint8 [h, w, 3]."""
Eyes = Callable[[NightClip], Look]


class InStep(Segmenter):
    """The product's segmenter without its thread: each result comes one frame after its snapshot, on any machine.

    Frames wait for it, so their times say nothing; what they show can be repeated.
    """

    def __init__(self, look: Look) -> None:
        super().__init__(lambda rgb: look(self._frame, rgb))
        self._look_at = look
        self._ready: tuple[int, Segmentation] | None = None
        self._frame = -1

    def take(self) -> tuple[int, Segmentation] | None:
        """Called once at the beginning of every frame."""
        self._frame += 1
        ready, self._ready = self._ready, None
        return ready

    def offer(self, seq: int, rgb: Bytes) -> None:
        """Looks at the snapshot at once."""
        self._ready = seq, checked(self._look_at(self._frame, rgb))
        self.runs += 1


def true_regions(clip: NightClip) -> Look:
    """The masks of the moving objects, as a perfect segmenter would give them; no embedding."""
    step = max(1, round(max(clip.size) / _LONGEST_SIDE))
    return lambda frame, _: Segmentation(by_size(clip.masks[frame, ::step, ::step]))


@cache
def opened_sam(encoder: Path, decoder: Path) -> Any:
    """SAM from two ONNX files, opened once."""
    from stream.vision.sam_regions import open_sam

    return open_sam(encoder, decoder)


def sam_regions(encoder: Path, decoder: Path) -> Eyes:
    """What SAM sees in the snapshot."""

    def look(_: int, rgb: Bytes) -> Segmentation:
        found: Segmentation = opened_sam(encoder, decoder)(rgb)
        return found

    return lambda _: look


def shuffled(eyes: Eyes, seed: int) -> Eyes:
    """The same shapes, wrong places: every map and embedding is mirrored or not and moved around its edges at random.

    A network that gains as much from these gains from something else than knowing what is where.
    """

    def make(clip: NightClip) -> Look:
        look, rng = eyes(clip), np.random.default_rng(seed)

        def moved_look(frame: int, rgb: Bytes) -> Segmentation:
            found = look(frame, rgb)
            down, across = rng.uniform(0.25, 0.75, 2)
            mirror = bool(rng.integers(0, 2))

            def moved(array: Any) -> Any:
                given = array[..., ::-1] if mirror else array
                places = round(down * array.shape[-2]), round(across * array.shape[-1])
                return np.ascontiguousarray(np.roll(given, places, (-2, -1)))

            return Segmentation(moved(found.ids), None if found.embedding is None else moved(found.embedding))

        return moved_look

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
