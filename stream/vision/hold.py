"""Holds the exposure of what has been steady: an object that enters must not pump the rest of the picture.

A network looks at the whole scene, so its wish for a wall changes when a lamp is carried past it. The wall's own luma
tells: where it has stayed the same for the better part of a second, and the average has come to what was wished for,
the node's exposure counts as established, and may change by a quarter of a code a second only. A wish that goes on
pulling in one direction for more than four seconds is then followed faster and faster, as eyes adapt: nothing is held
for good.

Own design; that exposure is a state per region, and a background's is its own, is the rule this follows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

ESTABLISHED_S = (0.4, 0.8)
"""Steady time from which a node begins to be held, and from which it is held entirely."""
RATE = 0.25
"""Codes of 255 per second."""
PATIENCE_S = 4.0
"""How long a steady pull in one direction meets that rate; after it, the rate grows by as much every second."""
FASTEST, NEAR = 3.0, 2.0
KNOTS = (0.5, 1.0, 2.0)
USUAL_CHROMA = np.float32(0.1)


def established(steady_s: Floats) -> Floats:
    """How far nodes that have been steady for so long may be held, 0..1."""
    first, last = ESTABLISHED_S
    held: Floats = np.clip((steady_s - first) / (last - first), 0, 1).astype(np.float32)
    return held


def settled(before: Floats, codes: Floats, steady_s: Floats) -> Floats:
    """Whether nodes have come within two codes of their wish since they became steady, 0..1.

    A first wish that was bad is averaged away like any other; it is not held.
    """
    near = np.maximum(before, codes < NEAR)
    return np.where(steady_s > ESTABLISHED_S[0], near, 0).astype(np.float32)


def codes_between(before: Floats, after: Floats, luma: Floats) -> tuple[Floats, Floats]:
    """How far two grids' nodes lie apart, in codes: the largest difference, and the signed one at the nodes' own luma.

    Coefficients [rows, cols, 9], ``luma`` [rows, cols]. Looked at are half, once and twice the luma, and such chroma as
    dark scenes have.
    """
    change = after - before
    a, s, b = np.moveaxis(change[..., :3], -1, 0)
    lumas = [np.minimum(luma * np.float32(knot), 1) for knot in KNOTS]
    moved = [a * y + s * np.sqrt(y) + b for y in lumas]
    gains, casts, shifts = (change[..., first::3] for first in (3, 4, 5))
    chroma = np.abs(gains) * USUAL_CHROMA + np.abs(casts * luma[..., None] + shifts)
    largest = np.maximum(np.abs(np.stack(moved)).max(axis=0), chroma.max(axis=-1))
    return (255 * largest).astype(np.float32), (255 * moved[1]).astype(np.float32)


def allowed(wanted: Floats, held: Floats, pulled_s: Floats, seconds: float) -> Floats:
    """The share of a step of ``wanted`` codes that each node may do, 0..1; 1 where nothing is held."""
    late = np.maximum(np.abs(pulled_s) - np.float32(PATIENCE_S), 0)
    rate = np.minimum(RATE * (1 + late), FASTEST)
    share = np.minimum(1, rate * np.float32(seconds) / np.maximum(wanted, np.float32(1e-6)))
    whole: Floats = (1 - held * (1 - share)).astype(np.float32)
    return whole


def pulled(pulled_s: Floats, share: Floats, direction: Floats, seconds: float) -> Floats:
    """For how long the wish has pulled each held node in one direction: seconds, negative for darker, 0 where free."""
    sign = np.sign(direction)
    onward = np.where(sign * pulled_s >= 0, pulled_s, 0) + sign * np.float32(seconds)
    return np.where(share < 1, onward, 0).astype(np.float32)
