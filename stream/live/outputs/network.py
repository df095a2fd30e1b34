"""Addresses in a network that FFmpeg sends to, each connection in a process of its own (``publishing_process``)."""

from __future__ import annotations

import contextlib
import io
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from fractions import Fraction

import av

from stream.errors import ConnectionLost, ConnectionTimedOut, StreamError
from stream.live.outputs import publishing_process
from stream.live.outputs.muxing import AT_ONCE, Muxing, carried
from stream.live.outputs.packets import TIME_BASE, AudioPacket, AudioTrack, EncodedPicture, VideoFormat
from stream.live.outputs.publishing_process import DONE, ERROR, LENGTH, OPEN, PACKET, READY
from stream.media.credentials import fill_in
from stream.media.network_errors import connection_error
from stream.redaction import redact

_START_S = 30.0
"""A busy machine takes its time to start a process."""
_CLOSE_S = 1.0
_DATAGRAM = 1316
"""Seven packets of MPEG-TS: the largest number that fits into one packet of Ethernet."""
_LONGEST_S = {"flv": 24 * 86_400.0}
"""Of one connection: RTMP counts milliseconds in 31 bits, and after 24.8 days times would fall back to 0."""


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where to, and how."""

    uri: str
    """With its placeholders, which are filled in for each connection: a secret may change."""
    muxer: str
    options: dict[str, str]
    open_timeout_s: float = 5.0
    write_timeout_s: float = 5.0

    def url(self) -> str:
        """Complete, with credentials: never to be shown. Raises SecretMissing, UnsupportedUri."""
        url = fill_in(self.uri)
        if url.startswith("udp:") and "pkt_size=" not in url:
            url += f"{'&' if '?' in url else '?'}pkt_size={_DATAGRAM}"
        return url


class NetworkWriter:
    """A ``Writer`` of one connection. The process starts at once and waits; ``open`` makes it connect."""

    def __init__(self, address: Address) -> None:
        self.notes: list[str] = []
        self.unconfirmed = 0
        self._address, self._shown = address, redact(address.uri)
        self._url = ""
        self._streams: dict[tuple[object, ...], tuple[int, Fraction]] = {}
        self._start: int | None = None
        self._last_audio: dict[int, int] = {}
        self._heard = b""
        self._progress_at = time.monotonic()
        self._broken = False
        self._opened = False
        self._process = subprocess.Popen(
            [sys.executable, publishing_process.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the program, which then ends this process in order
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into, self._out_of = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._into, False)
        os.set_blocking(self._out_of, False)

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        """Raises the types of ``connection_error``, and SecretMissing."""
        self._url = self._address.url()
        self._shown = redact(self._url)
        kept, notes = carried(audio, self._address.muxer)
        self.notes += notes
        self._wait_for(READY, _START_S)
        bases = [TIME_BASE, *(track.template.time_base or Fraction(1, track.template.rate) for track in kept)]
        self._streams = {track.about: (n, bases[n]) for n, track in enumerate(kept, start=1)}
        request = {
            "url": self._url,
            "format": self._address.muxer,
            "options": {**AT_ONCE, **self._address.options},
            "time_bases": [[base.numerator, base.denominator] for base in bases],
            "open_timeout_s": self._address.open_timeout_s,
            "write_timeout_s": self._address.write_timeout_s,
            "close_timeout_s": _CLOSE_S,
        }
        for block in (json.dumps(request).encode(), _parameters(video, kept)):
            self._send(LENGTH.pack(len(block)) + block)
        self._wait_for(OPEN, self._address.open_timeout_s + 2.0)
        self._opened = True

    def is_complete(self, picture: EncodedPicture) -> bool:
        longest = _LONGEST_S.get(self._address.muxer)
        return longest is not None and self._start is not None and (picture.pts - self._start) * TIME_BASE >= longest

    def write(self, picture: EncodedPicture) -> None:
        if self._start is None:
            self._start = picture.pts
        start, data = self._start, picture.data
        times = picture.pts - start, picture.dts - start, picture.duration
        if not self.unconfirmed:
            self._progress_at = time.monotonic()
        self._send(PACKET.pack(0, picture.key_frame, *times, len(data)) + data)
        self.unconfirmed += 1
        self._listen()
        if time.monotonic() - self._progress_at > self._address.write_timeout_s:
            self._fail(ConnectionTimedOut(f"{self._shown} takes nothing any more", do="Check the server"))

    def write_audio(self, packet: AudioPacket) -> None:
        stream = self._streams.get(packet.track.about)
        if stream is None or self._start is None:
            return
        index, base = stream
        pts = round(packet.pts * packet.time_base / base) - round(self._start * TIME_BASE / base)
        if pts < 0 or pts <= self._last_audio.get(index, -1):
            return
        self._last_audio[index] = pts
        duration = round(packet.duration * packet.time_base / base)
        self._send(PACKET.pack(index, 1, pts, pts, duration, len(packet.data)) + packet.data)

    def close(self) -> None:
        """Says goodbye where the connection stands, and ends the process in any case."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        if self._opened and not self._broken:
            until = time.monotonic() + _CLOSE_S
            with contextlib.suppress(StreamError):
                while process.poll() is None and time.monotonic() < until:
                    self._listen(0.05)
                self._listen()
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()

    def abandon(self) -> None:
        self._process.kill()

    def _send(self, data: bytes) -> None:
        """Into the pipe, which takes a moment at most unless the far end takes nothing."""
        rest = memoryview(data)
        until = time.monotonic() + self._address.write_timeout_s
        while rest:
            try:
                rest = rest[os.write(self._into, rest) :]
            except BlockingIOError:
                if time.monotonic() > until:
                    self._fail(ConnectionTimedOut(f"{self._shown} takes nothing any more", do="Check the server"))
                select.select([self._out_of], [self._into], [], 0.2)
                self._listen()
            except (BrokenPipeError, ValueError):
                self._ended()

    def _listen(self, timeout_s: float = 0.0) -> None:
        """Takes in what the process has said. Raises if it has ended with an error."""
        if timeout_s:
            select.select([self._out_of], [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            said = os.read(self._out_of, 4096)
            if not said:
                self._ended()
            self._heard += said
            if ERROR not in self._heard:
                done = self._heard.count(DONE)
                self.unconfirmed -= done
                self._heard = self._heard.replace(DONE, b"")
                if done:
                    self._progress_at = time.monotonic()

    def _wait_for(self, word: bytes, timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while word not in self._heard:
            if time.monotonic() > until:
                self._fail(
                    ConnectionTimedOut(f"{self._shown}: no answer in time", do="Check the network and the server")
                )
            self._listen(0.1)
        self._heard = self._heard.replace(word, b"", 1)

    def _ended(self) -> None:
        """The process is gone: says why."""
        with contextlib.suppress(OSError):
            while more := os.read(self._out_of, 4096):
                self._heard += more
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        before, found, about = self._heard.partition(ERROR)
        self.unconfirmed -= before.count(DONE)
        self._heard = b""
        if found:
            self._fail(connection_error(_as_error(json.loads(about)), self._url, opening=not self._opened))
        if self._process.poll() == -signal.SIGALRM:
            what = "takes nothing any more" if self._opened else "does not answer"
            self._fail(ConnectionTimedOut(f"{self._shown} {what}", do="Check the network and the server"))
        if self._process.poll() != 0:
            self._fail(ConnectionLost(f"{self._shown}: the process that sends to it ended by itself"))

    def _fail(self, error: StreamError) -> None:
        self._broken = True
        raise error


def _as_error(about: dict[str, object]) -> BaseException:
    """The error that the process met, as far as it can be told in words and numbers."""
    kind = getattr(av.error, str(about["type"]), None)
    number, words = about["errno"], str(about["words"])
    if isinstance(kind, type) and issubclass(kind, av.FFmpegError) and isinstance(number, int):
        return kind(number, words)
    return OSError(number, words) if isinstance(number, int) else ValueError(words)


def _parameters(video: VideoFormat, audio: list[AudioTrack]) -> bytes:
    """What muxers must know of the streams, as a file with next to nothing in it."""
    memory = io.BytesIO()
    muxing = Muxing(memory, "nut", video, audio, {})
    muxing.write(EncodedPicture(b"\0", 0, 0, 0, True, video))  # a file without any packet cannot be read
    muxing.close()
    return memory.getvalue()
