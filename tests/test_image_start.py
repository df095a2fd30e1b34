"""The first start of a container and its health check, run as the images run them, without a container engine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from image_files import ROOT, WITH_TENSORRT, arguments, in_image

pytestmark = [
    pytest.mark.timeout(170),
    pytest.mark.skipif(sys.platform != "linux", reason="images and their scripts are for Linux"),
]
BIN = Path(sys.executable).parent
LIMIT_S = 120

FAKE = """#!/bin/sh
echo $$ >>"$FAKE_LOG.pids"
echo "$*" >>"$FAKE_LOG"
[ "$1" = build ] || exit 7
[ -z "$FAKE_SECONDS" ] || { trap 'echo ended >>"$FAKE_LOG"; exit 1' TERM; sleep "$FAKE_SECONDS" & wait $!; }
echo "built, or why not"
exit "$FAKE_BUILD"
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the entry point with a stand-in for the command, which writes down what it was called with."""
    fake = tmp_path / "bin" / "stream-enhance"
    fake.parent.mkdir()
    fake.write_text(FAKE)
    fake.chmod(0o755)

    def run(*words: str, build: int = 0, seconds: str = "", **environment: str) -> subprocess.Popen[str]:
        told = {"FAKE_LOG": str(tmp_path / "log"), "FAKE_BUILD": str(build), "FAKE_SECONDS": seconds}
        path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
        clean = {name: value for name, value in os.environ.items() if not name.startswith("STREAM_ENHANCE_")}
        return subprocess.Popen(
            [ROOT / "docker" / "entrypoint", *words],
            env={**clean, **told, "PATH": path, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    yield run
    pids = tmp_path / "log.pids"
    for pid in pids.read_text().split() if pids.exists() else []:
        with suppress(ProcessLookupError):  # it has ended, as it should
            os.killpg(os.getpgid(int(pid)), signal.SIGKILL)


@pytest.mark.parametrize("image", WITH_TENSORRT)
def test_images_with_tensorrt_start_alike_and_take_what_is_fastest(image: str) -> None:
    for name in ("ENTRYPOINT", "HEALTHCHECK", "VOLUME"):
        assert arguments(image, name) == arguments(WITH_TENSORRT[0], name)
    (entry,) = json.loads(arguments(image, "ENTRYPOINT")[0])
    assert os.access(in_image(entry), os.X_OK)
    assert "STREAM_ENHANCE_ENGINE=auto" in " ".join(arguments(image, "ENV"))


def test_the_first_start_builds_the_engine_and_runs_what_was_asked(start, tmp_path: Path) -> None:
    process = start("rtsp://camera/1", "-o", "two words.ts")
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 7
    assert (tmp_path / "log").read_text().splitlines() == [
        "build curve --engine tensorrt",
        "rtsp://camera/1 -o two words.ts",
    ]
    assert out == ""  # standard output may be a summary
    assert "the engine of curve is ready" in err


def test_where_no_engine_can_be_built_it_goes_on_with_the_cpu(start, tmp_path: Path) -> None:
    process = start("run", "streams.yaml", build=1, STREAM_ENHANCE_MODEL="sci")
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 7
    assert (tmp_path / "log").read_text().splitlines() == ["build sci --engine tensorrt", "run streams.yaml"]
    assert "no TensorRT engine of sci, for the reason above: goes on with the CPU" in err


@pytest.mark.parametrize("words", [("doctor",), ("--help",), ("cache", "ls"), ("build", "sci"), ()])
def test_commands_that_enhance_nothing_build_nothing(start, tmp_path: Path, words: tuple[str, ...]) -> None:
    start(*words).communicate(timeout=LIMIT_S)
    assert (tmp_path / "log").read_text().splitlines() == [" ".join(words)]


def test_the_building_can_be_switched_off_and_is_limited(start, tmp_path: Path) -> None:
    start("in.mp4", STREAM_ENHANCE_BUILD="off").communicate(timeout=LIMIT_S)
    assert (tmp_path / "log").read_text().splitlines() == ["in.mp4"]
    _, err = start("in.mp4", seconds="600", STREAM_ENHANCE_BUILD_LIMIT="1").communicate(timeout=LIMIT_S)
    assert (tmp_path / "log").read_text().splitlines()[1:] == ["build curve --engine tensorrt", "ended", "in.mp4"]
    assert "goes on with the CPU" in err


def test_a_container_that_is_stopped_while_it_builds_ends_and_runs_nothing(start, tmp_path: Path) -> None:
    process = start("in.mp4", seconds="600")
    log = tmp_path / "log"
    wait_until(lambda: log.exists() and log.read_text() != "")
    time.sleep(0.2)  # the stand-in sets its trap
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 143
    assert log.read_text().splitlines() == ["build curve --engine tensorrt", "ended"]


# --- the health -------------------------------------------------------------------------------------------------------


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def health(image: str, environment: Mapping[str, str]) -> tuple[int, str]:
    """What the health check of an image says here."""
    command = json.loads(arguments(image, "HEALTHCHECK")[0].split("CMD", 1)[1])
    done = subprocess.run(
        [in_image(word) for word in command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    return done.returncode, done.stdout + done.stderr


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.parametrize("image", ["Dockerfile", "docker/cpu.Dockerfile"])
def test_health_follows_a_real_stream_that_starts_without_a_gpu(image: str, tmp_path: Path) -> None:
    environment = {
        "STREAM_ENHANCE_METRICS": str(free_port()),
        "STREAM_ENHANCE_CACHE": str(tmp_path / "cache"),
        "CUDA_VISIBLE_DEVICES": "",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
    }
    (entry,) = json.loads(arguments(image, "ENTRYPOINT")[0])
    entry = in_image(entry) if "/" in entry else entry
    assert health(image, environment)[0] == 1
    said = tmp_path / "stderr"
    with said.open("w") as err:
        process = subprocess.Popen(
            [entry, "testsrc:", "-s", "size=320x180", "-o", "null:", "--sam-every", "off"],
            env={**os.environ, **environment},
            stdout=err,
            stderr=err,
        )
    try:
        wait_until(lambda: process.poll() is not None or health(image, environment)[0] == 0)
        assert process.poll() is None, said.read_text()
        assert health(image, environment) == (0, "all: well\n")
        process.terminate()
        assert process.wait(LIMIT_S) == 143
    finally:
        process.kill()
        process.wait()
    code, text = health(image, environment)
    assert code == 1
    assert "does not answer" in text
    assert ("goes on with the CPU" in said.read_text()) == (image in WITH_TENSORRT)


@contextmanager
def pages(**statuses: int) -> Iterator[int]:
    """A server that answers ``healthz``, ``readyz`` and ``any`` as told."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = "any" if self.path.endswith("need=any") else self.path.strip("/")
            self.send_response(statuses[name])
            self.end_headers()
            self.wfile.write(f"{name} says so".encode())

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(
    ("wanted", "statuses", "code", "text"),
    [
        ("all", {"healthz": 200, "readyz": 200}, 0, "all: well"),
        ("all", {"healthz": 200, "readyz": 503}, 1, "readyz says so"),
        ("all", {"healthz": 503, "readyz": 200}, 1, "healthz says so"),
        ("any", {"healthz": 200, "readyz": 503, "any": 200}, 0, "any: well"),
        ("any", {"healthz": 200, "any": 503}, 1, "any says so"),
        ("process", {"healthz": 200, "readyz": 503, "any": 503}, 0, "process: well"),
        ("process", {"healthz": 503}, 1, "healthz says so"),
        ("some", {}, 1, "STREAM_ENHANCE_HEALTH is all, any, process, not 'some'"),
    ],
)
def test_what_counts_as_well_can_be_chosen(wanted: str, statuses: dict[str, int], code: int, text: str) -> None:
    with pages(**statuses) as port:
        told = {"STREAM_ENHANCE_HEALTH": wanted, "http_proxy": "http://127.0.0.1:1"}
        for address in (f"{port}", f"0.0.0.0:{port}", f"127.0.0.1:{port}"):
            found, said = health("Dockerfile", {**told, "STREAM_ENHANCE_METRICS": address})
            assert found == code
            assert text in said
