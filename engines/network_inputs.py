"""What a model is fed with: one picture, and further inputs that may be left out.

Networks that use semantics take ``embedding`` [1,256,eh,ew] (an image encoder's output for the whole picture, padding
cropped off), ``regions`` [1,4,rh,rw] (region colours and a validity channel) or ``depth`` [1,3,dh,dw] beside their
picture. All zeros mean "not known", and that is what a model gets where nobody says more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import Floats
from engines.errors import ModelError
from engines.onnx_runtime import Engine, Tensor

Extra = Mapping[str, Floats]
"""Further inputs by name, each float32 for the whole picture."""

_UNKNOWN_SHAPES = {"embedding": (1, 256, 16, 16), "regions": (1, 4, 64, 64), "depth": (1, 3, 64, 64)}
"""Shapes of the zeros; what a model declares as a number goes before."""
_HARD_EDGED = ("regions",)


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
        pictures = [tensor for tensor in engine.inputs if tensor.name not in _UNKNOWN_SHAPES]
        if len(pictures) != 1:
            names = ", ".join(tensor.name for tensor in engine.inputs)
            raise ModelError(
                f"bundle '{bundle}' takes {names or 'nothing'}; known are one picture and {', '.join(_UNKNOWN_SHAPES)}"
            )
        self.picture: Tensor = pictures[0]
        self._bundle = bundle
        self._extra = {tensor.name: tensor for tensor in engine.inputs if tensor.name in _UNKNOWN_SHAPES}
        self._zeros = {name: np.zeros(_shape(tensor), np.float32) for name, tensor in self._extra.items()}

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the inputs that may be left out."""
        return tuple(self._extra)

    def feed(self, picture: Floats, extra: Extra | None = None, window: Window = WHOLE) -> dict[str, Floats]:
        """Everything by name: ``picture`` [1,3,h,w] shows ``window``, ``extra`` is about the whole picture.

        Raises ``ModelError`` for extra arrays that the model does not take, or of another shape or type.
        """
        fed = {self.picture.name: picture, **self._zeros}
        for name, array in (extra or {}).items():
            if name not in self._extra:
                raise ModelError(
                    f"bundle '{self._bundle}' takes {', '.join(self.extra) or 'no'} extra input, not {name}"
                )
            shape = _shape(self._extra[name])
            if array.dtype != np.float32 or array.ndim != 4 or array.shape[:2] != shape[:2] or 0 in array.shape:
                wanted = f"float32 [{shape[0]}, {shape[1]}, rows, columns]"
                raise ModelError(
                    f"bundle '{self._bundle}' takes {name} as {wanted}, not {array.dtype} {list(array.shape)}"
                )
            fed[name] = _part(array, window, self._extra[name].shape[2:], hard=name in _HARD_EDGED)
        return fed


def _shape(tensor: Tensor) -> tuple[int, ...]:
    usual = _UNKNOWN_SHAPES[tensor.name]
    if len(tensor.shape) != len(usual) or tensor.dtype != "tensor(float)":
        raise ModelError(f"the model's input {tensor.name} is {tensor.dtype} {list(tensor.shape)}, not a float map")
    return tuple(side if isinstance(side, int) else instead for side, instead in zip(tensor.shape, usual, strict=True))


def _part(array: Floats, window: Window, declared: Sequence[int | str | None], *, hard: bool) -> Floats:
    """The cells of a map [1,c,rows,cols] under a window, sampled anew where its edges cut cells."""
    sides = ((window.top, window.bottom, array.shape[2]), (window.left, window.right, array.shape[3]))
    for axis, ((first, last, cells), fixed) in enumerate(zip(sides, declared, strict=True), start=2):
        count = fixed if isinstance(fixed, int) else max(1, round((last - first) * cells))
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
