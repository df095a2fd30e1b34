"""What one segmentation knows, and the way from its snapshot to the present frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.vision.displacement import Displacement
from stream.vision.regions import MOST, Floats, Ids, Segmentation

FEATURES = 256


class KeyRegions:
    """A segmentation whose labels carry names: the identities that they have from frame to frame."""

    def __init__(self, segmentation: Segmentation, seq: int, way: Displacement, seconds: float) -> None:
        """``seq`` is the snapshot's number, ``way`` leads from the present frame back to it, ``seconds`` lie between.

        Labels above 16 are none.
        """
        self.seq = seq
        self.way = way
        self.seconds = seconds
        self.names = np.zeros(MOST + 1, np.uint8)
        """The identity of each label; 0 for none, which may be free only later."""
        self._labels = np.where(segmentation.ids <= MOST, segmentation.ids, 0).astype(np.uint8)
        self._embedding = _usable(segmentation.embedding)
        self._from: NDArray[np.intp] | None = None
        self._carried = self._embedding
        self.features = None if self._embedding is None else pooled(self._embedding, self._labels)
        """[17, 256] the mean of the embedding over each label, zeros where a label covers nothing; or None."""

    @property
    def named(self) -> list[int]:
        """The labels that have a name."""
        return [int(label) for label in np.flatnonzero(self.names)]

    def confidence(self, labels: Ids) -> Floats:
        """[17] exp(-error) of each label in the carried map ``labels``, 0 of those that are not there.

        The error is the mean disagreement, in pixels, of the motions there and back, over its pixels and the frames
        since the snapshot.
        """
        count, error = self.way.tally(labels)
        return np.where(count > 0, np.exp(-error), 0)[: MOST + 1].astype(np.float32)

    def carried(self) -> Ids:
        """The labels as the picture looks now: [h, w]."""
        return self.way.carried(self._labels)

    def embedding(self) -> Floats | None:
        """The embedding [256, eh, ew] as the picture looks now; computed anew only where something moved."""
        if self._embedding is None:
            return None
        channels, rows, columns = self._embedding.shape
        cells = self.way.coarse(rows, columns)
        if self._from is None or not np.array_equal(cells, self._from):
            self._from = cells
            moved = np.take(self._embedding.reshape(channels, -1), cells.ravel(), axis=1)
            self._carried = moved.reshape(channels, rows, columns)
        return self._carried


def pooled(embedding: Floats, labels: Ids) -> Floats:
    """The mean of ``embedding`` [c, eh, ew] over each label 0..16 of a map of any size: [17, c], zeros for the absent.

    Every pixel of the map counts with the cell that it lies in, so that a region smaller than a cell has features too.
    """
    channels, rows, columns = embedding.shape
    h, w = labels.shape
    row, column = np.arange(h) * rows // h, np.arange(w) * columns // w
    cells = rows * columns
    place = labels.astype(np.intp) * cells + row[:, None] * columns + column
    share = np.bincount(place.ravel(), minlength=(MOST + 1) * cells).reshape(MOST + 1, cells).astype(np.float32)
    count = share.sum(axis=1, keepdims=True)
    means: Floats = share @ embedding.reshape(channels, cells).T / np.maximum(count, 1)
    means[0] = 0
    return means


def _usable(embedding: Floats | None) -> Floats | None:
    """An embedding of the wrong shape, or with values that are not finite, is none."""
    if embedding is None or embedding.ndim != 3 or embedding.shape[0] != FEATURES or not embedding.size:
        return None
    return np.ascontiguousarray(embedding, np.float32) if np.isfinite(embedding).all() else None
