"""Frames from files and into files: ``open_source``, ``open_sink``, and what passes between them."""

from stream.media.encoder import EncoderSettings
from stream.media.frame import Frame, Packet
from stream.media.open import open_sink, open_source
from stream.media.pictures import fresh_like, planes_of
from stream.media.sink import Sink
from stream.media.source import Source, VideoInfo
from stream.media.uri import default_output, expand_inputs

__all__ = [
    "EncoderSettings",
    "Frame",
    "Packet",
    "Sink",
    "Source",
    "VideoInfo",
    "default_output",
    "expand_inputs",
    "fresh_like",
    "open_sink",
    "open_source",
    "planes_of",
]
