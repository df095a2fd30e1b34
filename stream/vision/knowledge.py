"""What is known of a frame beside its pixels, in the form in which networks take it.

Each network gets what it declares, by the names of `engines.network_inputs`: the image encoder's embedding (SKF),
painted regions (Enlighten Anything), the share of every region in each grid cell and its pooled embedding (curve with
regions). What is not known is left out and reaches the network as zeros. How far a region is believed is its weight
(it may be coming or going) times its confidence (its motion may be uncertain, or it was last seen long ago).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from engines.curve.grid import CELL
from engines.region_map import painted
from engines.thumbnail import Thumbnail
from stream.vision.regions import MOST, Floats, Ids, Regions

FAINT = 0.25
"""A painted map knows regions or none: those that are believed less than this are not painted."""


def extra_inputs(
    names: Collection[str],
    regions: Regions | None,
    embedding: Floats | None,
    thumbnail: Thumbnail,
    colours: str = "hashed",
) -> dict[str, Floats]:
    """Those of ``names`` that are known of this frame, float32, each with an axis of 1 in front.

    ``thumbnail`` is the dark one, as it came. ``embedding`` [256, eh, ew]. ``colours`` as the bundle's card says:
    ``means`` of the brightened thumbnail, else hashes of the ids. Regions of another size than the thumbnail belong to
    another picture and say nothing of this one.
    """
    known: dict[str, Floats] = {}
    if "embedding" in names and embedding is not None:
        known["embedding"] = np.ascontiguousarray(embedding[None], dtype=np.float32)
    if regions is None or regions.ids.shape != thumbnail.y.shape:
        return known
    if "regions" in names:
        picture = np.clip(thumbnail.to_rgb(), 0, 1) if colours == "means" else None
        known["regions"] = painted(believed(regions), picture)
    if "region_weights" in names:
        known["region_weights"] = region_weights(regions)
    if "region_features" in names and regions.features is not None:
        known["region_features"] = np.ascontiguousarray(regions.features[None], dtype=np.float32)
    return known


def belief(regions: Regions) -> Floats:
    """How far each region is believed, [17] in 0..1; 0 for the background, which is no region."""
    trust: Floats = np.clip(regions.weight * regions.confidence, 0, 1).astype(np.float32)
    trust[0] = 0
    return trust


def believed(regions: Regions) -> Ids:
    """The ids without those that are believed too little."""
    kept = np.arange(MOST + 1, dtype=np.uint8)
    kept[belief(regions) < FAINT] = 0
    return kept[regions.ids]


def region_weights(regions: Regions) -> Floats:
    """Share of each region in each cell of 8x8 pixels, as far as it is believed: [1, 17, rows, cols].

    Index 0 is the rest, so that the shares sum to 1. Both sides of the map are multiples of 8.
    """
    rows, cols = (side // CELL for side in regions.ids.shape)
    cells = np.arange(rows * cols).reshape(rows, 1, cols, 1) * (MOST + 1)
    pixels = regions.ids.reshape(rows, CELL, cols, CELL)
    counts = np.bincount((cells + pixels).ravel(), minlength=rows * cols * (MOST + 1))
    shares = counts.reshape(rows, cols, MOST + 1).astype(np.float32) / CELL**2 * belief(regions)
    shares[..., 0] = np.clip(1 - shares.sum(axis=2), 0, 1)
    return np.ascontiguousarray(np.moveaxis(shares, 2, 0)[None])
