"""SRT where FFmpeg was built without it, as in PyAV's wheels: FFmpeg makes MPEG-TS, GStreamer carries the bytes."""

from __future__ import annotations

from stream.errors import GStreamerMissing
from stream.live.outputs.failures import real_errors
from stream.live.outputs.gst_feed import GstFeed
from stream.live.outputs.muxing import Muxing, carried
from stream.live.outputs.packets import AudioPacket, AudioTrack, EncodedPicture, VideoFormat
from stream.media.credentials import fill_in
from stream.media.gstreamer import gstreamer
from stream.redaction import redact

_CAPS = "video/mpegts,systemstream=true,packetsize=188"
_MOST_BYTES = 1 << 20
_MESSAGE = 1316
"""Bytes in one message of SRT in live mode: seven packets of MPEG-TS."""


class _Messages:
    """What FFmpeg's muxer writes, in messages. The first error is noted: PyAV would print it, past every log."""

    def __init__(self, feed: GstFeed) -> None:
        self._feed = feed
        self.error: Exception | None = None

    def write(self, data: bytes) -> int:
        try:
            for start in range(0, len(data) if self.error is None else 0, _MESSAGE):
                self._feed.push(data[start : start + _MESSAGE])
        except Exception as error:
            self.error = error
        return len(data)


class SrtWriter:
    """A ``Writer`` of one connection. With ``?mode=listener`` it waits for callers, and drops meanwhile."""

    def __init__(self, uri: str) -> None:
        """``uri``: with its placeholders, which are filled in for each connection: a secret may change."""
        self.notes: list[str] = []
        self.unconfirmed = 0
        self._uri, self._shown = uri, redact(uri)
        self._feed: GstFeed | None = None
        self._messages: _Messages | None = None
        self._muxing: Muxing | None = None

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        """Raises GStreamerMissing, SecretMissing and what the connection reports."""
        url = fill_in(self._uri)
        self._shown = redact(url)
        gst = gstreamer().Gst
        source, sink = gst.ElementFactory.make("appsrc"), gst.ElementFactory.make("srtsink")
        if source is None or sink is None:
            raise GStreamerMissing(
                f"{self._shown}: neither FFmpeg nor GStreamer can do SRT here",
                do="Install it: apt install gstreamer1.0-plugins-bad",
            )
        sink.set_property("uri", url)
        sink.set_property("sync", False)
        listens = "mode=listener" in url
        # Whoever calls is told when that fails, and calls again by itself; a listener sends to who is there.
        for name, value in {"auto-reconnect": listens, "wait-for-connection": not listens}.items():
            if sink.find_property(name):
                sink.set_property(name, value)
        pipeline = gst.Pipeline.new(None)
        pipeline.add(source)
        pipeline.add(sink)
        source.link(sink)
        self._feed = GstFeed(pipeline, self._shown, _CAPS, _MOST_BYTES)
        self._messages = _Messages(self._feed)
        kept, notes = carried(audio, "mpegts")
        self.notes += notes
        self._muxing = Muxing(self._messages, "mpegts", video, kept, {})

    def is_complete(self, picture: EncodedPicture) -> bool:
        return False

    def write(self, picture: EncodedPicture) -> None:
        assert self._feed is not None
        assert self._muxing is not None
        self._feed.check()
        with real_errors(self._said):
            self._muxing.write(picture)

    def write_audio(self, packet: AudioPacket) -> None:
        assert self._muxing is not None
        with real_errors(self._said):
            self._muxing.write_audio(packet)

    def close(self) -> None:
        if self._feed is None:
            return
        try:
            if self._muxing is not None:
                with real_errors(self._said):
                    self._muxing.close()
        finally:
            self._feed.close()

    def abandon(self) -> None:
        """The pipeline has a time limit of its own."""

    def _said(self) -> Exception | None:
        return self._messages.error if self._messages is not None else None
