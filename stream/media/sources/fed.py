"""A connection whose bytes come through Python: between two pieces it sees that it shall end, whatever they hold.

PyAV hands out packets of the streams that were there at the opening. While a sender brings others alone, such as after
a change of PIDs, it reads on inside and for ever, and no timeout comes true, as something arrives all the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Protocol

import av
from av.packet import Packet as AvPacket
from av.stream import Stream

from stream.errors import ConnectionTimedOut, StreamError
from stream.media.network_errors import connection_error
from stream.media.sources.connection import SourceOptions
from stream.media.sources.demuxed import DemuxedConnection
from stream.redaction import redact

CLOCKED = ("rtsp", "rtp", "sdp", "mpegts", "flv", "live_flv")
"""Formats that carry the sender's clock; elsewhere FFmpeg makes time stamps up of the announced rate."""
_OPENING_S = 25.0
_TIMEOUTS = 5.0
"""Bytes that come in for that long, and for so many times the timeout of a read, must have given a picture."""


class Feed(Protocol):
    """What brings the bytes, as a file that can be read but has no end of its own."""

    stopped: bool
    """Set from any thread: ``read`` gives nothing from the next piece on."""
    error: StreamError | None
    """Why it ended."""

    def read(self, size: int) -> bytes:
        """At most so many bytes, blocking; none at the end. Raises nothing: FFmpeg would print it."""
        ...

    def close(self) -> None:
        """Frees it; from the thread that reads."""


class _Limited:
    """The feed as PyAV reads it: at its end when it is stopped, and when no picture has come for too long."""

    def __init__(self, feed: Feed, uri: str, limit_s: float) -> None:
        self._feed, self._uri, self._limit_s = feed, uri, limit_s
        self.until: float | None = time.monotonic() + limit_s

    def read(self, size: int) -> bytes:
        if self._feed.stopped:
            return b""
        if self.until is not None and time.monotonic() > self.until:
            self._feed.error = self._feed.error or ConnectionTimedOut(
                f"{redact(self._uri)}: something comes in, and no picture within {self._limit_s:.0f} s",
                do="Check the stream in a player",
            )
            return b""
        return self._feed.read(size)


class FedConnection(DemuxedConnection):
    """A ``Connection`` on a feed, which it owns."""

    def __init__(
        self,
        feed: Feed,
        uri: str,
        options: SourceOptions,
        *,
        container_options: Mapping[str, str],
        format: str | None = None,
    ) -> None:
        """Raises the feed's error, ``ConnectionFailed`` types and what decoding raises."""
        self._feed = feed
        limited = _Limited(feed, uri, max(_OPENING_S, _TIMEOUTS * options.read_timeout_s))
        try:
            try:
                container = av.open(
                    limited, "r", format=format, metadata_errors="replace", container_options=dict(container_options)
                )
            except (av.FFmpegError, OSError) as error:
                raise connection_error(error, uri) from None
            clocked = container.format.name in CLOCKED
            super().__init__(container, uri, staleness_s=options.staleness_s if clocked else None)
        except BaseException as error:
            feed.close()
            if isinstance(error, StreamError) and feed.error is not None:
                raise feed.error from None
            raise
        limited.until = None

    def _packets(self) -> Iterator[AvPacket[Stream]]:
        yield from super()._packets()
        if self._feed.error is not None and not self._stopped:
            raise self._feed.error

    def stop(self) -> None:
        """Ends the iteration at the next piece, of whatever stream."""
        self._feed.stopped = True
        super().stop()

    def close(self) -> None:
        """Frees the connection; from the thread that iterates."""
        super().close()
        self._feed.close()
