"""Pictures for the tests of outputs: small, moving, at exact times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from engines.colour import Colour
from stream.media.frame import Frame
from stream.media.pictures import planes_of

TIME_BASE = Fraction(1, 90_000)


def moving(
    count: int,
    *,
    width: int = 320,
    height: int = 180,
    first: int = 0,
    ticks: int = 3600,
    offset: int = 1_000_000,
    pixel_format: str = "yuv420p",
) -> Iterator[Frame]:
    """``count`` frames that are ``ticks`` of 1/90000 s apart, the first one at ``offset + first * ticks``."""
    ramp = np.arange(width)[None, :] + np.arange(height)[:, None]
    for number in range(first, first + count):
        picture = av.VideoFrame(width, height, pixel_format)
        planes = planes_of(picture, Colour())
        planes.y[:] = (ramp + 4 * number) % 200 + 20
        planes.u[:], planes.v[:] = 110, 140
        pts = offset + number * ticks
        yield Frame(picture, planes, pts, TIME_BASE, number, time.monotonic(), ticks)


def times_of(path: Path | str) -> list[float]:
    """Seconds of every picture of a file, decoded."""
    with av.open(str(path)) as container:
        return [float(picture.pts * picture.time_base) for picture in container.decode(video=0)]
