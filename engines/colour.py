"""How code values of Y'CbCr planes map to the normalised numbers that the curve grid works on.

Sources: ITU-R BT.601-7, BT.709-6, BT.2020-2 (luma weights, quantisation ranges).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Matrix = Literal["bt601", "bt709", "bt2020nc"]

_LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020nc": (0.2627, 0.0593),
}


@dataclass(frozen=True, slots=True)
class Colour:
    """Matrix and quantisation range of 8-bit planes: all that arithmetic on them needs to know."""

    matrix: Matrix = "bt709"
    full_range: bool = False

    @property
    def luma_offset(self) -> int:
        """Code value of black: 0 (full) or 16 (limited)."""
        return 0 if self.full_range else 16

    @property
    def luma_range(self) -> int:
        """Codes from black to white: 255 (full) or 219 (limited)."""
        return 255 if self.full_range else 219

    @property
    def chroma_offset(self) -> int:
        """Code value of neutral chroma."""
        return 128

    @property
    def chroma_range(self) -> int:
        """Codes from -0.5 to +0.5: 255 (full) or 224 (limited)."""
        return 255 if self.full_range else 224

    @property
    def luma_limits(self) -> tuple[int, int]:
        """Lowest and highest legal luma code."""
        return (0, 255) if self.full_range else (16, 235)

    @property
    def chroma_limits(self) -> tuple[int, int]:
        """Lowest and highest legal chroma code."""
        return (0, 255) if self.full_range else (16, 240)

    @property
    def kr_kb(self) -> tuple[float, float]:
        """Luma weights of red and blue; green has the rest."""
        return _LUMA_WEIGHTS[self.matrix]
