"""Controls the RTSP server of the tests (``tests/live/rtsp_server.py``), a process to kill, freeze and restart."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

SCRIPT = Path(__file__).parent.parent / "tests" / "live" / "rtsp_server.py"
PYTHON = "/usr/bin/python3"
"""The distribution's interpreter: only that one has the bindings."""
_START_S = 60.0
"""A loaded machine starts GStreamer slowly; without its registry it scans all plug-ins first."""


@cache
def missing() -> str | None:
    """What keeps the server from running here, with the command that helps; None if nothing does."""
    wanted = "import gi\nfor name in ('GstApp', 'GstRtspServer'):\n    gi.require_version(name, '1.0')\n"
    try:
        run = subprocess.run([PYTHON, "-c", wanted], capture_output=True, timeout=_START_S)
    except (OSError, subprocess.TimeoutExpired):
        run = None
    if run is None or run.returncode or not shutil.which("ffmpeg"):
        return "GStreamer's RTSP server or ffmpeg is not installed: scripts/install-gstreamer"
    return None


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RtspServer:
    """One server on one port; after ``kill`` another process takes its place with ``restart``.

    ``options`` are those of the script: ``RtspServer(width=640, height=360, audio=True)``.
    """

    def __init__(self, **options: Any) -> None:
        self.port = free_port()
        self.options = options
        self.events: list[dict[str, Any]] = []
        self._told = threading.Condition()
        self._process: subprocess.Popen[str] | None = None
        self._start()

    def __enter__(self) -> RtspServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self, path: str = "/h264", *, user: str = "", password: str = "", port: int | None = None) -> str:
        """Address of a path; ``port`` is that of a link in between."""
        who = f"{user}:{password}@" if user else ""
        return f"rtsp://{who}127.0.0.1:{port or self.port}{path}"

    @property
    def pid(self) -> int:
        """Of the process that serves now. Raises RuntimeError if none does."""
        if self._process is None:
            raise RuntimeError("the server is down")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """False after ``kill``."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: connections break as the kernel closes them."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()
            self._process = None

    stop = kill

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing comes."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self, **options: Any) -> None:
        """Another process on the same port, with other options where given."""
        self.kill()
        self.options |= options
        self._start()

    def resize(self, width: int, height: int) -> None:
        """Live pictures of another size from now on, without an end of the stream."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"size {width} {height}\n")
        self._process.stdin.flush()

    def wait_for(self, event: str, timeout_s: float = 60.0, **properties: Any) -> dict[str, Any]:
        """The next event of that kind with those properties, told since the start of the process or from now on.

        Each event is given out once. Raises TimeoutError.
        """
        deadline = time.monotonic() + timeout_s
        with self._told:
            while True:
                for index, told in enumerate(self.events):
                    if told["event"] == event and properties.items() <= told.items():
                        return self.events.pop(index)
                if not self._told.wait(deadline - time.monotonic()) and time.monotonic() >= deadline:
                    raise TimeoutError(f"no {event} {properties} within {timeout_s:g} s, only {self.events}")

    def _start(self) -> None:
        command = [PYTHON, str(SCRIPT), "--port", str(self.port)]
        for name, value in self.options.items():
            flag = f"--{name.replace('_', '-')}"
            command += [] if value is False else [flag] if value is True else [flag, str(value)]
        self.events.clear()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        try:
            self.wait_for("ready", _START_S)
        except TimeoutError:
            self.kill()
            raise

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                with self._told:
                    if process is self._process:
                        self.events.append(json.loads(line))
                        self._told.notify_all()
