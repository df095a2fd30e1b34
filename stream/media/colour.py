"""Colour tags of a stream, and what the arithmetic has to assume where they are silent.

Numbers are those of ITU-T H.273 (CICP), which FFmpeg uses unchanged for matrix, primaries and transfer.
"""

from __future__ import annotations

from dataclasses import dataclass

import av

from engines.colour import Colour, Matrix

UNSPECIFIED = 2
RANGE_UNSPECIFIED, RANGE_LIMITED, RANGE_FULL = 0, 1, 2
MATRIX_RGB, MATRIX_BT709, MATRIX_BT601 = 0, 1, 6
TRANSFER_PQ, TRANSFER_HLG = 16, 18

_MATRICES: dict[int, Matrix] = {
    1: "bt709",
    4: "bt601",  # FCC: luma weights within 0.001 of BT.601
    5: "bt601",
    6: "bt601",
    7: "bt709",  # SMPTE 240M: luma weights within 0.015 of BT.709
    9: "bt2020nc",
}
MATRIX_NUMBERS: dict[Matrix, int] = {"bt601": 6, "bt709": 1, "bt2020nc": 9}


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What the stream says about its colours; ``chroma_location`` is FFmpeg's name, None where it is not said."""

    range: int = RANGE_UNSPECIFIED
    matrix: int = UNSPECIFIED
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    chroma_location: str | None = None

    @property
    def is_hdr(self) -> bool:
        """PQ or HLG."""
        return self.transfer in (TRANSFER_PQ, TRANSFER_HLG)


def tags_of(picture: av.VideoFrame, chroma_location: str | None = None) -> ColourTags:
    """The tags that a decoded picture carries."""
    return ColourTags(
        int(picture.color_range),
        int(picture.colorspace),
        int(picture.color_primaries),
        int(picture.color_trc),
        chroma_location,
    )


def put_tags(picture: av.VideoFrame, tags: ColourTags) -> None:
    """Writes range, matrix, primaries and transfer onto a picture."""
    picture.color_range, picture.colorspace = tags.range, tags.matrix
    picture.color_primaries, picture.color_trc = tags.primaries, tags.transfer


def is_full_range(tags: ColourTags, pixel_format: str) -> bool:
    """``yuvj*`` says full by its name; an untagged stream is limited."""
    return pixel_format.startswith("yuvj") or tags.range == RANGE_FULL


def colour_of(tags: ColourTags, pixel_format: str, height: int) -> tuple[Colour, str | None]:
    """What arithmetic on the planes must assume, and a note where that is an assumption.

    Untagged or reserved matrices: BT.709 from 720 lines on, else BT.601, as players do.
    """
    full = is_full_range(tags, pixel_format)
    matrix = _MATRICES.get(tags.matrix)
    if matrix is not None:
        return Colour(matrix, full), None
    matrix = "bt709" if height >= 720 else "bt601"
    said = "no colour matrix" if tags.matrix == UNSPECIFIED else f"the unusual colour matrix {tags.matrix}"
    spoken = {"bt709": "BT.709", "bt601": "BT.601"}[matrix]
    return Colour(matrix, full), f"the stream names {said}: {spoken} assumed, the tags are kept as they are"
