"""Servers for the tests below this folder; they end with their test, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from benchmarks.live_link import Link
from benchmarks.live_server import RtspServer, missing


@pytest.fixture(autouse=True)
def no_segmenter(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user has installed plays no part in tests."""
    monkeypatch.setenv("STREAM_ENHANCE_MODELS", str(tmp_path_factory.getbasetemp() / "no-models"))


@pytest.fixture
def start_rtsp_server() -> Iterator[Callable[..., RtspServer]]:
    """Starts servers: ``start_rtsp_server(width=640, height=360, audio=True)``, options as of ``rtsp_server.py``."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    started: list[RtspServer] = []

    def start(**options: Any) -> RtspServer:
        started.append(RtspServer(**options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def rtsp_server(start_rtsp_server: Callable[..., RtspServer]) -> RtspServer:
    """A server with the mounts /h264, /h265, /auth and /pub/ANY, 320x240 at 25 pictures a second."""
    return start_rtsp_server()


@pytest.fixture
def link_to() -> Iterator[Callable[[int], Link]]:
    """Makes a TCP link to a port that can be made slow, stall and break."""
    links: list[Link] = []

    def make(port: int) -> Link:
        links.append(Link(port))
        return links[-1]

    yield make
    for link in links:
        link.close()
