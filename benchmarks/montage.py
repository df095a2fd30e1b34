"""Pictures beside and above each other, with captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engines.planes import Bytes

CAPTION = 22
GAP = 4


def resized(picture: Bytes, width: int) -> Bytes:
    """The picture at a width, its aspect kept."""
    from PIL import Image

    if picture.shape[1] == width:
        return picture
    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def captioned(picture: Bytes, text: str) -> Bytes:
    """The picture below a line of text."""
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (picture.shape[1], CAPTION), "white")
    ImageDraw.Draw(strip).text((2, 4), text, fill=(40, 40, 40), font=ImageFont.load_default(13))
    return np.concatenate([np.asarray(strip), picture])


def beside(pictures: Sequence[Bytes], captions: Sequence[str], width: int) -> Bytes:
    """Pictures of one shape in a row, each at a width, with captions above."""
    cells = []
    for picture, caption in zip(pictures, captions, strict=True):
        cells.append(captioned(resized(picture, width), caption))
        cells.append(np.full((cells[-1].shape[0], GAP, 3), 255, np.uint8))
    return np.concatenate(cells[:-1], 1)


def stacked(rows: Sequence[Bytes]) -> Bytes:
    """Rows above each other, filled with white to the widest."""
    width = max(row.shape[1] for row in rows)
    return np.concatenate(
        [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    )
