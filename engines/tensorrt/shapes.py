"""Shapes that an engine is built for, from a bundle's card: one profile for each usual thumbnail, one for all others.

The usual thumbnails, 144x256, 192x192 and 256x144, are built for exactly that size, which is fastest; other pictures go
through the last profile, whose sizes are free. Models for a single size have just that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engines.bundle import Card
from engines.errors import ModelError

Shape = tuple[int, ...]
THUMBNAILS: tuple[tuple[int, int], ...] = ((144, 256), (192, 192), (256, 144))
"""(height, width) of the thumbnails of 16:9, square and upright pictures."""
SMALLEST, LARGEST = 64, 544
"""Sides that the free profile takes, in pixels: thumbnails of pictures of up to 8:1."""
BATCH = 8
"""Most pictures at once where a model takes several: thumbnails of so many streams share a run."""


@dataclass(frozen=True, slots=True)
class Range:
    """Smallest, usual (the engine is tuned for it) and largest shape of one input."""

    min: Shape
    opt: Shape
    max: Shape

    def takes(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape fits."""
        return len(shape) == len(self.opt) and all(
            low <= side <= high for low, side, high in zip(self.min, shape, self.max, strict=True)
        )


Profile = Mapping[str, Range]
"""The range of every input by name."""

# Rows and columns of maps that have a size of their own: smallest, usual, largest.
_OWN_SIDES = {
    "eh": (1, 36, 64),
    "ew": (1, 64, 64),
    "rh": (1, 144, 256),
    "rw": (1, 256, 256),
    "dh": (1, 144, 256),
    "dw": (1, 256, 256),
}


def profiles(
    card: Card, batch: int = BATCH, sizes: Sequence[tuple[int, int]] = THUMBNAILS, free: bool = True
) -> list[Profile]:
    """One profile for each of ``sizes``, and with ``free`` one for every other size; just one for a fixed size.

    Raises ``ModelError`` for a layout that this version cannot read, and for a batch below 1.
    """
    if batch < 1:
        raise ModelError(f"an engine takes at least one picture at a time, not {batch}")
    layouts = {tensor.name: tensor.layout.split(",") for tensor in card.inputs}
    fixed = all(token.isdigit() for tokens in layouts.values() for token in tokens)
    wanted = [((h, h, h), (w, w, w)) for h, w in (THUMBNAILS[:1] if fixed else sizes)]
    if free and not fixed:
        middle = THUMBNAILS[0]
        wanted.append(((SMALLEST, middle[0], LARGEST), (SMALLEST, middle[1], LARGEST)))
    return [
        {name: _range(name, tokens, {"h": rows, "w": columns, "n": (1, 1, batch)}) for name, tokens in layouts.items()}
        for rows, columns in wanted
    ]


def _range(name: str, tokens: Sequence[str], sides: Mapping[str, tuple[int, int, int]]) -> Range:
    per_token = [_sides(name, token.strip(), sides) for token in tokens]
    return Range(*(tuple(three[which] for three in per_token) for which in range(3)))


def _sides(name: str, token: str, sides: Mapping[str, tuple[int, int, int]]) -> tuple[int, int, int]:
    if token.isdigit():
        return (int(token),) * 3
    match = re.fullmatch(r"([a-z]+)(?:/(\d+))?", token)
    known = {**_OWN_SIDES, **sides}
    if match is None or match[1] not in known:
        raise ModelError(f"the card's layout of '{name}' has '{token}', known are numbers, n, h, w, h/8 and such")
    divisor = int(match[2] or 1)
    low, usual, high = (-(-side // divisor) for side in known[match[1]])
    return low, usual, high


def profile_for(available: Sequence[Profile], shapes: Mapping[str, Sequence[int]]) -> int:
    """Number of the first profile that takes these shapes. Raises ``ModelError`` where none does."""
    for number, profile in enumerate(available):
        if all(name in shapes and limits.takes(shapes[name]) for name, limits in profile.items()):
            return number
    given = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
    raise ModelError(f"the engine was not built for {given}; build it with more shapes, or take --engine onnxruntime")
