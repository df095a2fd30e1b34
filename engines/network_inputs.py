"""What a model is fed with: one picture, and further inputs that may be left out.

Networks that use semantics take ``embedding`` [1,256,eh,ew] (an image encoder's output for the whole picture, padding
cropped off), ``regions`` [1,4,rh,rw] (region colours and a validity channel), ``depth`` [1,3,dh,dw],
``region_weights`` [1,17,rows,cols] (the share of each region in each cell of 8x8 pixels of the picture, the rest at
index 0, so that they sum to 1) or ``region_features`` [1,17,256] (the embedding, pooled by region) beside their
picture. All zeros mean "not known", and that is what a model gets where nobody says more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import CELL, Floats
from engines.errors import ModelError
from engines.onnx_runtime import Tensor

if TYPE_CHECKING:
    from engines.choose import Engine

Extra = Mapping[str, Floats]
"""Further inputs by name, each float32 for the whole picture."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """One further input: the ``shape`` of the zeros that stand for "not known", and how it lies over the picture.

    What a model declares as a number goes before. ``hard`` edged maps are not mixed between cells. Maps ``by_cell``
    have one value for each 8x8 pixels that the model sees, others a resolution of their own; what is not ``placed`` is
    no map.
    """

    shape: tuple[int, ...]
    hard: bool = False
    by_cell: bool = False
    placed: bool = True


_KINDS = {
    "embedding": _Kind((1, 256, 16, 16)),
    "regions": _Kind((1, 4, 64, 64), hard=True),
    "depth": _Kind((1, 3, 64, 64)),
    "region_weights": _Kind((1, 17, 18, 32), by_cell=True),
    "region_features": _Kind((1, 17, 256), placed=False),
}


@dataclass(frozen=True, slots=True)
class Window:
    """A part of the picture, its edges in 0..1 of the whole; it may reach beyond 1 where the picture was padded."""

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0


WHOLE = Window()


class NetworkInputs:
    """The inputs that a model declares, sorted into the picture and the ones that may be left out."""

    def __init__(self, engine: Engine, bundle: str) -> None:
        """Raises ``ModelError`` for a model that takes more than this version can give; ``bundle`` names it there."""
        pictures = [tensor for tensor in engine.inputs if tensor.name not in _KINDS]
        if len(pictures) != 1:
            names = ", ".join(tensor.name for tensor in engine.inputs)
            raise ModelError(
                f"bundle '{bundle}' takes {names or 'nothing'}; known are one picture and {', '.join(_KINDS)}"
            )
        self.picture: Tensor = pictures[0]
        self._bundle = bundle
        self._extra = {tensor.name: tensor for tensor in engine.inputs if tensor.name in _KINDS}
        self._zeros = {name: np.zeros(_shape(tensor), np.float32) for name, tensor in self._extra.items()}

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the inputs that may be left out."""
        return tuple(self._extra)

    def feed(self, picture: Floats, extra: Extra | None = None, window: Window = WHOLE) -> dict[str, Floats]:
        """Everything by name: ``picture`` [1,3,h,w] shows ``window``, ``extra`` is about the whole picture.

        Raises ``ModelError`` for extra arrays that the model does not take, or of another shape or type.
        """
        given = extra or {}
        for name in given:
            if name not in self._extra:
                raise ModelError(
                    f"bundle '{self._bundle}' takes {', '.join(self.extra) or 'no'} extra input, not {name}"
                )
        fed = {self.picture.name: picture}
        for name, tensor in self._extra.items():
            kind = _KINDS[name]
            sides = _cells(tensor, picture) if kind.by_cell else _declared(tensor)
            if name not in given:
                fed[name] = self._unknown(name, sides)
            elif kind.placed:
                fed[name] = _part(self._checked(name, given[name]), window, sides, hard=kind.hard)
            else:
                fed[name] = self._checked(name, given[name])
        return fed

    def _unknown(self, name: str, sides: Sequence[int | None]) -> Floats:
        """Zeros; made again only where the picture's size has changed."""
        before = self._zeros[name]
        if _KINDS[name].by_cell and before.shape[2:] != tuple(sides):
            self._zeros[name] = np.zeros((*before.shape[:2], *(side or 0 for side in sides)), np.float32)
        return self._zeros[name]

    def _checked(self, name: str, array: Floats) -> Floats:
        kind, shape = _KINDS[name], _shape(self._extra[name])
        fixed = 2 if kind.placed else len(shape)
        if (
            array.dtype != np.float32
            or array.ndim != len(shape)
            or array.shape[:fixed] != shape[:fixed]
            or not array.size
        ):
            sides = ["rows", "columns"] if kind.placed else []
            wanted = f"float32 [{', '.join([*map(str, shape[:fixed]), *sides])}]"
            raise ModelError(f"bundle '{self._bundle}' takes {name} as {wanted}, not {array.dtype} {list(array.shape)}")
        return np.ascontiguousarray(array)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    usual = _KINDS[tensor.name].shape
    if len(tensor.shape) != len(usual) or tensor.dtype != "tensor(float)":
        raise ModelError(f"the model's input {tensor.name} is {tensor.dtype} {list(tensor.shape)}, not a float map")
    return tuple(side if isinstance(side, int) else instead for side, instead in zip(tensor.shape, usual, strict=True))


def _declared(tensor: Tensor) -> tuple[int | None, ...]:
    """Rows and columns of a map that a model declares, None where it takes any."""
    return tuple(side if isinstance(side, int) else None for side in tensor.shape[2:])


def _cells(tensor: Tensor, picture: Floats) -> tuple[int, ...]:
    """The same, with those of the picture's cells where the model takes any; the last cells may be cut."""
    own = (-(-side // CELL) for side in picture.shape[2:])
    return tuple(side or cells for side, cells in zip(_declared(tensor), own, strict=True))


def _part(array: Floats, window: Window, wanted: Sequence[int | None], *, hard: bool) -> Floats:
    """A map [1,c,rows,cols] under a window, at ``wanted`` rows and columns; None: about its own cells there.

    Sampled anew where that is not simply the map.
    """
    sides = ((window.top, window.bottom, array.shape[2]), (window.left, window.right, array.shape[3]))
    for axis, ((first, last, cells), fixed) in enumerate(zip(sides, wanted, strict=True), start=2):
        count = fixed or max(1, round((last - first) * cells))
        if (first, last, count) != (0.0, 1.0, cells):
            centres = (first + (np.arange(count) + 0.5) / count * (last - first)) * cells - 0.5
            array = _sampled(array, np.clip(centres, 0, cells - 1), axis, hard=hard)
    return np.ascontiguousarray(array, dtype=np.float32)


def _sampled(array: Floats, at: NDArray[np.float64], axis: int, *, hard: bool) -> Floats:
    """Values at fractional positions along an axis: of the nearest cell (``hard``), or linear between two."""
    if hard:
        return np.take(array, np.floor(at + 0.5).astype(np.intp), axis)
    low = np.floor(at).astype(np.intp)
    high = np.minimum(low + 1, array.shape[axis] - 1)
    share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(array.ndim)])
    before = np.take(array, low, axis)
    linear: Floats = before + share * (np.take(array, high, axis) - before)
    return linear
