"""SAM's prompt encoder and mask decoder: points in a picture -> masks of what lies there, as logits at low resolution.

The interface is that of the ONNX export published with SAM (Kirillov et al., ICCV 2023), whose up-scaling to the size
of the picture is left out. A point alone is followed by one of label -1, which stands for "no box".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engines.sam.image_encoder import SIDE, Encoded, scaled_size
from engines.sam.session import Floats, Session

STRIDE = 4
"""Pixels of the scaled picture along each side of one pixel of a mask."""
LARGEST_BATCH = 64
"""Points per call of a decoder that takes any number: the published automatic generator's batch."""

_INPUTS = ("image_embeddings", "point_coords", "point_labels", "mask_input", "has_mask_input", "orig_im_size")
_OUTPUTS = ("iou_predictions", "low_res_masks")


@dataclass(frozen=True, slots=True, eq=False)
class Prompted:
    """Of n points, m masks each: ``logits`` [n, m, mh, mw] (inside above 0), ``iou`` [n, m] as the model predicts it.

    mh and mw cover the picture without padding, see ``mask_size``.
    """

    logits: Floats
    iou: Floats


def mask_size(size: tuple[int, int]) -> tuple[int, int]:
    """(mh, mw) of the masks of a picture of ``size`` (h, w): its longest side is 256."""
    height, width = scaled_size(size)
    return -(-height // STRIDE), -(-width // STRIDE)


class MaskDecoder:
    """An opened decoder; ``batch`` points fit into one call, ``session`` can be stopped.

    Raises ``ModelError`` where the file is none.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.session = Session(path, threads)
        self.session.require(_INPUTS, _OUTPUTS, "SAM mask decoder")
        declared = self.session.inputs["point_coords"][0]
        self._fixed = isinstance(declared, int)
        self.batch: int = declared if isinstance(declared, int) else LARGEST_BATCH

    def prompt(self, encoded: Encoded, points: Floats) -> Prompted:
        """What lies at each of ``points`` [n, 2], (x, y) in pixels of the picture, 1 <= n <= ``batch``."""
        count = len(points)
        if points.shape != (count, 2) or not 1 <= count <= self.batch:
            raise ValueError(f"expected 1 to {self.batch} points [n, 2], got {points.shape}")
        height, width = scaled_size(encoded.size)
        batch = self.batch if self._fixed else count
        coordinates = np.zeros((batch, 2, 2), np.float32)
        coordinates[:count, 0] = points * np.array([width / encoded.size[1], height / encoded.size[0]], np.float32)
        coordinates[count:, 0] = coordinates[count - 1, 0]
        arrays = {
            "image_embeddings": encoded.whole[None],
            "point_coords": coordinates,
            "point_labels": np.tile(np.array([1, -1], np.float32), (batch, 1)),
            "mask_input": np.zeros((1, 1, SIDE // STRIDE, SIDE // STRIDE), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.array([SIDE, SIDE], np.float32),
        }
        iou, logits = self.session.run(_OUTPUTS, arrays)
        rows, columns = mask_size(encoded.size)
        return Prompted(logits[:count, :, :rows, :columns], iou[:count])
