"""Where frames come from: the contract that every source meets, and what it tells about its video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from av.stream import Stream

from stream.media.colour import ColourTags
from stream.media.frame import Frame, Packet


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """The video stream as decoded. ``frame_format`` is the pixel format of the frames that the source hands out."""

    width: int
    height: int
    pixel_format: str
    frame_format: str
    codec: str
    time_base: Fraction
    average_rate: Fraction | None
    duration: float | None
    """Seconds; None = unknown."""
    frames: int | None
    """An estimate, good enough for a progress bar; None = unknown."""
    colour_tags: ColourTags
    sample_aspect_ratio: Fraction | None
    rotation: int
    """Degrees, counter-clockwise, that a player turns the picture by."""
    display_matrix: tuple[int, ...] | None
    """The nine numbers that ``rotation`` was read from."""
    still: bool = False
    """A photo: one frame, without time."""


class Source(Protocol):
    """Iterates ``Frame`` and ``Packet`` in demux order, once. Keep it open until the sink is closed."""

    uri: str
    live: bool
    video: VideoInfo
    streams: list[Stream]
    """Templates of the streams to copy; ``Packet.stream`` is one of them."""
    notes: list[str]
    """Assumptions and conversions to tell the user; grows while iterating."""
    damaged: int
    """Pictures lost or decoded with errors so far."""

    def __iter__(self) -> Iterator[Frame | Packet]: ...

    def stop(self) -> None:
        """Makes the iteration end after the item in hand; callable from any thread."""

    def close(self) -> None: ...
