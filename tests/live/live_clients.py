"""Clients of other makers, and publishers, for tests against servers."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TypeVar

import av

T = TypeVar("T")

LIMIT_S = 90
TRY_S = 25


def pyav_pictures(url: str, count: int, transport: str = "tcp") -> list[av.VideoFrame]:
    """The first ``count`` pictures, as PyAV reads them."""

    def pictures() -> list[av.VideoFrame]:
        with av.open(url, options={"rtsp_transport": transport}, timeout=(TRY_S, TRY_S)) as container:
            return list(islice(container.decode(video=0), count))

    return again(pictures, av.FFmpegError)


def again(read: Callable[[], T], starved: type[Exception]) -> T:
    """What ``read`` gives; a reader who is left without data, and raises ``starved``, comes again, as users would.

    On a busy machine the server (gst-rtsp-server 1.22) now and then sends nothing at all to one of those who read over
    TCP, whoever publishes, and serves the next.
    """
    for _ in range(2):
        with contextlib.suppress(starved):
            return read()
    return read()


def ffmpeg_reads(url: str, count: int, transport: str = "tcp") -> subprocess.CompletedProcess[str]:
    """The ``ffmpeg`` command decodes ``count`` pictures."""
    how = ["-rtsp_transport", transport] if url.startswith("rtsp") else []
    command = ["ffmpeg", "-v", "error", *how, "-i", url, "-map", "0:v:0"]
    return again(lambda: run([*command, "-frames:v", str(count), "-f", "null", "-"], TRY_S), subprocess.TimeoutExpired)


def gstreamer_reads(url: str, count: int, depay: str = "rtph264depay ! h264parse ! avdec_h264") -> str:
    """``gst-launch-1.0`` decodes ``count`` pictures; what it says."""
    source = f"rtspsrc location={url} protocols=tcp latency=0 ! {depay}"
    pipeline = f"{source} ! identity eos-after={count} ! fakesink sync=false"
    command = ["gst-launch-1.0", "-q", *pipeline.split()]
    return again(lambda: run(command, TRY_S).stderr, subprocess.TimeoutExpired)


def run(command: list[str], limit_s: float = LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Runs to the end, within a limit that only a hang exceeds."""
    return subprocess.run(command, capture_output=True, text=True, timeout=limit_s, stdin=subprocess.DEVNULL)


class Publisher:
    """The ``ffmpeg`` command publishing a test picture in real time, until left."""

    def __init__(self, url: str, *, codec: str = "libx264", size: str = "320x240", audio: bool = False) -> None:
        picture = ["-re", "-f", "lavfi", "-i", f"testsrc=size={size}:rate=25,format=yuv420p"]
        sound = ["-re", "-f", "lavfi", "-i", "sine", "-c:a", "aac"] if audio else []
        # Inputs come before the options of the output.
        inputs, coding = picture + sound[:5], sound[5:]
        encoder = ["-c:v", codec, "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", *coding]
        command = ["ffmpeg", "-v", "error", *inputs, *encoder, "-f", "rtsp", "-rtsp_transport", "tcp", url]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def until(condition: Callable[[], object], what: str, timeout_s: float = LIMIT_S) -> None:
    """Wait for a condition; fails the test if it does not come true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        time.sleep(0.05)


def playable_pictures(path: Path) -> int:
    """How many pictures of a file another decoder reads without an error."""
    checked = run(["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v:0", "-f", "null", "-"])
    assert checked.returncode == 0, checked.stderr
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))
