"""What travels through the pipeline: decoded pictures, and packets of the other streams on their way to be copied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import av
from av.packet import Packet as AvPacket
from av.stream import Stream

from engines.planes import Planes


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture, its place in time, and views on its planes (no copy).

    ``picture`` owns the memory of ``planes`` and carries the colour tags as decoded; frames come from pools, so planes
    are read-only unless the frame was made by ``fresh_like`` or ``with_picture`` of a fresh picture.
    """

    picture: av.VideoFrame
    planes: Planes
    pts: int
    time_base: Fraction
    seq: int
    captured_at: float
    """``time.monotonic()`` when the packet was read; less what a live one is known to have waited on its way."""
    duration: int = 0
    """In ``time_base`` units; 0 = unknown."""
    key_frame: bool = False
    captions: bool = False
    """Closed captions ride on ``picture``."""
    generation: int = 0
    """Which connection of a live source it came over, counted up; what is remembered of older ones no longer holds."""
    sample_aspect_ratio: Fraction | None = None
    """How wide a pixel of a live source is, in heights; None = unknown. Files tell it once, in ``VideoInfo``."""

    @property
    def time(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    def with_picture(self, picture: av.VideoFrame, planes: Planes) -> Frame:
        """The same moment with other pixels."""
        return replace(self, picture=picture, planes=planes)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a stream that is copied, never decoded; ``stream`` is the source's stream that it came from."""

    data: AvPacket[Stream]
    stream: Stream
