"""Live sources against real servers: RTSP that is killed, frozen and restarted, HLS and MPEG-TS over HTTP."""

from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import logging
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TextIO

import av
import av.logging
import numpy as np
import pytest
from live_clients import until
from live_collector import PATIENT, UNSHAKEN, Collector

from benchmarks.live_server import RtspServer, free_port
from stream.errors import (
    AddressNotFound,
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionRefused,
    ConnectionTimedOut,
    HostUnknown,
    NoVideoStream,
    StreamError,
    TlsFailed,
    UnknownCodec,
)
from stream.live.source import LiveSource, SourcePolicy
from stream.media.frame import Frame
from stream.media.sources.connection import SourceOptions, open_connection
from stream.redaction import redact

ODD = "p@ss/w:rd?#1 ä"
OVER_UDP = SourceOptions("udp", 15.0, 2.0)
OVER_EITHER = SourceOptions("auto", 15.0, 2.0)


# --- RTSP


@pytest.mark.parametrize(
    ("path", "options", "codec"),
    [
        ("/h264", PATIENT, "h264"),
        ("/h264", OVER_UDP, "h264"),
        ("/h265", PATIENT, "hevc"),
        ("/h265", OVER_EITHER, "hevc"),
    ],
)
def test_codecs_and_transports(rtsp_server: RtspServer, path: str, options: SourceOptions, codec: str) -> None:
    with Collector(rtsp_server.url(path), options) as reading:
        frames = reading.wait_frames(10)
        video = reading.source.video
    assert video is not None
    assert (video.codec, video.width, video.height) == (codec, 320, 240)
    assert all(frame.planes.y.shape == (240, 320) for frame in frames)
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(frames))
    assert float(frames[-1].planes.y.mean()) < 90, "the server's dark scene"


def test_a_killed_server_is_reconnected_and_may_have_another_size(start_rtsp_server: Callable[..., RtspServer]) -> None:
    server = start_rtsp_server(audio=True)
    with Collector(server.url("/h264")) as reading:
        reading.wait_frames(10)
        server.kill()
        lost = reading.source.generation
        reading.wait_state("reconnecting")
        server.restart(width=192, height=128)
        again = reading.wait_frames(10, after=lost)
    assert {(frame.picture.width, frame.picture.height) for frame in again} == {(192, 128)}
    assert reading.source.video is not None
    assert reading.source.video.width == 192
    assert reading.source.reconnects == reading.source.generation - 1 >= 1
    assert [frame.seq for frame in reading.frames] == list(range(len(reading.frames)))
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(reading.frames))
    origin = reading.frames[0].captured_at
    assert max(abs(frame.time - (frame.captured_at - origin)) for frame in reading.frames) < 1.1
    assert len({id(sound.stream) for sound in reading.sounds}) == 1, "sound stays on its track"
    times = [sound.data.dts for sound in reading.sounds]
    assert all(later > earlier for earlier, later in itertools.pairwise(times))


def test_a_frozen_server_is_stalled_and_comes_back(rtsp_server: RtspServer) -> None:
    with Collector(rtsp_server.url("/h264"), policy=SourcePolicy(stall_s=1.0, longest_backoff_s=1.0)) as reading:
        reading.wait_frames(10)
        rtsp_server.freeze()
        reading.wait_state("reconnecting")
        assert reading.states[reading.states.index("reconnecting") - 1] == "stalled"
        lost = reading.source.generation
        rtsp_server.thaw()
        reading.wait_frames(5, after=lost)
    assert reading.source.stalls >= 1
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(reading.frames))


def test_a_change_of_size_in_mid_stream_gives_frames_of_the_new_size(rtsp_server: RtspServer) -> None:
    with Collector(rtsp_server.url("/h264"), *UNSHAKEN) as reading:
        reading.wait_frames(5)
        rtsp_server.resize(160, 112)
        while reading.frames[-1].picture.width != 160:
            reading.wait_frames(len(reading.frames) + 1)
        reading.wait_frames(len(reading.frames) + 5)
    sizes = [(frame.picture.width, frame.picture.height) for frame in reading.frames]
    assert [size for size, _ in itertools.groupby(sizes)] == [(320, 240), (160, 112)]
    assert reading.source.generation == 1
    assert reading.source.video is not None
    assert reading.source.video.width == 160


@pytest.mark.parametrize("digest", [False, True])
def test_odd_passwords_out_of_the_environment(
    start_rtsp_server: Callable[..., RtspServer], monkeypatch: pytest.MonkeyPatch, digest: bool
) -> None:
    server = start_rtsp_server(user="ann", password=ODD, digest=digest)
    monkeypatch.setenv("CAM_PASS", ODD)
    for address in (
        f"rtsp://ann:{{CAM_PASS}}@127.0.0.1:{server.port}/auth",
        server.url("/auth", user="ann", password=ODD),
    ):
        with Collector(address) as reading:
            reading.wait_frames(2)
        assert ODD not in reading.source.uri + str(reading.events)


def test_a_wrong_password_is_told_waits_long_and_shows_nowhere(
    start_rtsp_server: Callable[..., RtspServer], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    server = start_rtsp_server(user="ann", password="right")
    caplog.set_level(logging.DEBUG)
    with Collector(server.url("/auth", user="ann", password="wr0ng-secret"), policy=SourcePolicy()) as reading:
        reading.wait_state("reconnecting")
    event = reading.events[0]
    assert "user name or password" in event.error
    assert event.retry_in_s is not None
    assert event.retry_in_s > 20
    told = f"{reading.events} {reading.source.uri} {reading.source.last_error} {reading.source.notes} {caplog.text}"
    assert "wr0ng-secret" not in told + "".join(capfd.readouterr())
    assert f"127.0.0.1:{server.port}/auth" in reading.source.uri
    with pytest.raises(AuthenticationFailed):
        open_connection(server.url("/auth"), PATIENT)
    with pytest.raises(AddressNotFound):
        open_connection(server.url("/nothing"), PATIENT)


class Mute:
    """An RTSP server that answers every question up to the one named, and nothing from there on; no pictures ever."""

    def __init__(self, until: str) -> None:
        self._until = until
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        for one in (self._listener, *self._taken):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait for it
            one.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._taken.append(self._listener.accept()[0])
                threading.Thread(target=self._answer, args=(self._taken[-1],), daemon=True).start()

    @staticmethod
    def _question(said: TextIO) -> str:
        """A request without its empty line; nothing once the client is gone."""
        lines: list[str] = []
        while (line := said.readline()) and line != "\r\n":
            lines.append(line)
        return "".join(lines)

    def _answer(self, client: socket.socket) -> None:
        said = client.makefile("r", newline="")
        more = {
            "DESCRIBE": "Content-Type: application/sdp\r\n",
            "SETUP": "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n",
        }
        media = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n"
        sdp = f"v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=x\r\nt=0 0\r\n{media}"
        with contextlib.suppress(OSError, ValueError):
            while (asked := self._question(said)) and (verb := asked.split()[0]) != self._until:
                number = next(line for line in asked.splitlines() if line.lower().startswith("cseq"))
                body = sdp if verb == "DESCRIBE" else ""
                head = f"RTSP/1.0 200 OK\r\n{number}\r\n{more.get(verb, '')}Content-Length: {len(body)}\r\n\r\n"
                client.sendall((head + body).encode())


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("OPTIONS", "no answer arrived within 1 s"),
        ("DESCRIBE", "no answer arrived within 1 s"),
        ("SETUP", "no answer arrived within 1 s"),
        ("PLAY", "no answer arrived within 1 s"),
        ("NOTHING", r"connected, and no video arrived within \d+ s"),
    ],
)
def test_a_server_that_accepts_and_then_is_silent_is_told_as_such(until: str, said: str) -> None:
    mute = Mute(until)
    try:
        with pytest.raises(ConnectionTimedOut, match=said):
            open_connection(f"rtsp://127.0.0.1:{mute.port}/x", SourceOptions(open_timeout_s=2.0, read_timeout_s=1.0))
    finally:
        mute.close()


@pytest.mark.parametrize("address", ["http://127.0.0.1:{}/x.ts", "tcp://127.0.0.1:{}", "rtmp://127.0.0.1:{}/a/b"])
def test_silence_over_other_protocols_is_told_alike(address: str) -> None:
    mute = Mute("GET")
    try:
        with pytest.raises(ConnectionTimedOut, match="no answer arrived within 1 s"):
            open_connection(address.format(mute.port), SourceOptions(open_timeout_s=2.0, read_timeout_s=1.0))
    finally:
        mute.close()


def test_an_answer_that_makes_no_sense_is_not_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as client:
                        client.recv(1000)
                        client.sendall(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\nnonsense\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(StreamError) as failure:
            open_connection(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x", SourceOptions("tcp", 9.0, 9.0))
        listener.shutdown(socket.SHUT_RDWR)
    assert "no answer" not in str(failure.value)


# --- others that send


@pytest.fixture
def ffmpeg() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the ``ffmpeg`` command sending a test picture with sound, in real time, until the test ends."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed: scripts/install-gstreamer")
    started: list[subprocess.Popen[bytes]] = []

    def start(*output: str) -> subprocess.Popen[bytes]:
        inputs = [
            "-re",
            "-f",
            "lavfi",
            "-i",
            "testsrc=size=320x240:rate=25,format=yuv420p",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "sine",
        ]
        coding = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-c:a", "aac"]
        command = ["ffmpeg", "-v", "error", *inputs, *coding, *output]
        quiet = subprocess.DEVNULL
        started.append(subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_transport_stream_over_udp_that_pauses(ffmpeg: Callable[..., subprocess.Popen[bytes]]) -> None:
    port = free_port()
    output = ("-f", "mpegts", f"udp://127.0.0.1:{port}?pkt_size=1316")
    first = ffmpeg(*output)
    with Collector(f"udp://127.0.0.1:{port}") as reading:
        reading.wait_frames(10)
        lost, told = reading.source.generation, reading.states.count("reconnecting")
        first.kill()
        until(lambda: reading.states.count("reconnecting") > told, "the pause was noticed")
        ffmpeg(*output)
        reading.wait_frames(10, after=lost)
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(reading.frames))
    assert reading.sounds


def test_rtmp_as_the_side_that_listens(ffmpeg: Callable[..., subprocess.Popen[bytes]]) -> None:
    port = free_port()
    options = SourceOptions(open_timeout_s=5.0, options={"listen": "1"})
    with Collector(f"rtmp://127.0.0.1:{port}/live/cam", options) as reading:
        end = time.monotonic() + 60
        while not reading.frames and time.monotonic() < end:
            sender = ffmpeg("-f", "flv", f"rtmp://127.0.0.1:{port}/live/cam")  # ends at once where nobody listens yet
            while sender.poll() is None and len(reading.frames) < 10:
                time.sleep(0.1)
        reading.wait_frames(10)
    assert reading.frames[-1].picture.width == 320
    assert reading.sounds


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("rtsp://127.0.0.1:{port}/x", ConnectionRefused),
        ("rtmp://127.0.0.1:{port}/a/b", ConnectionRefused),
        ("tcp://127.0.0.1:{port}", ConnectionRefused),
        ("http://127.0.0.1:{port}/x.m3u8", ConnectionRefused),
        ("rtsp://no-such-host.invalid/x", HostUnknown),
        ("https://no-such-host.invalid/x", HostUnknown),
        ("udp://127.0.0.1:{port}", ConnectionTimedOut),
    ],
)
def test_what_is_wrong_is_told_apart(address: str, error: type[StreamError]) -> None:
    quick = SourceOptions(open_timeout_s=1.0, read_timeout_s=0.5)
    with pytest.raises(error) as failure:
        open_connection(address.format(port=free_port()), quick)
    assert type(failure.value) is error


# --- HTTP


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Segments of one second, 25 pictures each, with the number of the picture in its brightness; one time line."""
    folder = tmp_path_factory.mktemp("segments")
    options = {"hls_time": "1", "hls_list_size": "0", "hls_segment_filename": str(folder / "s%d.ts")}
    with av.open(str(folder / "all.m3u8"), "w", format="hls", options=options) as container:
        stream = container.add_stream(
            "libx264", rate=25, options={"g": "25", "preset": "ultrafast", "tune": "zerolatency"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(125):
            picture = av.VideoFrame.from_ndarray(np.full((72, 64), 16 + number, np.uint8), format="yuv420p")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    assert (folder / "s4.ts").exists()
    return folder


class Served(ThreadingHTTPServer):
    """``answers``: what is sent for a path: bytes, a number of an error, or bytes made when asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.answers: dict[str, bytes | int | Callable[[], bytes | Iterator[bytes]]] = {}
        self.login: str | None = None
        """What has to be sent as authorization; None: nothing."""
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is none."""


class Answering(BaseHTTPRequestHandler):
    server: Served

    def do_GET(self) -> None:
        if self.server.login and self.headers["Authorization"] != self.server.login:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="cam"')
            self.end_headers()
            return
        answer = self.server.answers.get(self.path.partition("?")[0], 404)
        if callable(answer):
            answer = answer()
        if isinstance(answer, int):
            self.send_error(answer)
            return
        self.send_response(200)
        if isinstance(answer, bytes):
            self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        for part in (answer,) if isinstance(answer, bytes) else answer:
            self.wfile.write(part)
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def http() -> Iterator[Served]:
    server = Served()
    yield server
    server.shutdown()
    server.server_close()


class Broadcast:
    """A playlist that shows the last four segments; the clock runs from the first time that it is asked for."""

    def __init__(self, folder: Path) -> None:
        self._names = [f"s{number}.ts" for number in range(5)]
        self._folder, self._begun = folder, 0.0

    def serve(self, server: Served) -> None:
        server.answers = {f"/{name}": (self._folder / name).read_bytes() for name in self._names}
        server.answers["/live.m3u8"] = self.playlist

    def playlist(self) -> bytes:
        self._begun = self._begun or time.monotonic()
        shown = min(len(self._names), 3 + int(time.monotonic() - self._begun))
        first = max(0, shown - 4)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        for name in self._names[first:shown]:
            lines += ["#EXTINF:1.0,", name]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if shown == len(self._names) else []), ""]).encode()


def test_a_live_playlist_loses_no_frame_and_runs_in_real_time(http: Served, segments: Path) -> None:
    Broadcast(segments).serve(http)
    connection = open_connection(f"hls://127.0.0.1:{http.port}/live.m3u8", PATIENT)
    try:
        frames = [item for item in connection if isinstance(item, Frame)]
    finally:
        connection.close()
    assert [int(frame.planes.y[0, 0]) - 16 for frame in frames] == pytest.approx(list(range(125)), abs=2)
    assert len(frames) == 125
    span = frames[-1].captured_at - frames[0].captured_at
    assert span >= 0.9 * 124 / 25, "segments are not handed out at once"
    assert connection.silence_s > 5


def test_of_several_qualities_the_largest_is_read(http: Served, segments: Path, tmp_path: Path) -> None:
    """The other one is not even asked for once the choice is made."""
    with av.open(str(tmp_path / "large.ts"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "tune": "zerolatency"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(25):
            picture = av.VideoFrame.from_ndarray(np.full((144, 128), 100, np.uint8), format="yuv420p")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n"
    small = "".join(f"#EXTINF:1.0,\ns{number}.ts\n" for number in range(5))
    master = "".join(
        f"#EXT-X-STREAM-INF:BANDWIDTH={rate}\n{name}.m3u8\n" for name, rate in (("small", 1000), ("big", 9000))
    )
    http.answers = {f"/s{number}.ts": (segments / f"s{number}.ts").read_bytes() for number in range(5)}
    http.answers["/large.ts"] = (tmp_path / "large.ts").read_bytes()
    http.answers["/small.m3u8"] = f"{head}{small}#EXT-X-ENDLIST\n".encode()
    http.answers["/big.m3u8"] = f"{head}#EXTINF:1.0,\nlarge.ts\n#EXT-X-ENDLIST\n".encode()
    http.answers["/master.m3u8"] = f"#EXTM3U\n{master}".encode()
    connection = open_connection(f"http://127.0.0.1:{http.port}/master.m3u8", PATIENT)
    try:
        widths = [item.picture.width for item in connection if isinstance(item, Frame)]
    finally:
        connection.close()
    assert widths == [128] * 25


def test_a_playlist_from_the_network_opens_no_files(http: Served, segments: Path) -> None:
    local = (segments / "s0.ts").as_uri()
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\n{local}\n#EXT-X-ENDLIST\n"
    http.answers["/trap.m3u8"] = playlist.encode()
    with pytest.raises(StreamError):
        open_connection(f"http://127.0.0.1:{http.port}/trap.m3u8", PATIENT)


def test_what_comes_over_tcp_opens_no_files_either(segments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(segments)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as client:
                        client.sendall(b"ffconcat version 1.0\nfile s0.ts\n")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(StreamError):
            open_connection(f"tcp://127.0.0.1:{listener.getsockname()[1]}", PATIENT).close()
        listener.shutdown(socket.SHUT_RDWR)


def in_real_time(folder: Path) -> Iterator[bytes]:
    """A transport stream of five seconds, over and over until the client goes."""
    stream = b"".join((folder / f"s{number}.ts").read_bytes() for number in range(5))
    for start in range(0, len(stream), 1880):
        yield stream[start : start + 1880]
        time.sleep(0.05)


def test_a_transport_stream_over_http_that_ends_is_reconnected(http: Served, segments: Path) -> None:
    http.answers["/live.ts"] = functools.partial(in_real_time, segments)
    with Collector(f"http://127.0.0.1:{http.port}/live.ts") as reading:
        reading.wait_frames(60)
        reading.wait_frames(20, after=1)
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(reading.frames))


@pytest.mark.parametrize(
    ("number", "error"),
    [(401, AuthenticationFailed), (403, AuthenticationFailed), (404, AddressNotFound), (500, ConnectionFailed)],
)
def test_answers_of_http_servers_are_told_apart(http: Served, number: int, error: type[StreamError]) -> None:
    http.answers["/x"] = number
    with pytest.raises(error) as failure:
        open_connection(f"http://ann:hush-hush@127.0.0.1:{http.port}/x?token=verysecret", PATIENT)
    assert "hush" not in f"{failure.value!r}"
    assert "verysecret" not in f"{failure.value!r}"
    assert f"127.0.0.1:{http.port}/x" in str(failure.value)


def test_odd_passwords_reach_http_servers(http: Served, segments: Path) -> None:
    http.answers["/s0.ts"] = (segments / "s0.ts").read_bytes()
    http.login = f"Basic {base64.b64encode(f'ann:{ODD}'.encode()).decode()}"
    with Collector(f"http://ann:{ODD}@127.0.0.1:{http.port}/s0.ts") as reading:
        reading.wait_frames(5)
    with pytest.raises(AuthenticationFailed):
        open_connection(f"http://127.0.0.1:{http.port}/s0.ts", PATIENT)


def test_no_tls_on_the_other_side(http: Served) -> None:
    with pytest.raises(TlsFailed):
        open_connection(f"https://127.0.0.1:{http.port}/x", PATIENT)


def test_certificates_are_checked_when_asked_for(http: Served, segments: Path, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificate and is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {certificate} -days 2 -subj /CN=localhost"
    subprocess.run([*command.split(), "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
    encrypted = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encrypted.load_cert_chain(certificate, key)
    http.socket = encrypted.wrap_socket(http.socket, server_side=True)
    http.answers["/s0.ts"] = (segments / "s0.ts").read_bytes()
    address = f"https://localhost:{http.port}/s0.ts"
    for options in ({}, {"tls_verify": "1", "ca_file": str(certificate)}):
        open_connection(address, SourceOptions(open_timeout_s=15.0, options=options)).close()
    with pytest.raises(TlsFailed, match="certificate"):
        open_connection(address, SourceOptions(open_timeout_s=15.0, options={"tls_verify": "1"}))


def test_prefixed_addresses_hide_their_passwords_too(http: Served) -> None:
    http.answers["/x"] = 403
    for prefix in ("hls:http://", "hls://"):
        with pytest.raises(AuthenticationFailed) as failure:
            open_connection(f"{prefix}ann:hush/hush@127.0.0.1:{http.port}/x", PATIENT)
        assert "hush" not in repr(failure.value)
        assert "hush" not in redact("it said hush/hush")


def recoded(folder: Path, codec: str, width: int) -> bytes:
    """One second of a transport stream."""
    path = folder / f"{codec}.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"preset": "ultrafast", "x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt = width, 96, "yuv420p"
        for number in range(25):
            picture = av.VideoFrame.from_ndarray(np.full((144, width), 100, np.uint8), format="yuv420p")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path.read_bytes()


def test_another_codec_after_a_reconnect(http: Served, tmp_path: Path) -> None:
    kinds = itertools.cycle([recoded(tmp_path, "libx264", 128), recoded(tmp_path, "libx265", 160)])
    http.answers["/x.ts"] = lambda: next(kinds)
    seen: list[tuple[str, int]] = []
    source = LiveSource(f"http://127.0.0.1:{http.port}/x.ts", PATIENT, SourcePolicy(first_backoff_s=0.05))
    for item in source:
        if isinstance(item, Frame):
            assert source.video is not None
            seen.append((source.video.codec, item.planes.width))
        if source.generation == 4:
            source.stop()
    assert [kind for kind, _ in itertools.groupby(seen)][:3] in (
        [("h264", 128), ("hevc", 160), ("h264", 128)],
        [("hevc", 160), ("h264", 128), ("hevc", 160)],
    )


def test_a_codec_that_nobody_knows(http: Served, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "c.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            picture = av.VideoFrame.from_ndarray(np.full((72, 64), 100, np.uint8), format="yuv420p")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    http.answers["/c.mkv"] = (tmp_path / "c.mkv").read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_WONDER/CODEC1")
    with pytest.raises(UnknownCodec, match=r"H\.264") as failure:
        open_connection(f"http://127.0.0.1:{http.port}/c.mkv", PATIENT)
    assert failure.value.retry_slowly


def test_sound_without_pictures_is_no_video(http: Served, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.ts"), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for index in range(50):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 48000, index * 1024
            container.mux(stream.encode(sound))
    http.answers["/a.ts"] = (tmp_path / "a.ts").read_bytes()
    with pytest.raises(NoVideoStream):
        open_connection(f"http://127.0.0.1:{http.port}/a.ts", PATIENT)
