"""Network addresses through FFmpeg: RTSP, HTTP, HLS, SRT, RTMP, RTP.

Opened first with little probing, which saves most of a second, then once more with FFmpeg's own if that found nothing.
"""

from __future__ import annotations

import time

import av
from av.container import InputContainer

from stream.errors import NothingDecodable, NoVideoStream, UnknownCodec
from stream.media.credentials import fill_in, remember_options
from stream.media.network_errors import connection_error
from stream.media.sources.connection import SourceOptions, plain_address, scheme_of
from stream.media.sources.demuxed import DemuxedConnection
from stream.media.sources.fed import CLOCKED
from stream.media.sources.pacing import Pace

QUICK_PROBE = {"probesize": "32768", "analyzeduration": "200000"}
"""FFmpeg's ``nobuffer`` is not among its options: it forgets what was looked at, and with it the first key frame."""
_SEGMENT_S = 15.0
"""A playlist may give nothing for as long as a segment lasts, and for the time of one that is late."""
_ENCRYPTED = "tls,tcp,crypto"
_MAY_OPEN = {
    "rtsp": "rtsp,rtp,rtcp,srtp,udp,tcp,tls,http,https",
    "rtsps": "rtsps,rtsp,rtp,rtcp,srtp,udp,tcp,tls,http,https",
    "http": f"http,https,httpproxy,{_ENCRYPTED},data",
    "https": f"http,https,httpproxy,{_ENCRYPTED},data",
    "srt": "srt,udp",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,rtmp,tls,tcp",
    "udp": "udp",
    "tcp": "tcp",
    "rtp": "rtp,rtcp,udp",
}
"""What an address may lead to. A playlist from the network never opens a file."""


class NetworkConnection(DemuxedConnection):
    """A ``Connection`` to an address."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        """Raises what ``open_connection`` raises."""
        address = fill_in(plain_address(uri))
        remember_options(options.options)
        try:
            self._connect(address, options, QUICK_PROBE)
        except (NoVideoStream, UnknownCodec, NothingDecodable):
            self._connect(address, options, {})

    def _connect(self, address: str, options: SourceOptions, probing: dict[str, str]) -> None:
        container = open_address(address, options, probing)
        in_segments = container.format.name in ("hls", "dash")
        ends = container.duration is not None and scheme_of(address) in ("http", "https")
        super().__init__(
            container,
            address,
            pace=Pace() if in_segments or ends else None,
            silence_s=_SEGMENT_S if in_segments else 0.0,
            staleness_s=options.staleness_s if container.format.name in CLOCKED else None,
        )


def open_address(
    address: str, options: SourceOptions, probing: dict[str, str], *, format: str | None = None
) -> InputContainer:
    """An open container. Raises ``ConnectionFailed`` types, UnsupportedUri, OptionRefused."""
    http = scheme_of(address) in ("http", "https")
    began = time.monotonic()
    try:
        return av.open(
            address,
            "r",
            format=format,
            metadata_errors="replace",
            container_options={**address_options(address, options), **probing, **options.options},
            timeout=(
                options.open_timeout_s,
                max(options.read_timeout_s, _SEGMENT_S) if http else options.read_timeout_s,
            ),
        )
    except (av.FFmpegError, OSError) as error:
        waited = time.monotonic() - began
        silent_s = waited if waited >= options.read_timeout_s else None
        raise connection_error(error, address, silent_s=silent_s) from None


def address_options(address: str, options: SourceOptions) -> dict[str, str]:
    """FFmpeg's options for an address; times there are in microseconds."""
    scheme = scheme_of(address)
    read_us = str(round(1e6 * options.read_timeout_s))
    common = {"protocol_whitelist": _MAY_OPEN.get(scheme, scheme)}
    if scheme in ("rtsp", "rtsps"):
        transport = {} if options.transport == "auto" else {"rtsp_transport": options.transport}
        # Lost UDP packets are waited for that long; audio and video only: cameras also send events.
        return {
            **common, **transport, "timeout": read_us, "max_delay": "200000", "allowed_media_types": "video+audio",
            "buffer_size": "2097152",
        }  # fmt: skip
    if scheme in ("http", "https"):
        return {**common, "rw_timeout": read_us, "reconnect": "0"}
    if scheme == "srt":
        return {**common, "connect_timeout": str(round(1e3 * options.open_timeout_s)), "timeout": read_us}
    if scheme in ("rtmp", "rtmps"):
        return {**common, "rtmp_live": "live", "rtmp_buffer": "100", "rw_timeout": read_us}
    if scheme == "udp":
        return {**common, "timeout": read_us, "buffer_size": "2097152", "overrun_nonfatal": "1"}
    return {**common, "timeout": read_us} if scheme == "tcp" else common
