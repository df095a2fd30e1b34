"""The server of the tests does what the tests take for granted: clients of other makers read it and publish to it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from live_clients import Publisher, ffmpeg_reads, gstreamer_reads, pyav_pictures, run

from benchmarks.live_link import Link
from benchmarks.live_server import RtspServer


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pyav_reads_h264_live(rtsp_server: RtspServer, transport: str) -> None:
    pictures = pyav_pictures(rtsp_server.url("/h264"), 10, transport)
    assert [(p.width, p.height) for p in pictures] == [(320, 240)] * 10
    assert float(pictures[-1].to_ndarray()[:240].mean()) < 90, "the scene is dark"


def test_clients_read_h264_and_h265_with_sound(start_rtsp_server: Callable[..., RtspServer]) -> None:
    server = start_rtsp_server(audio=True)
    assert ffmpeg_reads(server.url("/h264"), 5).returncode == 0
    assert gstreamer_reads(server.url("/h264"), 5) == ""
    with av.open(server.url("/h265"), options={"rtsp_transport": "tcp"}, timeout=(30, 30)) as container:
        assert container.streams.video[0].codec_context.name == "hevc"
        assert container.streams.audio[0].codec_context.name == "aac"
        assert next(container.decode(video=0)).width == 320


@pytest.mark.parametrize("digest", [False, True])
def test_credentials_are_asked_for(start_rtsp_server: Callable[..., RtspServer], digest: bool) -> None:
    server = start_rtsp_server(user="ann", password="right", digest=digest)
    assert len(pyav_pictures(server.url("/auth", user="ann", password="right"), 2)) == 2
    for wrong in (server.url("/auth"), server.url("/auth", user="ann", password="wrong")):
        with pytest.raises(av.error.HTTPUnauthorizedError):
            av.open(wrong, timeout=(30, 30))


def test_a_file_is_served_at_its_own_pace(start_rtsp_server: Callable[..., RtspServer], tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    picture = "testsrc=size=192x128:rate=25:duration=2,format=yuv420p"
    made = run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "libx264", str(clip)])
    assert made.returncode == 0, made.stderr
    server = start_rtsp_server(file=clip)
    assert pyav_pictures(server.url("/file"), 5)[-1].width == 192


@pytest.mark.parametrize(("codec", "audio"), [("libx264", True), ("libx265", False)])
def test_what_is_published_reaches_all_readers(rtsp_server: RtspServer, codec: str, audio: bool) -> None:
    path = "/pub/cam"
    with pytest.raises(av.error.HTTPNotFoundError):
        av.open(rtsp_server.url(path), timeout=(30, 30))
    with Publisher(rtsp_server.url(path), codec=codec, audio=audio):
        told = rtsp_server.wait_for("published", path=path)
        assert len(told["encodings"]) == 1 + audio
        for transport in ("tcp", "udp"):
            pictures = pyav_pictures(rtsp_server.url(path), 8, transport)
            assert (pictures[0].width, pictures[0].height) == (320, 240)
    assert rtsp_server.wait_for("gone", path=path)["buffers"] > 8


def test_another_publisher_takes_the_path_over(rtsp_server: RtspServer) -> None:
    for size, width in (("320x240", 320), ("160x120", 160)):
        with Publisher(rtsp_server.url("/pub/cam"), size=size):
            rtsp_server.wait_for("published")
            assert pyav_pictures(rtsp_server.url("/pub/cam"), 2)[-1].width == width
        rtsp_server.wait_for("gone")


def test_live_pictures_change_their_size_in_mid_stream(rtsp_server: RtspServer) -> None:
    seen: list[int] = []
    with av.open(rtsp_server.url("/h264"), options={"rtsp_transport": "tcp"}, timeout=(30, 30)) as container:
        for picture in container.decode(video=0):
            if not seen:
                rtsp_server.resize(160, 120)
            seen.append(picture.width)
            if picture.width == 160 or len(seen) > 500:
                break
    assert seen[0] == 320
    assert seen[-1] == 160


def test_a_killed_server_ends_the_stream_and_comes_back_on_its_port(rtsp_server: RtspServer) -> None:
    with av.open(rtsp_server.url("/h264"), options={"rtsp_transport": "tcp"}, timeout=(30, 30)) as container:
        pictures = container.decode(video=0)
        next(pictures)
        rtsp_server.kill()
        for _ in pictures:
            pass
    assert not rtsp_server.alive
    rtsp_server.restart(width=480, height=270)
    assert pyav_pictures(rtsp_server.url("/h264"), 1)[0].width == 480


def test_a_frozen_server_is_silent_until_it_thaws(rtsp_server: RtspServer) -> None:
    rtsp_server.freeze()
    with pytest.raises(av.error.FFmpegError):
        av.open(rtsp_server.url("/h264"), options={"rtsp_transport": "tcp"}, timeout=(1, 1))
    rtsp_server.thaw()
    assert pyav_pictures(rtsp_server.url("/h264"), 1)


def test_a_link_stalls_flows_and_breaks(rtsp_server: RtspServer, link_to: Callable[[int], Link]) -> None:
    link = link_to(rtsp_server.port)
    assert pyav_pictures(rtsp_server.url("/h264", port=link.port), 3)
    link.stall()
    with socket.create_connection(("127.0.0.1", link.port), timeout=30) as client:
        client.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1000)
        link.flow()
        client.settimeout(30)
        assert client.recv(1000).startswith(b"RTSP/1.0")
        link.cut()
        assert client.recv(1000) == b""
