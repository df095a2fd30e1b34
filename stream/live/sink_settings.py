"""How a live stream is encoded and recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

from stream.media.encoder import EncoderSettings
from stream.quantities import Keep
from stream.quantities import keep as keep_of
from stream.settings import Settings


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


def sink_settings(settings: Settings) -> LiveSinkSettings:
    """What the settings of a stream say about its outputs."""
    return LiveSinkSettings(
        encoder=settings.encoder(),
        bitrate=settings.bitrate,
        key_every_s=settings.key_every,
        segment_s=settings.segment,
        keep=None if settings.keep is None else keep_of(settings.keep),
        overwrite=settings.overwrite,
    )
