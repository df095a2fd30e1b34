"""A sender of MPEG-TS over UDP that changes what it sends while it goes on: its codec, its PIDs, how often."""

from __future__ import annotations

import io
import itertools
import socket
import threading
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from live_clients import until
from live_collector import Collector

from benchmarks.live_server import free_port
from stream.live.configuration import StreamConfig
from stream.live.run import LiveRun
from stream.live.source import SourcePolicy
from stream.media.sources.connection import SourceOptions
from stream.settings import Settings

FPS, SECONDS = 25, 8
DATAGRAM = 1316
OPTIONS = SourceOptions(open_timeout_s=15.0, read_timeout_s=2.0)
POLICY = SourcePolicy(first_backoff_s=0.1, longest_backoff_s=0.5)


def pieces(codec: str, first_pid: int) -> list[bytes]:
    """The bytes of each picture of a transport stream with a key frame every half second."""
    target, found, before = io.BytesIO(), [], 0
    options = {"flush_packets": "1", "mpegts_start_pid": str(first_pid), "pat_period": "0.2"}
    with av.open(target, "w", format="mpegts", options=options) as container:
        video = container.add_stream(codec, rate=FPS)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "12", "x265-params": "log-level=none"}
        for number in range(FPS * SECONDS):
            picture = av.VideoFrame.from_ndarray(np.full((144, 160), 60 + number % 40, np.uint8), "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
            found.append(target.getvalue()[before:])
            before = len(target.getvalue())
    return found


class Sender:
    """Sends in real time and never pauses; ``becomes`` changes what."""

    def __init__(self, first: list[bytes]) -> None:
        self.port = free_port()
        self.every_s = 1 / FPS
        self._sent = iter(first)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def becomes(self, other: list[bytes]) -> None:
        self._sent = itertools.cycle(other)

    def close(self) -> None:
        self._closed.set()
        self._thread.join(10)

    def _send(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not self._closed.wait(self.every_s):
                piece = next(self._sent, b"")
                for start in range(0, len(piece), DATAGRAM):
                    out.sendto(piece[start : start + DATAGRAM], ("127.0.0.1", self.port))


@pytest.fixture
def sender() -> Iterator[Sender]:
    running = Sender(list(itertools.chain.from_iterable([pieces("libx264", 256)] * 20)))
    yield running
    running.close()


def test_other_pids_in_mid_stream_are_another_connection(sender: Sender) -> None:
    with Collector(f"udp://127.0.0.1:{sender.port}", OPTIONS, POLICY) as reading:
        reading.wait_frames(20)
        lost = reading.source.generation
        sender.becomes(pieces("libx264", 700))
        reading.wait_frames(20, after=lost)
        assert reading.source.stuck_readers == 0, "the reader before sits on the port"


def test_another_codec_in_mid_stream_is_another_connection(sender: Sender) -> None:
    with Collector(f"udp://127.0.0.1:{sender.port}", OPTIONS, POLICY) as reading:
        reading.wait_frames(20)
        lost = reading.source.generation
        sender.becomes(pieces("libx265", 256))
        reading.wait_frames(20, after=lost)
        assert reading.source.video is not None
        assert reading.source.video.codec == "hevc"
        assert any("codec may have changed" in event.error for event in reading.events)


def test_a_slow_camera_streams_on_where_the_settings_say_so(sender: Sender) -> None:
    told: list[object] = []
    run = LiveRun(
        StreamConfig("slow", f"udp://127.0.0.1:{sender.port}", ("null:",), Settings(strength=0, source_timeout=9.0)),
        None,
        events=lambda event, **fields: told.append((event, fields.get("state"))),
    )
    with run:
        until(lambda: run.stats().frames_in >= 20, "pictures")
        del told[:]
        sender.every_s = 3.0
        before = run.stats().frames_in
        until(lambda: run.stats().frames_in >= before + 3, "slow pictures")
        stats = run.stats()
    assert (stats.notices, stats.source.stalls) == (0, 0)
    assert ("source", "reconnecting") not in told
