"""Which region of a new segmentation is which region of the one before: overlap, without an assignment solver.

The regions of one map are disjoint, so "the intersection is more than half of the union" pairs each region with one
other at most. Proof: let a be a region of one map, and b, c two regions of the other with |a & b| > |a | b| / 2 and
|a & c| > |a | c| / 2. A union is no smaller than a, so both intersections hold more than half of a; as b and c are
disjoint, a would hold more than itself. The same holds with the maps exchanged. An optimal assignment (Kuhn 1955) under
this threshold therefore has no choice left.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint8]


def matched(new: Ids, old: Ids, least: float = 0.5) -> dict[int, int]:
    """{number in ``new``: number in ``old``} of the regions whose intersection over union is above ``least`` >= 0.5.

    Both maps have the same shape; 0 is no region and is never matched.
    """
    if least < 0.5:
        raise ValueError(f"below one half a region could match several, so not {least}")
    pairs = new.ravel().astype(np.intp) * 256 + old.ravel()
    both = np.bincount(pairs, minlength=65536).reshape(256, 256)
    union = both.sum(axis=1)[:, None] + both.sum(axis=0)[None, :] - both
    found = both > least * union
    found[0] = found[:, 0] = False
    return {int(a): int(b) for a, b in np.argwhere(found)}
