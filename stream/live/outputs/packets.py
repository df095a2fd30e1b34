"""What goes from the encoder to every output: encoded pictures and copied audio, as plain values.

An output makes packets of its own from them: a muxer changes the time stamps and the stream of the packets it gets.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.stream import Stream
from av.video.stream import VideoStream

from stream.live.outputs.adts import audio_specific_config, without_header
from stream.media.frame import Packet
from stream.media.templates import detached_audio

TIME_BASE = Fraction(1, 90_000)
"""Of all times of live video."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFormat:
    """How pictures are encoded at present. Another object means: another size, pixel format, codec or colour."""

    template: VideoStream
    """A stream that muxers copy their parameters from, headers (extradata) included."""
    width: int
    height: int
    codec: str
    """FFmpeg's name of the format, such as h264."""


@dataclass(frozen=True, slots=True, eq=False)
class EncodedPicture:
    """One encoded picture; times in 1/90000 s. Key frames carry the headers in band where the format has them there."""

    data: bytes
    pts: int
    dts: int
    duration: int
    """0 = unknown."""
    key_frame: bool
    format: VideoFormat


@dataclass(frozen=True, slots=True, eq=False)
class AudioTrack:
    """A stream of audio that is passed through; its template stays usable after the source is gone."""

    template: AudioStream
    codec: str
    about: tuple[object, ...]
    """What must be equal for packets to belong to the same track of a file."""
    index: int
    """Of the source's stream: a newer track with the same index takes its place."""

    def __str__(self) -> str:
        return f"audio ({self.codec}, {self.template.rate} Hz)"


@dataclass(frozen=True, slots=True, eq=False)
class AudioPacket:
    """One packet of audio, bytes as they came."""

    data: bytes
    pts: int
    duration: int
    time_base: Fraction
    track: AudioTrack


def audio_track(packet: Packet) -> AudioTrack | None:
    """The track that a packet of a source belongs to, whose stream is still open; None where it is no audio."""
    stream = packet.stream
    if not isinstance(stream, AudioStream):
        return None
    context = stream.codec_context
    in_each = context.name == "aac" and not context.extradata
    config = audio_specific_config(bytes(packet.data)) if in_each else None
    template = detached_audio(stream, config)
    about = (stream.index, context.name, context.sample_rate, context.layout.name, config or context.extradata)
    return AudioTrack(template, context.name, about, stream.index)


def audio_packet(packet: Packet, track: AudioTrack) -> AudioPacket | None:
    """The packet as a value; None where it has no time stamp or no data."""
    data, time_base = packet.data, packet.data.time_base
    pts = data.pts if data.pts is not None else data.dts
    if pts is None or time_base is None or not data.size:
        return None
    held = without_header(bytes(data)) if track.codec == "aac" else bytes(data)
    return AudioPacket(held, pts, data.duration or 0, time_base, track)


def muxable(item: EncodedPicture | AudioPacket, stream: Stream, start: int) -> av.Packet[Stream]:
    """A packet for a muxer. ``start`` (1/90000 s) becomes time 0."""
    packet: av.Packet[Stream] = av.Packet(item.data)
    packet.stream = stream
    packet.duration = item.duration
    if isinstance(item, EncodedPicture):
        packet.pts, packet.dts, packet.time_base = item.pts - start, item.dts - start, TIME_BASE
        packet.is_keyframe = item.key_frame
    else:
        packet.time_base = item.time_base
        packet.pts = packet.dts = item.pts - round(start * TIME_BASE / item.time_base)
        packet.is_keyframe = True
    return packet
