"""A bundle of kind ``picture`` as a function from R'G'B' to R'G'B', for pictures of any size.

Models differ in the sizes that they take: any, multiples of their strides, or one size only. What a model declares is
met by padding (mirrored, cut off again) and by tiles, so that nobody else needs to know.
"""

from __future__ import annotations

import re

import numpy as np

from engines.bundle import Bundle
from engines.choose import open_engine
from engines.curve.grid import Floats
from engines.errors import ModelError, NotFiniteError
from engines.network_inputs import Extra, NetworkInputs, Window
from engines.tiles import Axis, cut


class PictureNetwork:
    """Call it with pictures of any size. Not for several threads at once."""

    def __init__(self, bundle: Bundle, device: str = "cpu", threads: int = 1, tile: int = 0) -> None:
        """``device``: ``cpu``, or an engine that ``engines.choose`` knows, or ``auto``.

        ``tile``: largest side in pixels of what the model gets at once, which bounds its memory; 0 = no limit.

        Raises ``ModelError`` or ``DeviceError``.
        """
        self.card = bundle.card
        self._tile = tile
        self._engine = open_engine(bundle, device, threads)
        self._inputs = NetworkInputs(self._engine, bundle.card.name)
        sides = self._inputs.picture.shape[2:]
        if len(self._engine.outputs) != 1 or len(sides) != 2:
            raise ModelError(f"bundle {bundle.folder}: a picture model takes and gives one picture [1,3,h,w]")
        self._sides = sides
        self._output = self._engine.outputs[0].name

    @property
    def extra_inputs(self) -> tuple[str, ...]:
        """Inputs beside the picture, which are zeros where they are not given."""
        return self._inputs.extra

    def __call__(self, rgb: Floats, extra: Extra | None = None) -> Floats:
        """The enhanced picture for ``rgb``, float32 [3, h, w], both in 0..1; ``extra`` is about the whole picture.

        Raises ``NotFiniteError`` on NaN or infinity and ``ModelError`` if a result or an extra array does not fit.
        """
        height, width = rgb.shape[1:]
        down, across = self._cut(0, height), self._cut(1, width)
        if len(down.starts) == len(across.starts) == 1:
            return self._run(rgb, (0, 0), (down, across), extra)
        enhanced = np.zeros_like(rgb)
        for top, rows in zip(down.starts, down.weights, strict=True):
            for left, columns in zip(across.starts, across.weights, strict=True):
                part = self._run(rgb, (top, left), (down, across), extra)
                h, w = part.shape[1:]
                part *= rows[:h, None] * columns[:w]
                enhanced[:, top : top + h, left : left + w] += part
        return enhanced

    def _cut(self, axis: int, length: int) -> Axis:
        declared = self._sides[axis]
        if isinstance(declared, int):
            return cut(length, exact=declared)
        factor = re.match(r"(\d+)\*", declared or "")
        return cut(length, self._tile, int(factor[1]) if factor else 1)

    def _run(self, rgb: Floats, corner: tuple[int, int], axes: tuple[Axis, Axis], extra: Extra | None) -> Floats:
        """What the model gives for one tile [3, h, w], clipped to 0..1; padding is cut off."""
        (top, left), (size_y, size_x) = corner, (axis.size for axis in axes)
        height, width = rgb.shape[1:]
        part = rgb[:, top : top + size_y, left : left + size_x]
        h, w = part.shape[1:]
        if (h, w) != (size_y, size_x):
            part = np.pad(part, ((0, 0), (0, size_y - h), (0, size_x - w)), mode="symmetric")
        window = Window(top / height, (top + size_y) / height, left / width, (left + size_x) / width)
        given = np.ascontiguousarray(part)[None]
        result: Floats = self._engine.infer(self._inputs.feed(given, extra, window))[self._output]
        if result.shape != given.shape:
            raise ModelError(f"bundle '{self.card.name}' gave {list(result.shape)} where {list(given.shape)} was due")
        if not np.isfinite(result).all():
            raise NotFiniteError(
                f"bundle '{self.card.name}' gave NaN or infinity for this picture; keep the previous grid, or the input"
            )
        return np.clip(result[0, :, :h, :w], 0, 1)
