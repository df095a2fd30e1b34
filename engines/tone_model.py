"""From a thumbnail to a tone-curve grid, whatever the bundle gives: the grid itself, or a picture to fit it to."""

from __future__ import annotations

import numpy as np

from engines.bundle import Bundle
from engines.curve.fit import fit
from engines.curve.grid import CELL, COEFFICIENTS, CurveGrid
from engines.errors import ModelError, NotFiniteError
from engines.onnx_runtime import open_engine
from engines.thumbnail import Thumbnail


class ToneModel:
    """A bundle of kind ``grid`` or ``picture`` on a device, as a function from thumbnails to monotone grids.

    Opening may raise ``ModelError`` or ``DeviceError``. Not for several threads at once.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu", threads: int = 1) -> None:
        self.card = bundle.card
        self._engine = open_engine(bundle, device, threads)
        if len(self._engine.inputs) != 1 or len(self._engine.outputs) != 1:
            raise ModelError(f"bundle {bundle.folder}: a tone model has one input and one output")
        self._input, self._output = self._engine.inputs[0].name, self._engine.outputs[0].name

    def __call__(self, thumbnail: Thumbnail) -> CurveGrid:
        """The grid for a picture. Raises ``NotFiniteError`` on NaN or infinity: keep the previous grid and count it."""
        height, width = thumbnail.y.shape
        if self.card.kind == "grid":
            given = np.stack([thumbnail.y, thumbnail.u, thumbnail.v])[None]
            wanted: tuple[int, ...] = (1, height // CELL, width // CELL, COEFFICIENTS)
        else:
            given = np.clip(thumbnail.to_rgb(), 0, 1)[None]
            wanted = (1, 3, height, width)
        result = self._engine.infer({self._input: given})[self._output]
        if result.shape != wanted:
            raise ModelError(f"bundle '{self.card.name}' gave {list(result.shape)} where {list(wanted)} was due")
        if not np.isfinite(result).all():
            raise NotFiniteError(
                f"bundle '{self.card.name}' gave NaN or infinity for this picture; keep the previous grid"
            )
        if self.card.kind == "grid":
            return CurveGrid(result[0]).made_monotone(thumbnail.y)
        before = Thumbnail.from_rgb(given[0], thumbnail.matrix)
        return fit(before, Thumbnail.from_rgb(np.clip(result[0], 0, 1), thumbnail.matrix))
