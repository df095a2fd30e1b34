"""Regions of a picture without any prompt: a grid of points, tests of the masks, suppression of doubles, one id map.

After the automatic mask generator published with SAM (Kirillov et al., ICCV 2023), made light for video, which is this
project's own: a coarse grid; points that lie in a mask already found are skipped; the tests are made on the low
resolution logits; suppression compares masks, not boxes, on a quarter of their pixels along each side. Regions are
painted from large to small, so that what lies on top of something stays visible.

Where every point costs a tenth of a second, ``most_points`` bounds them: each is then the point that is farthest from
all that were tried and all that masks cover, so the first few find what is large. On eleven enhanced thumbnails 4 to 12
points, 9 on average, covered 81 % or more of nine of them; all the points of the grid, up to 24, added small objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.sam.image_encoder import Encoded
from engines.sam.mask_decoder import MaskDecoder, mask_size
from engines.sam.session import Floats

_SURE = 4

Bools = NDArray[np.bool_]
Ids = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class AutomaticOptions:
    """What counts as a region; thresholds as published, which suits large models in good light.

    ``side`` points along each axis. A mask is kept if the model's predicted IoU is above ``iou``, its stability is at
    least ``stability`` and it covers ``smallest`` to ``largest`` of the picture: one that covers nearly all of it tells
    nothing and would hide what it holds. Of two masks whose IoU is above ``overlap`` the better remains. At most
    ``most`` regions, the largest; 255 is the limit of an 8-bit map.

    ``most_points`` are tried at most, farthest first; None = all of the grid, row by row. ``together`` points go into
    one call at most: few, so that the masks of the first spare others. ``smooth`` takes logits as means of 3x3, because
    small decoders draw uncertain areas as a chequerboard.
    """

    side: int = 8
    iou: float = 0.88
    stability: float = 0.95
    overlap: float = 0.7
    smallest: float = 0.001
    largest: float = 0.9
    most: int = 255
    most_points: int | None = None
    together: int = 64
    smooth: bool = False

    def __post_init__(self) -> None:
        if self.side < 1:
            raise ValueError(f"the grid needs at least one point, not {self.side}")
        if not 1 <= self.most <= 255:
            raise ValueError(f"an 8-bit map holds 1 to 255 regions, not {self.most}")
        if self.together < 1 or (self.most_points is not None and self.most_points < 1):
            raise ValueError(f"at least one point is needed, not {self.most_points} with {self.together} together")


VIDEO = AutomaticOptions(iou=0.8, stability=0.7, smallest=0.002, most=16, most_points=12, together=4, smooth=True)
"""For thumbnails of video: loose, as small decoders and brightened noise need it; 12 points bound its time."""


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """``inside`` [mh, mw] at a quarter of the scaled picture, and the model's own estimate of its IoU."""

    inside: Bools
    iou: float


def grid(size: tuple[int, int], side: int) -> Floats:
    """``side * side`` points (x, y) of a picture of ``size`` (h, w), at the centres of equal cells, row by row."""
    centres = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(centres * size[1], centres * size[0])
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


def stability(logits: Floats) -> Floats:
    """|logit > 1| / |logit > -1| over the last two axes; 0 where a mask is empty."""
    sure = (logits > 1).sum(axis=(-2, -1))
    possible = (logits > -1).sum(axis=(-2, -1))
    ratio: Floats = (sure / np.maximum(possible, 1)).astype(np.float32)
    return ratio


def suppress(masks: Sequence[Mask], overlap: float) -> list[Mask]:
    """The masks, best predicted IoU first, without those that cover the same as a better one."""
    ordered = sorted(masks, key=lambda mask: -mask.iou)
    if not ordered:
        return []
    coarse = np.stack([mask.inside[1::4, 1::4].ravel() for mask in ordered]).astype(np.float32)
    both = coarse @ coarse.T
    area = coarse.sum(axis=1)
    shared = both / np.maximum(area[:, None] + area[None, :] - both, 1)
    kept: list[int] = []
    for number in range(len(ordered)):
        if not kept or shared[number, kept].max() <= overlap:
            kept.append(number)
    return [ordered[number] for number in kept]


def paint(masks: Sequence[Mask], size: tuple[int, int], most: int = 255) -> Ids:
    """Ids [mh, mw] of a picture of ``size`` (h, w): 0 where there is no mask, 1 the largest, and so on without gaps."""
    ids = np.zeros(mask_size(size), np.uint8)
    largest = sorted(masks, key=lambda mask: -int(np.count_nonzero(mask.inside)))[:most]
    for number, mask in enumerate(largest, start=1):
        ids[mask.inside] = number
    visible = np.unique(np.append(ids, 0))
    return np.searchsorted(visible, ids).astype(np.uint8)


def open_points(points: Floats, size: tuple[int, int], covered: Bools, batch: int) -> Iterator[Floats]:
    """The points in batches of at most ``batch``, without those that ``covered`` holds when their turn comes."""
    rows = (points[:, 1] * covered.shape[0] / size[0]).astype(int)
    columns = (points[:, 0] * covered.shape[1] / size[1]).astype(int)
    waiting = np.arange(len(points))
    while True:
        waiting = waiting[~covered[rows[waiting], columns[waiting]]]
        if not len(waiting):
            return
        yield points[waiting[:batch]]
        waiting = waiting[batch:]


def farthest_points(points: Floats, size: tuple[int, int], covered: Bools, batch: int, most: int) -> Iterator[Floats]:
    """At most ``most`` points, in batches, each as far as can be from those before and from what ``covered`` holds.

    The first lies next to the centre. Ends early where masks cover all points.
    """
    rows = (points[:, 1] * covered.shape[0] / size[0]).astype(int)
    columns = (points[:, 0] * covered.shape[1] / size[1]).astype(int)
    between = np.linalg.norm(points[:, None] - points, axis=2)
    tried = np.zeros(len(points), np.bool_)
    while True:
        known = covered[rows, columns] | tried
        chosen: list[int] = []
        while len(chosen) < min(batch, most) and not known.all():
            if known.any():
                distance = between[:, known].min(axis=1)
            else:
                distance = -np.linalg.norm(points - points.mean(axis=0), axis=1)
            chosen.append(int(np.where(known, -np.inf, distance).argmax()))
            known[chosen[-1]] = True
        if not chosen:
            return
        tried[chosen] = True
        most -= len(chosen)
        yield points[chosen]


def smoothed(logits: Floats) -> Floats:
    """Means of 3x3 over the last two axes, of logits within -4..4, so that the surest do not move an outline.

    Beyond the edge the outermost values count.
    """
    edges = [(0, 0)] * (logits.ndim - 2) + [(1, 1), (1, 1)]
    around = np.pad(np.clip(logits, -_SURE, _SURE), edges, mode="edge")
    rows = around[..., :-2, :] + around[..., 1:-1, :] + around[..., 2:, :]
    means: Floats = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]) * np.float32(1 / 9)
    return means


def find_masks(decoder: MaskDecoder, encoded: Encoded, options: AutomaticOptions | None = None) -> list[Mask]:
    """All masks of a picture that pass the tests, best first, none double."""
    options = options or AutomaticOptions()
    size = encoded.size
    covered = np.zeros(mask_size(size), np.bool_)
    found: list[Mask] = []
    lattice, batch = grid(size, options.side), min(decoder.batch, options.together)
    if options.most_points is None:
        batches = open_points(lattice, size, covered, batch)
    else:
        batches = farthest_points(lattice, size, covered, batch, options.most_points)
    for points in batches:
        prompted = decoder.prompt(encoded, points)
        logits = smoothed(prompted.logits) if options.smooth else prompted.logits
        inside = logits > 0
        good = (prompted.iou > options.iou) & (stability(logits) >= options.stability)
        share = inside.mean(axis=(-2, -1))
        good &= (share >= options.smallest) & (share <= options.largest)
        for point, which in np.argwhere(good):
            found.append(Mask(inside[point, which], float(prompted.iou[point, which])))
            covered |= inside[point, which]
    return suppress(found, options.overlap)


def find_regions(decoder: MaskDecoder, encoded: Encoded, options: AutomaticOptions | None = None) -> Ids:
    """The id map [mh, mw] of a picture; its longest side is 256."""
    options = options or AutomaticOptions()
    return paint(find_masks(decoder, encoded, options), encoded.size, options.most)
