"""``testsrc:``: a camera that everybody has. A night street in motion, in real time, with a number in every frame.

``testsrc:size=1280x720,fps=25,night=1,noise=3,frames=0``: ``night=0`` is the street by day, ``frames`` ends the stream
after so many. The number is a frame code (``stream.media.frame_code``), read back where the stream arrives.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import av
from av.stream import Stream

from stream.errors import OptionRefused
from stream.media import frame_code
from stream.media.colour import MATRIX_BT709, RANGE_LIMITED, ColourTags, colour_of, put_tags
from stream.media.frame import Frame, Packet
from stream.media.night_scene import NightScene
from stream.media.pictures import fresh_picture, planes_of
from stream.media.source import VideoInfo
from stream.media.sources.connection import SourceOptions

_TIME_BASE = Fraction(1, 90_000)
_TAGS = ColourTags(RANGE_LIMITED, MATRIX_BT709, 1, 1)
_LARGEST = 8192
_LIMITS: dict[str, tuple[float, float]] = {"fps": (0.05, 240), "noise": (0, 8), "frames": (0, 1e12), "night": (0, 1)}
_HELP = "Write it like testsrc:size=1280x720,fps=25,night=1,noise=3,frames=0"


@dataclass(frozen=True, slots=True)
class Pattern:
    """What ``testsrc:`` shows."""

    width: int = 1280
    height: int = 720
    fps: Fraction = Fraction(25)
    night: bool = True
    noise: float = 3.0
    """Standard deviation of the sensor's noise in luma levels."""
    frames: int = 0
    """After so many the stream ends; 0 = never."""


def parse(uri: str, options: Mapping[str, str]) -> Pattern:
    """The pattern that a URI and KEY=VALUE options describe; options win. Raises OptionRefused."""
    pairs = dict.fromkeys(part for part in uri.partition(":")[2].strip("/").split(",") if part)
    given = {key.strip(): value.strip() for key, _, value in (pair.partition("=") for pair in pairs)}
    given |= {{"video_size": "size", "framerate": "fps"}.get(key, key): value for key, value in options.items()}
    known: dict[str, object] = {}
    for key, value in given.items():
        try:
            known |= _understood(key, value)
        except (ValueError, ZeroDivisionError):
            allowed = _allowed(key)
            told = f"is not {allowed}" if allowed else "is not understood"
            raise OptionRefused(f"testsrc: {key}={value} {told}", do=_HELP) from None
    return Pattern(**known)  # type: ignore[arg-type]


def _understood(key: str, value: str) -> dict[str, object]:
    """One option as fields of ``Pattern``. Raises ValueError."""
    if key == "size":
        width, height = (int(side) for side in value.lower().split("x"))
        big_enough = width >= frame_code.SMALLEST_WIDTH and height >= frame_code.SMALLEST_HEIGHT
        if not big_enough or max(width, height) > _LARGEST or width % 2 or height % 2:
            raise ValueError(value)
        return {"width": width, "height": height}
    number = Fraction(value)
    low, high = _LIMITS.get(key, (1, 0))
    if not low <= number <= high or (key in ("frames", "night") and number.denominator != 1):
        raise ValueError(value)
    return {key: {"fps": number, "noise": float(number), "frames": int(number), "night": bool(number)}[key]}


def _allowed(key: str) -> str:
    """What an option takes; nothing for one that does not exist."""
    if key == "size":
        least = f"{frame_code.SMALLEST_WIDTH}x{frame_code.SMALLEST_HEIGHT}"
        return f"WIDTHxHEIGHT, both even, from {least} to {_LARGEST}x{_LARGEST}"
    if key not in _LIMITS:
        return ""
    low, high = _LIMITS[key]
    return f"a {'whole ' if key in ('frames', 'night') else ''}number in {low:g}..{high:g}"


@lru_cache(maxsize=4)
def _scene(width: int, height: int, night: bool, noise: float) -> NightScene:
    """Scenes do not change when they are drawn, so connections share them."""
    return NightScene(width, height, night=night, noise=noise)


class TestsrcConnection:
    """A ``Connection``. Frame ``n`` is made ``n`` frame times after the first; who is late gets a later one instead."""

    __test__ = False

    def __init__(self, uri: str, options: SourceOptions) -> None:
        """Raises OptionRefused."""
        self.pattern = pattern = parse(uri, options.options)
        self._scene = _scene(pattern.width, pattern.height, pattern.night, pattern.noise)
        self._like = av.VideoFrame(pattern.width, pattern.height, "yuv420p")
        self._like.time_base = _TIME_BASE
        put_tags(self._like, _TAGS)
        self._colour, _ = colour_of(_TAGS, "yuv420p", pattern.height)
        self.video = VideoInfo(
            width=pattern.width,
            height=pattern.height,
            pixel_format="yuv420p",
            frame_format="yuv420p",
            codec="raw",
            time_base=_TIME_BASE,
            average_rate=pattern.fps,
            duration=None,
            frames=None,
            colour_tags=_TAGS,
            sample_aspect_ratio=None,
            rotation=0,
            display_matrix=None,
        )
        self.streams: list[Stream] = []
        self.notes: list[str] = []
        self.damaged = self.before_key_frame = self.skipped = 0
        self.alive_at = time.monotonic()
        self.silence_s = float(1 / pattern.fps)
        self._stop = threading.Event()

    def __iter__(self) -> Iterator[Frame | Packet]:
        pattern, start, number, seq = self.pattern, time.monotonic(), 0, 0
        while not self._stop.wait(max(0.0, start + float(number / pattern.fps) - time.monotonic())):
            if pattern.frames and seq >= pattern.frames:
                return
            frame = self.frame(number, seq)
            self.alive_at = frame.captured_at
            yield frame
            seq += 1
            # Like a camera: what nobody fetched in time is not shown later.
            number = max(number + 1, int((time.monotonic() - start) * pattern.fps))

    def frame(self, number: int, seq: int) -> Frame:
        """Frame ``number``, made now."""
        picture = fresh_picture(self._like)
        planes = planes_of(picture, self._colour)
        captured_at = time.monotonic()
        self._scene.draw(planes.y, planes.u, planes.v, number, float(number / self.pattern.fps))
        frame_code.draw(planes.y, number)
        duration = round(1 / (self.pattern.fps * _TIME_BASE))
        picture.pts = round(number / (self.pattern.fps * _TIME_BASE))
        picture.duration = duration
        return Frame(picture, planes, picture.pts, _TIME_BASE, seq, captured_at, duration, key_frame=seq == 0)

    def stop(self) -> None:
        """Ends the iteration at once."""
        self._stop.set()

    def close(self) -> None:
        """Nothing is held."""
        self._stop.set()
