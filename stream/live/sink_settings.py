"""How a live stream is encoded and recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.media.encoder import EncoderSettings
from stream.quantities import Keep


@dataclass(frozen=True, slots=True)
class LiveSinkSettings:
    """How a live stream is encoded and recorded."""

    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    bitrate: int | None = None
    """Highest rate in bits a second; None = by the picture's size."""
    key_every_s: float = 2.0
    segment_s: float | None = None
    """Recordings are cut into files of that many seconds; None = one file."""
    keep: Keep | None = None
    """What of old recordings stays; None = all."""
    overwrite: bool = False
    """Replace a file that exists already."""
