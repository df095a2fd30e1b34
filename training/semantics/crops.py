"""What is known about a whole picture, cut to a training sample: embeddings between cells, region ids to the pixel.

SAM sees whole pictures; training sees crops, flipped and transposed. To cut the embedding instead of encoding each crop
is this project's own choice: one embedding per picture is then enough, and a crop keeps its context. The lattice of a
cut embedding covers the crop exactly, so that `EmbeddingBank.from_embedding(cut, crop.size)` is the knowledge of the
crop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from training.batches import Crop

CELL = 8
"""Pixels along each side of a cell of a cut embedding: SAM's own cells cover as many in a picture of 512x512."""


def crop_embedding(embedding: Tensor, size: tuple[int, int], crop: Crop, cell: int = CELL) -> Tensor:
    """Embedding [d, eh, ew] of a picture of ``size`` (h, w) -> that of ``crop`` [d, ch, cw], flipped and transposed.

    Bilinear between cells, as the bank itself interpolates; beyond the outermost centres the nearest cell counts.
    """
    rows = _centres(crop.top, crop.height, -(-crop.height // cell), size[0])
    columns = _centres(crop.left, crop.width, -(-crop.width // cell), size[1])
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), dim=-1).to(embedding)
    cut = F.grid_sample(embedding[None], places[None], mode="bilinear", padding_mode="border", align_corners=False)[0]
    return _turned(cut, crop)


def crop_regions(ids: Tensor, size: tuple[int, int], crop: Crop) -> Tensor:
    """Region ids [rh, rw] of a picture of ``size`` (h, w) -> int64 ids of the pixels of ``crop``, nearest."""
    rows = _nearest(crop.top, crop.height, size[0], ids.shape[0])
    columns = _nearest(crop.left, crop.width, size[1], ids.shape[1])
    return _turned(ids[rows][:, columns].long(), crop)


def _centres(start: int, length: int, cells: int, whole: int) -> Tensor:
    """Centres of ``cells`` cells that cover start .. start + length of 0 .. whole, in -1..1."""
    return 2 * (start + (torch.arange(cells) + 0.5) * length / cells) / whole - 1


def _nearest(start: int, length: int, whole: int, samples: int) -> Tensor:
    return ((start + torch.arange(length) + 0.5) * samples / whole).long().clamp(max=samples - 1)


def _turned(cut: Tensor, crop: Crop) -> Tensor:
    """The last two axes as ``Crop.of`` turns those of a picture."""
    axes = [axis for axis, flip in ((-2, crop.flip_v), (-1, crop.flip_h)) if flip]
    flipped = cut.flip(axes) if axes else cut
    return (flipped.transpose(-2, -1) if crop.transpose else flipped).contiguous()
