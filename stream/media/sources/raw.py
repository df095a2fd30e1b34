"""MPEG-TS over UDP and TCP: FFmpeg's protocol brings the bytes, with all its options; they are demuxed from there."""

from __future__ import annotations

import time

import av

from stream.errors import ConnectionTimedOut, NothingDecodable, NoVideoStream, StreamError, UnknownCodec
from stream.media.credentials import fill_in, remember_options
from stream.media.network_errors import connection_error
from stream.media.sources.connection import SourceOptions, scheme_of
from stream.media.sources.fed import FedConnection
from stream.media.sources.network import QUICK_PROBE, address_options, open_address
from stream.redaction import redact

_PIECE = "65536"
"""Bytes that are taken at once, if so many are there."""


class _Raw:
    """What comes in on an address, byte by byte."""

    def __init__(self, address: str, options: SourceOptions) -> None:
        """Raises ``ConnectionFailed`` types."""
        self._address = address
        self._opened_at = time.monotonic()
        self._container = open_address(address, options, {"raw_packet_size": _PIECE}, format="data")
        self._pieces = self._container.demux(self._container.streams[0])
        self._rest = b""
        self._came = self.stopped = False
        self.error: StreamError | None = None

    def read(self, size: int) -> bytes:
        """At most so many bytes, blocking; none at the end."""
        if not self._rest:
            self._rest = self._next()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _next(self) -> bytes:
        try:
            piece = next(self._pieces, None)
        except (av.FFmpegError, OSError) as error:
            self.error = self._explained(error)
            return b""
        if piece is None or self.stopped:
            return b""
        self._came = True
        return bytes(piece)

    def _explained(self, error: Exception) -> StreamError:
        waited = time.monotonic() - self._opened_at
        explained = connection_error(error, self._address, opening=not self._came, silent_s=waited)
        if self._came or not isinstance(explained, ConnectionTimedOut) or scheme_of(self._address) != "udp":
            return explained
        return ConnectionTimedOut(
            f"{redact(self._address)}: nothing arrived within {waited:.0f} s",
            do="Check that the sender runs and sends to this port",
        )

    def close(self) -> None:
        """Leaves the address."""
        self.stopped = True
        self._pieces = iter(())
        self._container.close()


class RawConnection(FedConnection):
    """A ``Connection`` to an address of UDP or TCP."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        """Raises what ``open_connection`` raises."""
        remember_options(options.options)
        address = fill_in(uri)
        try:
            self._connect(address, options, QUICK_PROBE)
        except (NoVideoStream, UnknownCodec, NothingDecodable):
            self._connect(address, options, {})

    def _connect(self, address: str, options: SourceOptions, probing: dict[str, str]) -> None:
        demuxing = {**address_options(address, options), **probing, **options.options}
        super().__init__(_Raw(address, options), address, options, container_options=demuxing)
