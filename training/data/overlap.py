"""Data sets that share scenes: a network trained on one must not be measured on the other.

Training pictures of LOL (v1) show scenes of the test part of LOL-v2-real, and the other way round, so figures across
the two are figures on scenes that were trained on. The synthetic part of LOL-v2 is made from other photographs.
"""

from __future__ import annotations

import re
from pathlib import Path

_REAL = re.compile(r"lol-?v2-?real|real-captured|lol-?v2(?!-?\w*syn)")
_FIRST = re.compile(r"our485|eval15|(?<![a-z])(?<!ve-)lol(?!-?v2|[a-z])")


class OverlapError(ValueError):
    """Measuring here would count scenes that the network was trained on."""


def lol_parts(description: str) -> set[str]:
    """Which of ``lol`` and ``lol-v2-real`` the words of a model card name; "LOL-v2" alone counts as its real part."""
    words = re.sub(r"[\s_()/\\\\]+", "-", description.lower())
    return {name for name, pattern in (("lol", _FIRST), ("lol-v2-real", _REAL)) if pattern.search(words)}


def refuse_overlap(model: str, trained_on: str, layout: str, folder: Path | None = None) -> None:
    """Raises ``OverlapError`` where ``trained_on`` (from a card) and the evaluated ``layout`` share scenes.

    A folder of plain pairs tells by its name and the two above it what it is a part of.
    """
    evaluated = lol_parts(layout)
    if layout == "pairs" and folder is not None:
        evaluated = lol_parts("/".join(folder.resolve().parts[-3:]))
    for one, other in (("lol", "lol-v2-real"), ("lol-v2-real", "lol")):
        if one in evaluated and other in lol_parts(trained_on):
            raise OverlapError(
                f"{model} was trained on {trained_on}, which shares scenes with {one}: figures there would be of "
                "scenes it has seen. Measure it on other data"
            )
