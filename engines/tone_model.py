"""From a thumbnail to a tone-curve grid, whatever the bundle gives: the grid itself, or a picture to fit it to."""

from __future__ import annotations

import numpy as np

from engines.bundle import Bundle
from engines.choose import open_engine
from engines.curve.fit import fit
from engines.curve.grid import CELL, COEFFICIENTS, CurveGrid
from engines.errors import ModelError, NotFiniteError
from engines.network_inputs import Extra, NetworkInputs
from engines.picture_network import PictureNetwork
from engines.thumbnail import Thumbnail

_BLACK = (0.4 / 255, 1.2 / 255)
"""Mean luma of the brightest cell up to which a picture is black, and from which it is a picture."""


class ToneModel:
    """A bundle of kind ``grid`` or ``picture`` on a device, as a function from thumbnails to monotone grids.

    ``device``: ``cpu``, or an engine that ``engines.choose`` knows, or ``auto``. Opening may raise ``ModelError`` or
    ``DeviceError``. Not for several threads at once.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu", threads: int = 1) -> None:
        self.card = bundle.card
        kind = _GridNetwork if bundle.card.kind == "grid" else _FittedNetwork
        self._network: _GridNetwork | _FittedNetwork = kind(bundle, device, threads)

    @property
    def extra_inputs(self) -> tuple[str, ...]:
        """Inputs beside the thumbnail, which are zeros where they are not given."""
        return self._network.extra_inputs

    def __call__(self, thumbnail: Thumbnail, extra: Extra | None = None) -> CurveGrid:
        """The grid for a picture; ``extra`` gives further inputs by name, all zeros where left out.

        Where there is nothing but black, as before a film begins or behind a lens cap, the grid changes nothing: a
        network that was trained on scenes would make it grey.
        Raises ``NotFiniteError`` on NaN or infinity: keep the previous grid and count it.
        """
        return black_kept(self._network(thumbnail, extra), thumbnail)


def black_kept(grid: CurveGrid, thumbnail: Thumbnail) -> CurveGrid:
    """The grid, faded out where no cell of the picture is brighter than a code."""
    height, width = thumbnail.y.shape
    cells = thumbnail.y.reshape(height // CELL, CELL, width // CELL, CELL).mean(axis=(1, 3))
    first, last = _BLACK
    return grid.blend(float(np.clip((cells.max() - first) / (last - first), 0, 1)))


class _GridNetwork:
    """The model gives the grid."""

    def __init__(self, bundle: Bundle, device: str, threads: int) -> None:
        self._name = bundle.card.name
        self._engine = open_engine(bundle, device, threads)
        self._inputs = NetworkInputs(self._engine, self._name)
        if len(self._engine.outputs) != 1:
            raise ModelError(f"bundle {bundle.folder}: a tone model has one output")
        self._output = self._engine.outputs[0].name
        self.extra_inputs = self._inputs.extra

    def __call__(self, thumbnail: Thumbnail, extra: Extra | None) -> CurveGrid:
        height, width = thumbnail.y.shape
        given = np.stack([thumbnail.y, thumbnail.u, thumbnail.v])[None]
        wanted = (1, height // CELL, width // CELL, COEFFICIENTS)
        result = self._engine.infer(self._inputs.feed(given, extra))[self._output]
        if result.shape != wanted:
            raise ModelError(f"bundle '{self._name}' gave {list(result.shape)} where {list(wanted)} was due")
        if not np.isfinite(result).all():
            raise NotFiniteError(f"bundle '{self._name}' gave NaN or infinity for this picture; keep the previous grid")
        return CurveGrid(result[0]).made_monotone(thumbnail.y)


class _FittedNetwork:
    """The model gives a picture, and the grid is fitted to it."""

    def __init__(self, bundle: Bundle, device: str, threads: int) -> None:
        self._network = PictureNetwork(bundle, device, threads)
        self.extra_inputs = self._network.extra_inputs

    def __call__(self, thumbnail: Thumbnail, extra: Extra | None) -> CurveGrid:
        given = np.clip(thumbnail.to_rgb(), 0, 1)
        before = Thumbnail.from_rgb(given, thumbnail.matrix)
        return fit(before, Thumbnail.from_rgb(self._network(given, extra), thumbnail.matrix))
