"""Region ids painted for networks that take ``regions``: a colour for each and a channel that is 1 inside them.

The maps are those of Enlighten Anything (arXiv 2306.10286) as this project trains it: colours that a hash makes of the
id, the same in every run, where the published ones are random; or the mean colour of each region in the brightened dark
picture. NumPy twin of what training uses (`networks.enlighten_anything`, `networks.skf.brighten`), held to it by tests.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import Floats

Ids = NDArray[np.uint8]

GAMMA = 0.45
DARKEST = 1e-4


def brightened(picture: Floats) -> Floats:
    """A dark picture in 0..1 as training brightens it: one fixed curve."""
    bright: Floats = np.clip(picture, DARKEST, 1.0) ** np.float32(GAMMA)
    return bright


def hashed_colours(ids: Ids) -> Floats:
    """Ids of any shape -> a colour for each [3, ...] in 0..1."""
    return _spread(_hashed(), ids)


def region_means(ids: Ids, picture: Floats) -> Floats:
    """The mean colour of every region in a picture [3, h, w], painted back on the region; ids are [h, w]."""
    flat = ids.ravel().astype(np.intp)
    count = np.maximum(np.bincount(flat, minlength=256), 1)
    sums = [np.bincount(flat, weights=channel.ravel(), minlength=256) for channel in picture]
    return _spread((np.stack(sums) / count).astype(np.float32), ids)


@lru_cache(maxsize=1)
def _hashed() -> Floats:
    """The colour of every id, [3, 256]."""
    mixed: NDArray[Any] = (np.arange(256, dtype=np.uint64) * 2654435761 + 40503) % 2**32
    mixed = ((mixed ^ (mixed >> 15)) * 2246822519) % 2**32
    mixed = mixed ^ (mixed >> 13)
    return np.stack([(mixed >> shift) & 255 for shift in (0, 8, 16)]).astype(np.float32) / np.float32(255)


def _spread(table: Floats, ids: Ids) -> Floats:
    """A table [3, 256] looked up at every id; plane by plane, because that is ten times as fast as at once."""
    out = np.empty((3, *ids.shape), np.float32)
    places = ids.astype(np.intp)
    for channel in range(3):
        np.take(table[channel], places, out=out[channel], mode="clip")
    return out


def painted(ids: Ids, picture: Floats | None = None) -> Floats:
    """Ids [h, w], 0 where there is no region -> colours and validity [1, 4, h, w], zeros outside.

    With the dark ``picture`` [3, h, w] in 0..1 the colours are means of the brightened one, else hashes of the ids.
    """
    inside = ids > 0
    out = np.empty((1, 4, *ids.shape), np.float32)
    out[0, :3] = hashed_colours(ids) if picture is None else region_means(ids, brightened(picture))
    out[0, :3] *= inside
    out[0, 3] = inside
    return out
