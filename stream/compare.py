"""Before and after in one picture, without scaling: frames plane by plane, photos in RGB.

``split`` shows the left half as it came and the right half enhanced, ``side`` shows both pictures whole. A thin white
line separates them. Seams of frames lie on even columns, so that chroma is never mixed, and ``side`` of frames covers
some columns with the line, so that the width is just doubled.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engines.planes import Bytes, Planes
from stream.media import Frame, planes_of
from stream.media.pictures import fresh_picture
from stream.settings import Compare

_LINE_FRACTION = 960


def line_width(width: int) -> int:
    """Columns of the separating line, even: 2 up to 1919 columns, 4 at 3840 and so on."""
    return 2 * max(1, width // (2 * _LINE_FRACTION))


def split(before: Frame, after: Frame) -> Frame:
    """The left half of ``before`` and the right half of ``after``, in a fresh picture of the same size."""
    width = before.planes.width
    joined = _fresh(before, width)
    seam = width // 4 * 2
    _paste(before.planes, joined.planes, 0, 0, seam)
    _paste(after.planes, joined.planes, seam, seam, width)
    _line(joined.planes, seam, seam + line_width(width))
    return joined


def side(before: Frame, after: Frame) -> Frame:
    """Both pictures whole, ``before`` on the left, in a fresh picture of twice the width (rounded up to even)."""
    width = before.planes.width
    seam = width + width % 2
    joined = _fresh(before, 2 * seam)
    _paste(before.planes, joined.planes, 0, 0, width)
    _paste(after.planes, joined.planes, seam, 0, width)
    if width % 2:
        joined.planes.y[:, -1] = joined.planes.y[:, -2]
    _line(joined.planes, width, seam + line_width(width))
    return joined


def comparing(enhance: Callable[[Frame], Frame], how: Compare) -> Callable[[Frame], Frame]:
    """``enhance`` followed by the comparison; ``enhance`` itself for ``none``."""
    if how == "none":
        return enhance
    join = split if how == "split" else side
    return lambda frame: join(frame, enhance(frame))


def compare_photos(before: Bytes, after: Bytes, how: Compare) -> Bytes:
    """The comparison of two RGB pictures [height, width, 3]; ``after`` itself for ``none``.

    ``side`` is wider than both together by the line.
    """
    if how == "none":
        return after
    height, width = after.shape[:2]
    line = line_width(width)
    if how == "side":
        return np.concatenate([before, np.full((height, line, 3), 255, np.uint8), after], axis=1)
    seam = width // 2
    joined = np.concatenate([before[:, :seam], after[:, seam:]], axis=1)
    joined[:, seam : seam + line] = 255
    return joined


def _fresh(frame: Frame, width: int) -> Frame:
    picture = fresh_picture(frame.picture, width, frame.planes.height)
    return frame.with_picture(picture, planes_of(picture, frame.planes.colour))


def _paste(source: Planes, target: Planes, to: int, first: int, last: int) -> None:
    """Columns ``first``..``last`` of the source to column ``to`` (both starts even)."""
    target.y[:, to : to + last - first] = source.y[:, first:last]
    first, last, to = first // 2, (last + 1) // 2, to // 2
    target.u[:, to : to + last - first] = source.u[:, first:last]
    target.v[:, to : to + last - first] = source.v[:, first:last]


def _line(planes: Planes, first: int, last: int) -> None:
    """White columns ``first``..``last``; chroma samples that they cover wholly become neutral."""
    planes.y[:, first:last] = planes.colour.luma_limits[1]
    planes.u[:, (first + 1) // 2 : last // 2] = planes.colour.chroma_offset
    planes.v[:, (first + 1) // 2 : last // 2] = planes.colour.chroma_offset
