"""What outputs show while the source is away: the last picture, dimmed, with a line that says since when.

Viewers and recorders stay connected, and nobody takes an old picture for the present. The pictures come at a low,
steady rate, on the clock of the source's own output times, so that nothing jumps when it is back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stream.media import Frame, fresh_like

RATE = 5.0
"""Pictures a second."""
LAG_S = 0.3
"""How far the clock of the notice stays behind: room for the first frames of a source that is back."""
_DIM = 0.5
_TEXT_HEIGHT = 1 / 28
"""Of the picture's height."""
_SMALLEST_TEXT = 8
_SHARE = 0.8
"""Of the text's brightness; white would outshine a dark scene."""


class Notice:
    """The pictures of one absence, which begins where ``last`` was the last frame."""

    def __init__(self, last: Frame, away_since: float, *, local_time: Callable[[float], str] | None = None) -> None:
        """``away_since``: ``time.monotonic()`` when the last picture came in; the notice tells it as local time."""
        text = f"no signal since {(local_time or clock_time)(away_since)}"
        self._last = last
        self._still = drawn(last, text)

    def at(self, now: float) -> Frame:
        """The picture for this moment, in memory of its own, with the output time that goes with it."""
        elapsed = max(0.0, now - LAG_S - self._last.captured_at)
        picture = fresh_like(self._still)
        picture.planes.y[:], picture.planes.u[:], picture.planes.v[:] = (
            self._still.planes.y,
            self._still.planes.u,
            self._still.planes.v,
        )
        return replace(
            picture,
            pts=self._last.pts + max(1, round(elapsed / self._last.time_base)),
            duration=round(1 / RATE / self._last.time_base),
            captured_at=now,
        )


def clock_time(moment: float) -> str:
    """``12:03:27``, local time of a moment of ``time.monotonic()``; with the date if it is not today's."""
    then = time.localtime(time.time() - (time.monotonic() - moment))
    today = time.localtime()[:3] == then[:3]
    return time.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S", then)


def drawn(frame: Frame, text: str) -> Frame:
    """A dimmed copy of the frame with ``text`` (ASCII) at the lower left."""
    noted = replace(fresh_like(replace(frame, captions=False)), captions=False, key_frame=False)
    colour = frame.planes.colour
    low, high = colour.luma_limits
    dim = (low + _DIM * (np.arange(256) - low)).clip(0, 255).astype(np.uint8)
    neutral = colour.chroma_offset
    fade = (neutral + _DIM * (np.arange(256) - neutral)).clip(0, 255).astype(np.uint8)
    noted.planes.y[:] = dim[frame.planes.y]
    noted.planes.u[:], noted.planes.v[:] = fade[frame.planes.u], fade[frame.planes.v]
    strokes = lettering(text, max(_SMALLEST_TEXT, round(noted.planes.height * _TEXT_HEIGHT)))
    edge = strokes.shape[0] // 2
    height, width = min(strokes.shape[0], noted.planes.height), min(strokes.shape[1], noted.planes.width)
    top, left = max(0, noted.planes.height - height - edge), min(edge, noted.planes.width - width)
    box = noted.planes.y[top : top + height, left : left + width]
    opacity = strokes[:height, :width].astype(np.float32) * (_SHARE / 255)
    box[:] = (box * (1 - opacity) + high * opacity).astype(np.uint8)
    return noted


def lettering(text: str, height: int) -> NDArray[np.uint8]:
    """``text`` as opacity 0..255, about ``height`` rows high; drawn by OpenCV, loaded here for the first time."""
    from stream.vision.opencv import opencv

    cv2 = opencv()
    font, thickness = cv2.FONT_HERSHEY_SIMPLEX, max(1, height // 12)
    scale = cv2.getFontScaleFromHeight(font, height, thickness)
    (width, above), below = cv2.getTextSize(text, font, scale, thickness)
    strokes = np.zeros((above + below + 2 * thickness, width + 2 * thickness), np.uint8)
    cv2.putText(strokes, text, (thickness, above + thickness), font, scale, 255, thickness, cv2.LINE_AA)
    return strokes
