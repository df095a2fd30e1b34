"""Outputs into a network, each connection a process of its own: real servers, killed, frozen, silent, restarted."""

from __future__ import annotations

import base64
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from live_clients import TRY_S, again, ffmpeg_reads, gstreamer_reads, until
from live_frames import moving, times_of

from benchmarks.live_server import RtspServer, free_port
from stream.live.backoff import Backoff
from stream.live.encoding import LiveEncoder
from stream.live.outputs import network, publishing_process
from stream.live.outputs.delivery import PacketOutput
from stream.live.outputs.network import Address
from stream.live.outputs.output import Output, OutputEvent, OutputState
from stream.live.sink import LiveSink, LiveSinkSettings
from stream.media.encoder import EncoderSettings
from stream.media.frame import Packet
from stream.media.templates import detached

OPEN_SINKS: list[LiveSink] = []


@pytest.fixture(autouse=True)
def sinks_end() -> Iterator[None]:
    yield
    while OPEN_SINKS:
        OPEN_SINKS.pop().abort()


class Feed:
    """Writes moving pictures into a sink, about as fast as live, until a condition holds."""

    def __init__(self, *uris: str, codec: str = "libx264") -> None:
        self.events: list[OutputEvent] = []
        settings = LiveSinkSettings(encoder=EncoderSettings(codec=codec), key_every_s=0.5)
        self.sink = LiveSink(uris, settings, self.events.append)
        OPEN_SINKS.append(self.sink)
        self.number = 0

    def until(self, condition: Callable[[], object], what: str, *, width: int = 320, timeout_s: float = 60) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}; {self.said()}"
            for frame in moving(1, first=self.number, width=width):
                self.sink.write(frame)
            self.number += 1
            time.sleep(0.02)

    def pictures(self, count: int, **options: int) -> None:
        end = self.number + count
        self.until(lambda: self.number >= end, "fed", **options)

    def said(self) -> list[str]:
        return [f"{event.state.value} {event.error}" for event in self.events]


def accounted(output: Output) -> bool:
    return output.offered == output.written + output.dropped.total() + output.in_flight and output.in_flight >= 0


def reading(url: str, sizes: list[int], stop: threading.Event) -> threading.Thread:
    """A reader that joins on the way and comes back; ``sizes`` gets the width of each picture."""

    def read() -> None:
        options = {"rtsp_transport": "tcp", "probesize": "32768", "analyzeduration": "200000"}
        while not stop.is_set():
            try:
                with av.open(url, options=options, timeout=(5, 2)) as container:
                    for picture in container.decode(video=0):
                        sizes.append(picture.width)
                        if stop.is_set():
                            return
            except (av.FFmpegError, OSError):
                time.sleep(0.1)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def test_a_reader_of_udp_joins_on_the_way() -> None:
    url = f"udp://127.0.0.1:{free_port()}"
    feed, sizes, stop = Feed(url), [], threading.Event()
    output = feed.sink.outputs[0]
    feed.until(lambda: output.written > 20, "sent")
    thread = reading(f"{url}?timeout=2000000", sizes, stop)
    feed.until(lambda: len(sizes) > 10, "read")
    stop.set()
    feed.sink.close(20)
    thread.join(30)
    assert output.state is OutputState.CLOSED
    assert output.in_flight == 0
    assert accounted(output)
    assert set(output.dropped) <= {"connecting"}


def test_a_stream_over_tcp_begins_with_a_key_frame_at_time_0(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        feed = Feed(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        taken = tmp_path / "taken.ts"

        def take() -> None:
            connection, _ = server.accept()
            with connection, taken.open("wb") as file:
                while data := connection.recv(65536):
                    file.write(data)

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        output = feed.sink.outputs[0]
        feed.until(lambda: output.written > 30, "sent")
        feed.sink.close(20)
        thread.join(30)
    times = times_of(taken)
    assert len(times) == output.written
    assert times == pytest.approx([n / 25 for n in range(len(times))], abs=0.001)


def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outputs lose patience after one second."""
    impatient = functools.partial(Address, open_timeout_s=1.0, write_timeout_s=1.0)
    monkeypatch.setattr("stream.live.outputs.open.Address", impatient)


def test_a_far_end_that_takes_nothing_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch)
    target = tmp_path / "a.mp4"
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        server.bind(("127.0.0.1", 0))
        server.listen()
        events: list[OutputEvent] = []
        encoder = EncoderSettings(crf=1, options={"maxrate": "200M", "bufsize": "200M"})
        uris = [f"tcp://127.0.0.1:{server.getsockname()[1]}", str(target)]
        sink = LiveSink(uris, LiveSinkSettings(encoder=encoder), events.append)
        OPEN_SINKS.append(sink)
        network, file = sink.outputs
        random = np.random.default_rng(1)
        until_then = time.monotonic() + 60
        for frame in moving(10**6, width=640, height=360):
            frame.planes.y[:] = random.integers(16, 235, frame.planes.y.shape, np.uint8)
            sink.write(frame)
            assert accounted(network)
            assert time.monotonic() < until_then, events
            if any(event.uri == network.uri and event.state is OutputState.WAITING for event in events):
                break
        until(lambda: file.in_flight == 0, "the file is written")
        sink.close(5)
    assert "takes nothing any more" in network.last_error
    assert len(times_of(target)) == sink.frames
    assert network.in_flight == 0


def test_a_server_that_never_answers_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurried(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"rtsp://operator:hunter2secret@127.0.0.1:{silent.getsockname()[1]}/x"
        target = tmp_path / "a.mp4"
        feed = Feed(url, str(target))
        network, file = feed.sink.outputs
        feed.until(lambda: network.state is OutputState.WAITING, "noticed")
        feed.pictures(10)
        assert accounted(network)
        assert network.written == 0
        feed.sink.close(20)
    assert len(times_of(target)) == file.written == feed.number
    told = f"{feed.events} {feed.sink.notes} {network.last_error} {network.uri}"
    assert "hunter2secret" not in told
    assert "127.0.0.1" in network.last_error


def test_closing_does_not_wait_for_a_server_that_never_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = tmp_path / "a.mp4"
        feed = Feed(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x", str(target))
        network, file = feed.sink.outputs
        feed.pictures(10)
        connection, _ = silent.accept()  # it has connected now, and waits for an answer
        feed.sink.close(3)
        connection.close()
        until(lambda: network.state is OutputState.CLOSED, "given up")
    assert file.state is OutputState.CLOSED
    assert len(times_of(target)) == 10


def test_rtmp() -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/cam"
    received: list[float] = []

    def serve() -> None:
        options = {"listen": "1", "probesize": "32768"}
        with contextlib.suppress(OSError), av.open(url, options=options, timeout=(60, 60)) as container:
            for picture in container.decode(video=0):
                received.append(float(picture.pts * picture.time_base))

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    feed = Feed(url)
    feed.until(lambda: len(received) > 20, "received")
    feed.sink.close(20)
    server.join(30)
    assert received == sorted(received)


def test_one_connection_of_rtmp_ends_before_its_times_fall_back_to_0(monkeypatch: pytest.MonkeyPatch) -> None:
    assert network._LONGEST_S["flv"] < 2**31 / 1000 - 3600, "31 bits of milliseconds"
    monkeypatch.setitem(network._LONGEST_S, "flv", 1.0)
    url, stop = f"rtmp://127.0.0.1:{free_port()}/live/cam", threading.Event()
    received: list[list[float]] = []

    def serve() -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError, av.FFmpegError):
                options = {"listen": "1", "probesize": "32768"}
                with av.open(url, options=options, timeout=(5, 5)) as container:
                    received.append([])
                    for picture in container.decode(video=0):
                        received[-1].append(float(picture.pts * picture.time_base))

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    feed = Feed(url)
    (output,) = feed.sink.outputs
    assert isinstance(output, PacketOutput)
    output._backoff = Backoff(0.1, 0.1)
    try:
        feed.until(lambda: sum(len(times) > 3 for times in received) >= 2, "two connections")
    finally:
        stop.set()
        feed.sink.close(20)
        server.join(30)
    begun = [times for times in received if len(times) > 3]
    assert all(times[0] < 0.2 and times[-1] < 2.0 for times in begun), received
    assert accounted(output)


def test_a_connection_that_takes_too_long_ends_from_within() -> None:
    """Whatever the program does meanwhile: nobody else can end a call of FFmpeg that hangs."""
    (picture,) = LiveEncoder(EncoderSettings(), bitrate=None, key_every_s=1.0).encode(next(moving(1)))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        request = {
            "url": f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x",
            "format": "rtsp",
            "options": {"rtsp_transport": "tcp"},
            "time_bases": [[1, 90_000]],
            "open_timeout_s": 0.5,
            "write_timeout_s": 0.5,
            "close_timeout_s": 0.5,
        }
        blocks = json.dumps(request).encode(), network._parameters(picture.format, [])
        with subprocess.Popen([sys.executable, publishing_process.__file__], stdin=subprocess.PIPE) as process:
            try:
                assert process.stdin is not None
                for block in blocks:
                    process.stdin.write(publishing_process.LENGTH.pack(len(block)) + block)
                process.stdin.flush()
                assert process.wait(30) == -signal.SIGALRM
            finally:
                process.kill()


def test_a_server_that_is_killed_frozen_and_changed_size(rtsp_server: RtspServer) -> None:
    url = rtsp_server.url("/pub/cam")
    feed, sizes, stop = Feed(url), [], threading.Event()
    output = feed.sink.outputs[0]
    thread = reading(url, sizes, stop)
    feed.until(lambda: len(sizes) > 5, "read")
    rtsp_server.kill()
    feed.until(lambda: output.state is OutputState.WAITING, "noticed")
    rtsp_server.restart()
    sizes.clear()
    feed.until(lambda: len(sizes) > 5, "read after the restart")
    assert output.reconnects == 1
    feed.until(lambda: 640 in sizes, "the new size", width=640)
    rtsp_server.freeze()
    feed.pictures(30, width=640)
    rtsp_server.thaw()
    sizes.clear()
    feed.until(lambda: len(sizes) > 5, "read after the freeze", width=640)
    stop.set()
    feed.sink.close(20)
    thread.join(30)
    assert output.in_flight == 0
    assert accounted(output)
    assert set(output.dropped) <= {"connecting", "reconnecting", "lost"}


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_others_read_what_is_published_with_its_sound(
    start_rtsp_server: Callable[..., RtspServer], tmp_path: Path, codec: str
) -> None:
    server = start_rtsp_server()
    url, packets = server.url("/pub/cam"), tone_packets(tmp_path)
    feed, done = Feed(url, codec=codec), threading.Event()

    def endless() -> None:
        for number, frame in enumerate(moving(10**6)):
            while packets[0][0] <= number / 25:
                seconds, packet = packets.pop(0)
                packets.append((seconds + 4.0, packet))
                feed.sink.write_packet(placed(packet, seconds))
            feed.sink.write(frame)
            if done.wait(0.02):
                return

    feeder = threading.Thread(target=endless, daemon=True)
    feeder.start()
    try:
        until(lambda: feed.sink.outputs[0].written > 5, "published")
        server.wait_for("published")
        if shutil.which("ffmpeg"):
            read = ffmpeg_reads(url, 25)
            assert read.returncode == 0, read.stderr
        depay = {"libx264": "rtph264depay ! h264parse ! avdec_h264", "libx265": "rtph265depay ! h265parse ! avdec_h265"}
        said = gstreamer_reads(url, 25, depay[codec])
        assert "ERROR" not in said, said
        assert again(lambda: sound_beside_pictures(url), av.FFmpegError) == ("aac", 48_000)
    finally:
        done.set()
        feeder.join(30)
    feed.sink.close(20)
    assert feed.sink.notes == []


def sound_beside_pictures(url: str) -> tuple[str, int]:
    """Codec and samples a second of the sound, once packets of both have come."""
    with av.open(url, options={"rtsp_transport": "tcp"}, timeout=(TRY_S, TRY_S)) as container:
        kinds = set()
        for packet in container.demux():
            kinds.add(packet.stream.type)
            if kinds == {"audio", "video"}:
                break
        (sound,) = container.streams.audio
        return sound.codec_context.name, sound.rate


def tone_packets(folder: Path) -> list[tuple[float, Packet]]:
    """4 s of AAC, with the times of its packets."""
    target = folder / "tone.mp4"
    with av.open(str(target), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        for number in range(200):
            samples = np.zeros((1, 960), np.float32)
            frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48_000, 960 * number, Fraction(1, 48_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with av.open(str(target)) as container:
        (template,) = detached([container.streams.audio[0]])
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    return [(number * 1024 / 48_000, Packet(packet, template)) for number, packet in enumerate(packets)]


def placed(packet: Packet, seconds: float) -> Packet:
    data: av.Packet[Any] = av.Packet(bytes(packet.data))
    data.time_base = Fraction(1, 48_000)
    data.pts = data.dts = round((1_000_000 / 90_000 + seconds) * 48_000)
    data.duration = 1024
    return Packet(data, packet.stream)


def test_a_login_that_is_refused_is_said_and_tried_again_only_slowly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = []

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        while request := connection.recv(65536).decode():
                            asked.append(request.split()[0])
                            number = request.partition("CSeq:")[2].split()[0]
                            answer = f"RTSP/1.0 401 Unauthorized\r\nCSeq: {number}\r\n"
                            connection.sendall(f'{answer}WWW-Authenticate: Basic realm="x"\r\n\r\n'.encode())

        threading.Thread(target=refuse, daemon=True).start()
        feed = Feed(f"rtsp://me:hunter2secret@127.0.0.1:{server.getsockname()[1]}/x")
        (output,) = feed.sink.outputs
        feed.until(lambda: output.state is OutputState.WAITING, "refused")
        (event,) = [event for event in feed.events if event.state is OutputState.WAITING]
        assert "asks for a login" in event.error
        assert event.retry_in_s is not None
        assert event.retry_in_s > 10
        assert asked
        feed.sink.close(20)
        server.shutdown(socket.SHUT_RDWR)
    assert "hunter2secret" not in str(feed.events)


def test_a_secret_that_changes_counts_from_the_next_connection_on(tmp_path: Path) -> None:
    secret, asked = tmp_path / "password", []
    secret.write_text("hunter2secret")
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        while request := connection.recv(65536).decode():
                            asked.append(request)
                            number = request.partition("CSeq:")[2].split()[0]
                            answer = f"RTSP/1.0 401 Unauthorized\r\nCSeq: {number}\r\n"
                            connection.sendall(f'{answer}WWW-Authenticate: Basic realm="x"\r\n\r\n'.encode())

        threading.Thread(target=refuse, daemon=True).start()
        feed = Feed(f"rtsp://me:{{file:{secret}}}@127.0.0.1:{server.getsockname()[1]}/x")
        (output,) = feed.sink.outputs
        assert isinstance(output, PacketOutput)
        output._backoff = Backoff(0.1, 0.1)

        def came(password: str) -> bool:
            return any(base64.b64encode(f"me:{password}".encode()).decode() in request for request in asked)

        feed.until(lambda: came("hunter2secret"), "the first password")
        secret.write_text("another4secret")
        feed.until(lambda: came("another4secret"), "the next one")
        secret.unlink()
        feed.until(lambda: "cannot be read" in output.last_error, "no secret, no attempt")
        feed.sink.close(20)
        server.shutdown(socket.SHUT_RDWR)
    assert "4secret" not in f"{feed.events} {output.last_error} {output.uri}"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files through /proc")
def test_many_losses_leave_no_threads_files_or_processes() -> None:
    """Each attempt is refused at once: nothing listens there."""
    feed = Feed(f"tcp://127.0.0.1:{free_port()}")
    (output,) = feed.sink.outputs
    assert isinstance(output, PacketOutput)
    output._backoff = Backoff(0.01, 0.01)

    def open_things() -> tuple[int, int]:
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    feed.until(lambda: len(feed.events) >= 3, "lost")
    before = open_things()
    feed.until(lambda: len(feed.events) >= 11, "lost")
    after = open_things()
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 6, "one process that waits and one that starts, two pipes each"
    feed.sink.close(20)
    assert accounted(output)


ENDLESS = """
import sys, time
sys.path.insert(0, {tests!r})
from live_frames import moving
from stream.live.sink import LiveSink
sink = LiveSink([{url!r}])
for frame in moving(10**6):
    sink.write(frame)
    time.sleep(0.02)
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes through /proc")
def test_nothing_stays_behind_when_the_program_is_killed() -> None:
    code = ENDLESS.format(tests=str(Path(__file__).parent), url=f"udp://127.0.0.1:{free_port()}")
    program = subprocess.Popen([sys.executable, "-c", code])
    try:
        tasks = Path(f"/proc/{program.pid}/task")

        def children() -> list[str]:
            return [pid for task in tasks.glob("*/children") for pid in task.read_text().split()]

        until(children, "the process that publishes has started")
        (child,) = children()
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    until(lambda: not _runs(int(child)), "it has ended")


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
