"""SRT where FFmpeg was built without it, as in PyAV's wheels: GStreamer carries the bytes, FFmpeg does the rest."""

from __future__ import annotations

import time
from typing import Any

import av

from stream.errors import ConnectionTimedOut, GStreamerMissing, StreamError
from stream.media.credentials import fill_in, remember_options
from stream.media.gstreamer import error_of, gstreamer, tear_down
from stream.media.sources.connection import SourceOptions
from stream.media.sources.fed import FedConnection
from stream.media.sources.network import QUICK_PROBE
from stream.redaction import redact

_LOOK_S = 0.2
_ROOM = 500
"""Buffers of about one packet each that may wait for the reader."""


def require_srt() -> None:
    """Raises GStreamerMissing where neither FFmpeg nor GStreamer can do SRT."""
    try:
        av.open("srt://").close()
    except av.error.ProtocolNotFoundError:
        _require_element()
    except (av.FFmpegError, OSError, ValueError):
        return  # FFmpeg knows it, and misses the host


def _require_element() -> None:
    if gstreamer().Gst.ElementFactory.find("srtsrc") is None:
        raise GStreamerMissing(
            "neither FFmpeg nor GStreamer can do SRT here", do="Install it: apt install gstreamer1.0-plugins-bad"
        )


class _Bytes:
    """What an SRT connection brings, as a file to read. ``error`` says why it ended."""

    def __init__(self, address: str, options: SourceOptions) -> None:
        self._modules = gstreamer()
        gst = self._modules.Gst
        self._shown = redact(address)
        _require_element()
        source, self._sink = gst.ElementFactory.make("srtsrc"), gst.ElementFactory.make("appsink")
        source.set_property("uri", address)
        if source.find_property("auto-reconnect"):
            source.set_property("auto-reconnect", False)  # whoever reads reconnects, and tells about it
        self._sink.set_property("sync", False)
        self._sink.set_property("max-buffers", _ROOM)
        self._pipeline = gst.Pipeline.new(None)
        self._pipeline.add(source)
        self._pipeline.add(self._sink)
        source.link(self._sink)
        self._bus = self._pipeline.get_bus()
        self._limit_s = options.open_timeout_s
        self._read_limit_s = 2 * options.read_timeout_s
        self._rest = b""
        self.stopped = self._ended = False
        self.error: StreamError | None = None
        self._pipeline.set_state(gst.State.PLAYING)

    def read(self, size: int) -> bytes:
        """At most so many bytes, blocking; none at the end."""
        if not self._rest:
            self._rest = self._next()
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def _next(self) -> bytes:
        gst, begun = self._modules.Gst, time.monotonic()
        while not self.stopped and not self._ended:
            sample = self._sink.try_pull_sample(int(_LOOK_S * gst.SECOND))
            if sample is not None:
                self._limit_s = self._read_limit_s
                buffer: Any = sample.get_buffer()
                return bytes(buffer.extract_dup(0, buffer.get_size()))
            message = self._bus.timed_pop_filtered(0, gst.MessageType.ERROR | gst.MessageType.EOS)
            if message is not None and message.type == gst.MessageType.ERROR:
                self.error = error_of(message, self._shown)
            self._ended = message is not None or self._sink.is_eos()
            if not self._ended and time.monotonic() - begun > self._limit_s:
                self._ended = True
                self.error = ConnectionTimedOut(
                    f"{self._shown}: nothing comes in", do="Check the network, and that the other side sends"
                )
        return b""

    def close(self) -> None:
        """Ends the transport."""
        self.stopped = True
        tear_down(self._pipeline)


class SrtConnection(FedConnection):
    """A ``Connection`` to an SRT address that carries MPEG-TS."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        """Raises GStreamerMissing, ``ConnectionFailed`` types and what decoding raises."""
        remember_options(options.options)
        address = fill_in(uri)
        super().__init__(_Bytes(address, options), address, options, format="mpegts", container_options=QUICK_PROBE)
