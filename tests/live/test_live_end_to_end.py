"""The real command between real servers and clients: what happens to cameras and networks in the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from live_clients import ffmpeg_reads, gstreamer_reads, playable_pictures, pyav_pictures, until
from live_command import LiveCommand

from benchmarks.live_link import Link
from benchmarks.live_server import RtspServer

pytestmark = pytest.mark.timeout(600)
PASSWORD = "p@ss/w?rd#1%:2% x"
QUOTED = "p%40ss%2Fw%3Frd%231%25%3A2%25%20x"


def mean_luma(pictures: list[av.VideoFrame]) -> float:
    return float(np.mean([picture.to_ndarray()[: picture.height].mean() for picture in pictures]))


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [picture.time for picture in container.decode(video=0)]


def width_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.video[0].width


def test_a_stream_is_enhanced_published_and_recorded_for_all_clients(
    start_rtsp_server: Callable[..., RtspServer], tmp_path: Path
) -> None:
    server = start_rtsp_server(audio=True)
    source, published = server.url("/h264"), server.url("/pub/bright")
    outputs = {name: tmp_path / name for name in ("night.mp4", "night.mkv", "hls/index.m3u8")}
    files = [part for path in outputs.values() for part in ("-o", str(path))]
    with LiveCommand(tmp_path / "run", source, "-o", published, *files, "--key-every", "1") as live:
        server.wait_for("published", path="/pub/bright")
        bright = pyav_pictures(published, 30)
        assert mean_luma(bright) > 1.2 * mean_luma(pyav_pictures(source, 5))
        assert ffmpeg_reads(published, 10).returncode == 0
        assert gstreamer_reads(published, 10) == ""
        until(outputs["hls/index.m3u8"].exists, "a playlist")
        assert av.open(str(outputs["night.mp4"])).streams.audio, "a file can be watched while it grows"
        summary = live.end()
    assert summary["exit_reason"] == "interrupted"
    assert summary["figures"]["frames_out"] > 30
    recorded = playable_pictures(outputs["night.mp4"])
    assert recorded == playable_pictures(outputs["night.mkv"]) == summary["figures"]["outputs"][1]["written"]
    assert ffmpeg_reads(str(outputs["hls/index.m3u8"]), 5).returncode == 0
    times = times_of(outputs["night.mkv"])
    assert times == sorted(set(times)), "time stamps only rise"
    for name in ("night.mp4", "night.mkv"):
        with av.open(str(outputs[name])) as container:
            assert sum(packet.size > 0 for packet in container.demux(audio=0)) > 20, "the sound is there"


def test_a_camera_is_killed_comes_back_in_another_size_and_changes_it(rtsp_server: RtspServer, tmp_path: Path) -> None:
    record = tmp_path / "night.mkv"

    def parts() -> list[Path]:
        return sorted(tmp_path.glob("night*.mkv"), key=lambda path: (len(path.name), path.name))

    with LiveCommand(tmp_path / "run", rtsp_server.url("/h264"), "-o", str(record), "-o", "null:") as live:
        live.wait_for("output", state="writing", uri=str(record))
        rtsp_server.kill()
        lost = live.wait_for("source", state="reconnecting")
        shown = live.wait_for("notice", after=lost, shown="true")
        rtsp_server.restart(width=256, height=144)
        live.wait_for("notice", after=shown, shown="false")
        until(lambda: len(parts()) == 2, "a file for the other size")
        rtsp_server.resize(192, 128)
        until(lambda: len(parts()) == 3, "one more, in mid-stream")
        summary = live.end()
    figures = summary["figures"]
    assert figures["source"]["generation"] == 2, "the size changed without a new connection"
    assert figures["source"]["reconnects"] == 1
    assert figures["notices"] > 0
    assert (figures["width"], figures["height"]) == (192, 128)
    assert sum(playable_pictures(part) for part in parts()) == figures["outputs"][0]["written"]
    assert [width_of(part) for part in parts()] == [320, 256, 192]


def test_a_camera_that_freezes_is_stalled_then_reconnected(rtsp_server: RtspServer, tmp_path: Path) -> None:
    with LiveCommand(tmp_path / "run", rtsp_server.url("/h265"), "-o", "null:") as live:
        live.wait_for("source", state="streaming")
        rtsp_server.freeze()
        lost = live.wait_for("source", state="reconnecting")
        rtsp_server.thaw()
        live.wait_for("source", after=lost, state="streaming")
        summary = live.end()
    assert summary["figures"]["source"]["generation"] >= 2


@pytest.mark.slow
def test_a_link_that_stalls_flows_again_and_breaks(
    start_rtsp_server: Callable[..., RtspServer], link_to: Callable[[int], Link], tmp_path: Path
) -> None:
    server = start_rtsp_server(kbit=2000)
    link = link_to(server.port)
    with LiveCommand(tmp_path / "run", server.url("/h264", port=link.port), "-o", "null:") as live:
        streaming = live.wait_for("source", state="streaming")
        link.stall()
        silent = live.wait_for("source", after=streaming)  # stalled, or given up already on a slow machine
        link.flow()
        flowing = live.wait_for("source", after=silent, state="streaming")
        link.cut()
        live.wait_for("source", after=flowing, state="reconnecting")
        live.end()


def test_an_output_server_that_dies_stops_no_other_output(
    start_rtsp_server: Callable[..., RtspServer], tmp_path: Path
) -> None:
    camera, server = start_rtsp_server(), start_rtsp_server()
    record, published = tmp_path / "night.mkv", server.url("/pub/out")
    with LiveCommand(tmp_path / "run", camera.url("/h264"), "-o", published, "-o", str(record)) as live:
        server.wait_for("published")
        assert pyav_pictures(published, 3)
        server.kill()
        live.wait_for("output", uri=published, state="waiting")
        server.restart()
        server.wait_for("published")
        assert pyav_pictures(published, 3)
        summary = live.end()
    to_server, to_file = summary["figures"]["outputs"]
    assert to_server["reconnects"] >= 1
    assert to_server["dropped"], "what came meanwhile is counted"
    assert not to_file["dropped"]
    assert playable_pictures(record) == to_file["written"]
    assert summary["figures"]["source"]["generation"] == 1


@pytest.mark.parametrize(
    ("digest", "spelled"), [pytest.param(False, QUOTED, marks=pytest.mark.slow), (True, QUOTED), (True, PASSWORD)]
)
def test_credentials_open_the_stream_and_appear_nowhere(
    start_rtsp_server: Callable[..., RtspServer], tmp_path: Path, digest: bool, spelled: str
) -> None:
    server = start_rtsp_server(user="ann", password=PASSWORD, digest=digest)
    source = server.url("/auth", user="ann", password=spelled)
    with LiveCommand(tmp_path / "right", source, "-o", "null:", "--debug") as live:
        live.wait_for("output", state="writing")
        live.end()
        assert "127.0.0.1" in live.said
        check_secret(live.said)


def test_wrong_credentials_are_named_and_appear_nowhere(
    start_rtsp_server: Callable[..., RtspServer], tmp_path: Path
) -> None:
    server = start_rtsp_server(user="ann", password="another")
    source = server.url("/auth", user="ann", password="{CAMERA_PASSWORD}")
    given = {"CAMERA_PASSWORD": PASSWORD}
    with LiveCommand(tmp_path / "wrong", source, "-o", "null:", "--give-up-after", "3", environment=given) as live:
        assert live.process.wait(120) == 1, live.said
        assert "password" in live.said.lower() or "credential" in live.said.lower(), live.said
        check_secret(live.said)


def check_secret(said: str) -> None:
    for spelled in (PASSWORD, QUOTED, PASSWORD[:6], QUOTED[:8]):
        assert spelled not in said


def test_a_killed_program_leaves_playable_files(rtsp_server: RtspServer, tmp_path: Path) -> None:
    files = [tmp_path / "night.mp4", tmp_path / "night.mkv"]
    outputs = [part for path in files for part in ("-o", str(path))]
    with LiveCommand(tmp_path / "run", rtsp_server.url("/h264"), *outputs, "--key-every", "0.5") as live:
        live.wait_for("output", count=2, state="writing")
        until(lambda: all(path.stat().st_size > 40_000 for path in files), "some seconds of video")
        live.kill()
    for path in files:
        assert playable_pictures(path) > 5
