"""A decoder that cannot keep up with what comes over TCP: the delay stays bounded, every picture is accounted for."""

from __future__ import annotations

import contextlib
import io
import socket
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from live_clients import until
from live_fakes import FakeSink

from stream.live.configuration import StreamConfig
from stream.live.run import LiveRun
from stream.media.sources import demuxed
from stream.settings import Settings

FPS, GROUP, SECONDS = 25, 10, 6
SLOW_S = 0.1
"""What decoding a picture takes: two and a half times as long as the camera takes to make one."""


@pytest.fixture
def slow_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = demuxed.decoded

    def slowly(stream: Any, packet: Any) -> Any:
        time.sleep(SLOW_S)
        return decode(stream, packet)

    monkeypatch.setattr(demuxed, "decoded", slowly)


class Camera:
    """Sends MPEG-TS to whoever connects, in real time; what nobody reads waits in the buffers of TCP."""

    def __init__(self) -> None:
        self.sent_at: list[float] = []
        self._pieces = _pieces()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._listener.close()
        self._thread.join(10)

    @property
    def done(self) -> bool:
        return len(self.sent_at) == len(self._pieces)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            with connection:
                began = time.monotonic()
                for number, piece in enumerate(self._pieces):
                    self._closed.wait(began + number / FPS - time.monotonic())
                    self.sent_at.append(time.monotonic())
                    connection.sendall(piece)
                self._closed.wait(60)  # the end of the connection is not what is looked at


def _pieces() -> list[bytes]:
    """The bytes of each picture."""
    target = io.BytesIO()
    pieces, before = [], 0
    with av.open(target, "w", format="mpegts", options={"flush_packets": "1"}) as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        video.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(GROUP), "keyint_min": str(GROUP)}
        for number in range(FPS * SECONDS):
            picture = av.VideoFrame.from_ndarray(np.full((144, 160), 60 + number % 40, np.uint8), "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
            pieces.append(target.getvalue()[before:])
            before = len(target.getvalue())
    return pieces


@pytest.fixture
def camera() -> Iterator[Camera]:
    with Camera() as running:
        yield running


def test_over_tcp_the_delay_stays_bounded_and_what_is_passed_over_is_counted_and_told(
    camera: Camera, slow_decoder: None
) -> None:
    events: list[dict[str, Any]] = []
    sink = FakeSink()
    run = LiveRun(
        StreamConfig("slow", camera.uri, ("null:",), Settings(strength=0)),
        None,
        events=lambda event, **fields: events.append({"event": event, **fields}),
        open_sink=lambda config, told: sink,
    )
    with run:
        while not camera.done:
            stats = run.stats()
            assert stats.frames_in == stats.frames_out + sum(stats.dropped.values()) + stats.in_flight
            assert stats.in_flight >= 0
            time.sleep(0.02)
        seconds = sink.written[-1].time - sink.written[0].time
        until(lambda: run.stats().dropped.get("behind", 0) >= FPS, "passed over")
        until(lambda: any(event["event"] == "behind" for event in events), "told")
        until(lambda: run.stats().frames_in >= FPS * SECONDS - 5, "every picture counts, decoded or not")
    stats = run.stats()
    # Decoding alone reaches 2.4 s of the 6 s meanwhile, however quick the machine is.
    assert seconds > SECONDS / 2
    assert stats.in_flight == 0
    assert stats.frames_in == stats.frames_out + sum(stats.dropped.values())
    assert stats.frames_in <= FPS * SECONDS
    told = [event for event in events if event["event"] == "behind"]
    assert told[0]["level"] == "warning"
    assert 0 < sum(event["skipped"] for event in told) <= stats.dropped["behind"]
