"""Regions of a video: what the segmenter found in one picture, and what is known of it in the frames that follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ids = NDArray[np.uint8]

MOST = 16
"""Regions at a time, beside the background."""


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What a segmenter finds in a snapshot.

    ``ids`` uint8 [sh, sw], any size: 0 where there is no region, 1..n from the largest. ``embedding`` float32
    [256, eh, ew] of the whole picture, None where the segmenter has none.
    """

    ids: Ids
    embedding: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The regions of one frame.

    ``ids`` uint8 [h, w] at the size of the thumbnail: 0 for the background and what is not known, 1..16 for identities
    that stay the same from frame to frame. By identity, index 0 unused: ``confidence`` float32 [17] in 0..1, ``age`` in
    seconds [17], ``weight`` [17] in 0..1, the cross-fade of a region that comes or goes, and ``features`` float32
    [17, 256], the embedding pooled over the region (zeros = not known), None without an embedding.
    """

    ids: Ids
    confidence: Floats
    age: Floats
    weight: Floats
    features: Floats | None = None
