"""One connection of a live source, from opening to its end: the contract, and ``open_connection``, which picks one.

A connection knows nothing about reconnecting: it ends, cleanly or with a typed error, and another one is opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from av.stream import Stream

from stream.errors import UnsupportedUri
from stream.media.credentials import fill_in
from stream.media.frame import Frame, Packet
from stream.media.source import VideoInfo
from stream.redaction import redact

Transport = Literal["tcp", "udp", "auto"]

NO_PTS = -(1 << 63)
"""``Frame.pts`` of a connection whose stream gives no time stamps."""

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https", "hls", "srt", "rtmp", "rtmps", "udp", "tcp", "rtp")
OTHER_SCHEMES = ("gst", "csi", "v4l2", "testsrc", "live")
_TAKEN: dict[str, tuple[str, ...]] = {
    "live": ("loop",),
    "gst": (),
    "csi": ("size", "video_size", "fps", "framerate"),
}
"""Options of sources that read them here."""
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_DEVICE = re.compile(r"^/dev/video\w+$")


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How connections are opened."""

    transport: Transport = "tcp"
    """RTSP only; auto: UDP first, TCP if the server or the network refuses it."""
    open_timeout_s: float = 5.0
    read_timeout_s: float = 2.0
    staleness_s: float = 0.5
    """How late video may come before what waits is passed over, up to a key frame."""
    options: Mapping[str, str] = field(default_factory=dict)
    """KEY=VALUE for FFmpeg's demuxer or the device: ``video_size``, ``framerate``, ``input_format`` ..."""


class Connection(Protocol):
    """Iterates ``Frame`` and ``Packet`` as they arrive, from one thread, once.

    Frames carry the time stamps of the source (``NO_PTS`` where there is none) in ``video.time_base``, and pictures the
    size, format and colours that the source has now: a change on the way gives frames of the new kind. The iteration
    ends when the other side ends, and raises ``StreamError`` types.
    """

    @property
    def video(self) -> VideoInfo:
        """The video as it is now; another object after a change."""

    streams: list[Stream]
    """Audio streams, whose packets are handed on; valid until ``close``."""
    notes: list[str]
    damaged: int
    """Pictures lost or decoded with errors so far."""
    before_key_frame: int
    """Packets passed over because no key frame had come yet."""
    skipped: int
    """Packets passed over because decoding had fallen behind."""
    alive_at: float
    """``time.monotonic()`` when video last came in; written by the reading thread, read by others."""

    silence_s: float
    """Seconds without video that are normal for this kind of source: segments of a playlist come one at a time."""

    def __iter__(self) -> Iterator[Frame | Packet]: ...

    def stop(self) -> None:
        """Makes the iteration end soon, unless it is blocked in a read; callable from any thread."""

    def close(self) -> None:
        """Frees everything; from the thread that iterates."""


def scheme_of(uri: str) -> str:
    """The scheme in lower case; ``v4l2`` for ``/dev/video0``, empty for paths."""
    if _DEVICE.match(uri):
        return "v4l2"
    match = _SCHEME.match(uri)
    return match[1].lower() if match else ""


def plain_address(uri: str) -> str:
    """The address without our own prefix: ``hls:https://...`` and ``hls://...`` are HTTP."""
    if not uri.lower().startswith("hls:"):
        return uri
    rest = uri[len("hls:") :]
    return f"http:{rest}" if rest.startswith("//") else rest


def is_live(uri: str) -> bool:
    """True for what ``open_connection`` opens: network addresses, devices, pipelines, ``testsrc:``, ``live:FILE``."""
    return scheme_of(uri) in (*NETWORK_SCHEMES, *OTHER_SCHEMES)


def open_connection(uri: str, options: SourceOptions) -> Connection:
    """Opens ``uri`` and blocks until its video is known, for a few times ``open_timeout_s`` at the most.

    Raises ``ConnectionFailed`` types, UnsupportedUri, OptionRefused, SecretMissing, NoVideoStream, UnknownCodec,
    NothingDecodable, HdrNotSupported, GStreamerMissing, PipelineInvalid.
    """
    scheme = scheme_of(uri)
    if scheme in ("udp", "tcp"):
        from stream.media.sources.raw import RawConnection

        return RawConnection(uri, options)
    if scheme in NETWORK_SCHEMES:
        from stream.media.sources.network import NetworkConnection

        try:
            return NetworkConnection(uri, options)
        except UnsupportedUri:
            if scheme != "srt":
                raise
        from stream.media.sources.srt import SrtConnection

        return SrtConnection(uri, options)
    if scheme == "live":
        from stream.media.sources.live_file import LiveFileConnection

        return LiveFileConnection(uri, options)
    if scheme == "v4l2":
        from stream.media.sources.v4l2 import V4l2Connection

        return V4l2Connection(uri, options)
    if scheme == "testsrc":
        from stream.media.sources.testsrc import TestsrcConnection

        return TestsrcConnection(uri, options)
    if scheme in ("gst", "csi"):
        from stream.media.sources.gst import GstConnection

        return GstConnection(uri, options)
    raise _unsupported(uri)


def check_address(uri: str, options: SourceOptions) -> None:
    """Raises what can be known without opening anything, and what trying again could not heal.

    That is UnsupportedUri, SecretMissing, OptionRefused, InputNotFound, GStreamerMissing, PipelineInvalid.
    """
    scheme = scheme_of(uri)
    if scheme in NETWORK_SCHEMES:
        fill_in(plain_address(uri))
        if scheme == "srt":
            from stream.media.sources.srt import require_srt

            require_srt()
    elif scheme == "testsrc":
        from stream.media.sources.testsrc import parse

        parse(uri, options.options)
    elif scheme in ("gst", "csi"):
        from stream.media.gstreamer import build
        from stream.media.sources.gst import pipeline_text, with_taker

        build(with_taker(fill_in(pipeline_text(uri, options))))
    elif scheme == "live":
        from stream.media.sources.live_file import path_of

        path_of(uri)
    elif scheme != "v4l2":
        raise _unsupported(uri)


def unused_options(uri: str, options: Mapping[str, str]) -> list[str]:
    """Names that mean nothing to this kind of source. FFmpeg passes over what it does not know without a word."""
    taken = _TAKEN.get(scheme_of(uri))
    return [] if taken is None else [name for name in options if name not in taken]


def _unsupported(uri: str) -> UnsupportedUri:
    return UnsupportedUri(
        f"{scheme_of(uri) or redact(uri)}: not a live source", do="Give rtsp://, http://, /dev/video0, gst: or testsrc:"
    )
