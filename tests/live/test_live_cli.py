"""Live streams by the command, as a process of its own: signals, messages, exit codes, summaries, no passwords."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from stream.cli import app
from stream.live.command import _Shown

pytestmark = [
    pytest.mark.timeout(150),
    pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way"),
]
ROOT = Path(__file__).parents[2]
PASSWORD = "s3cr3t-pass"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """Two dark seconds of 160x96, with a moving lamp."""
    path = tmp_path_factory.mktemp("clips") / "night.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number in range(50):
            luma = rng.normal(30, 2, (144, 160)).clip(16, 235).astype(np.uint8)
            luma[96:], luma[8:16, 2 * number : 2 * number + 8] = 128, 200
            picture = av.VideoFrame.from_ndarray(luma, "yuv420p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def command(folder: Path, *arguments: object, **options) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen(
        [sys.executable, "-m", "stream.cli", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths, "TERM": "xterm", "COLUMNS": "200"},
        **streams,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, messages = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, out, messages


def wait_for_size(process: subprocess.Popen[str], path: Path, size: int) -> None:
    deadline = time.monotonic() + 90
    while not (path.exists() and path.stat().st_size > size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"{path} does not grow"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "code", "compare", "width"),
    [(signal.SIGINT, 130, "none", 160), (signal.SIGTERM, 143, "side", 320), (signal.SIGHUP, 129, "none", 160)],
)
def test_a_signal_ends_a_live_run_with_playable_outputs_and_a_summary(clip, tmp_path, number, code, compare, width):
    outputs = ["-o", "out.mp4", "-o", "null:"]
    process = command(tmp_path, f"live:{clip}", *outputs, "--json", "s.json", "--compare", compare)
    wait_for_size(process, tmp_path / "out.mp4", 3000)
    process.send_signal(number)
    returned, out, messages = ended(process)
    assert (returned, out) == (code, "")
    assert "Traceback" not in messages
    summary = json.loads((tmp_path / "s.json").read_text())
    figures = summary["figures"]
    assert summary["exit_reason"] == "interrupted"
    assert figures["frames_in"] == figures["frames_out"] + sum(figures["dropped"].values())
    first, second = figures["outputs"]
    assert (first["state"], second["uri"]) == ("closed", "null:")
    with av.open(str(tmp_path / "out.mp4")) as container:
        pictures = list(container.decode(video=0))
    assert len(pictures) == first["written"] > 0
    assert (pictures[0].width, pictures[0].height) == (width, 96)
    assert pictures[0].to_ndarray()[:96, width - 160 :].mean() > 45, "the pictures were not made brighter"
    times = [picture.pts for picture in pictures]
    assert times == sorted(set(times))


def test_a_second_signal_ends_at_once(clip, tmp_path):
    process = command(tmp_path, f"live:{clip}", "out.mkv")
    wait_for_size(process, tmp_path / "out.mkv", 0)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert ended(process)[0] == 130


def test_a_reader_of_messages_that_stops_keeps_no_stream_from_its_end(clip, tmp_path):
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        process = command(tmp_path, f"live:{clip}", "-o", "out.mkv", "--json", "s.json", stderr=writer)
        wait_for_size(process, tmp_path / "out.mkv", 3000)
        process.send_signal(signal.SIGTERM)
        assert ended(process)[0] == 143
    finally:
        os.close(reader)
        os.close(writer)
    assert json.loads((tmp_path / "s.json").read_text())["exit_reason"] == "interrupted"


def test_metrics_are_served_while_one_stream_runs(clip, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = command(tmp_path, f"live:{clip}", "-o", "out.mkv", "--metrics", port)
    wait_for_size(process, tmp_path / "out.mkv", 3000)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        metrics = answer.read().decode()
    with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
        assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 143
    assert re.search(r"frames\w*total\{[^}]*\} [1-9]", metrics), metrics


def test_a_process_whose_main_loop_stands_still_is_not_well():
    now = [0.0]
    shown = _Shown(SimpleNamespace(name="live"), clock=lambda: now[0])
    assert shown.problems() == []
    now[0] = 60.0
    assert shown.problems() == ["the main loop has not turned for 60 s"]
    shown.turn()
    assert shown.problems() == []


def test_a_file_of_streams_is_checked_and_run(clip, tmp_path):
    streams = tmp_path / "streams.yaml"
    streams.write_text(f"streams:\n  door:\n    source: live:{clip}\n    outputs: [door.mkv]\n")
    checked = CliRunner().invoke(app, ["run", str(streams), "--check"])
    assert (checked.exit_code, "door" in checked.stdout) == (0, True)
    process = command(tmp_path, "run", streams)
    wait_for_size(process, tmp_path / "door.mkv", 3000)
    process.send_signal(signal.SIGTERM)
    returned, _, messages = ended(process)
    assert returned == 0, messages
    assert "stream=door" in messages
    assert "Traceback" not in messages


def test_a_source_that_never_comes_fails_after_its_time_and_no_password_shows(tmp_path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        uri = f"rtsp://admin:{PASSWORD}@127.0.0.1:{nobody.getsockname()[1]}/cam?token={PASSWORD}"
        process = command(tmp_path, uri, "-o", "null:", "--give-up-after", 1, "--json", "s.json", "--debug")
        returned, out, messages = ended(process)
    summary = (tmp_path / "s.json").read_text()
    assert returned == 1
    assert "state=reconnecting" in messages
    assert [line for line in messages.splitlines() if line.startswith("error: ")]
    assert json.loads(summary)["exit_reason"] == "failed"
    assert "127.0.0.1" in summary
    assert PASSWORD not in summary + messages + out


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-o", "null:", "-m", "nothing"], "no bundle 'nothing'"),
        (["-o", "out.xyz"], "out.xyz"),
        (["-o", "null:", "--keep", "7d"], "--keep deletes old segments"),
        (["-o", "a.mp4", "-o", "./a.mp4"], "./a.mp4 is given twice"),
        (["-o", "{clip}", "--overwrite"], "is where the stream comes from"),
        (["-o", "null:", "--codec", "libx265x"], "no encoder named 'libx265x'"),
        (["-o", "null:", "-e", "nonsense=3"], "does not know the option 'nonsense'"),
        (["-o", "a.mkv", "--preset", "silly"], "has no preset 'silly'"),
        (["-o", "rtsp://127.0.0.1:1/x", "--codec", "aac"], "'aac' does not encode video"),
    ],
)
def test_what_cannot_work_is_a_usage_error_in_one_line(clip, tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [f"live:{clip}", *(each.format(clip=clip) for each in arguments)])
    assert result.exit_code == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert text in errors[0]
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_gets_a_line_with_states_rates_and_latency(clip, tmp_path):
    keyboard, screen = os.openpty()
    process = command(tmp_path, f"live:{clip}", "out.mkv", stderr=screen)
    os.close(screen)
    shown, signalled = b"", False
    with os.fdopen(keyboard, "rb", buffering=0) as terminal:
        while True:
            try:
                piece = terminal.read(4096)
            except OSError:  # Linux says EIO when the other end has gone
                break
            shown += piece
            if not piece:
                break
            if not signalled and re.search(rb"running, [\d.]+ fps in, [\d.]+ out[^|]*\| out.mkv writing", shown):
                process.send_signal(signal.SIGTERM)
                signalled = True
    process.communicate(timeout=60)
    assert process.returncode == 143
    text = shown.decode()
    assert signalled, text
    assert re.search(r"\d+ dropped, \d+ ms \(p95 \d+\)", text)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["foo://bar", "-o", "null:"], "foo: is no address"),
        (["testsrc:frames=1", "-o", "bar://q"], "bar: is no address"),
        (["night.mp4", "-o", "null:"], "live:night.mp4"),
    ],
)
def test_what_is_no_address_is_told_by_its_own_name(tmp_path, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert text in result.stderr


def test_the_end_waits_for_threads_runs_what_was_registered_and_takes_nothing_down():
    """Taking the interpreter down costs half a second and more, most of it for compiled code: see the destructor."""
    lines = (
        "import atexit, sys, threading, time",
        "from stream import cli",
        "atexit.register(lambda: print('handler'))",
        "class Held:",
        "    def __del__(self): print('taken down')",
        "sys.held = Held()",
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()",
        "cli.app = lambda: (print('said'), sys.exit(3))",
        "cli.main()",
    )
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout.split(), ran.stderr) == (3, ["said", "thread", "handler"], "")


def test_a_second_signal_in_the_middle_of_the_first_ends_at_once():
    lines = (
        "import os, signal, threading, time",
        "from stream.runner import Interrupts",
        "lock = threading.Lock()",
        "class Run:",
        "    def stop(self):",
        "        with lock: os.kill(os.getpid(), signal.SIGINT); time.sleep(60)",
        "    def abort(self):",
        "        with lock: pass",
        "    def join(self, timeout): return True",
        "with Interrupts(Run()): os.kill(os.getpid(), signal.SIGINT)",
    )
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert (ran.returncode, ran.stderr) == (130, "")
