"""The command as a process of its own: Ctrl-C and SIGTERM keep a playable file, a second Ctrl-C ends at once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from night_clips import write_dark_clip

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(os.name != "posix", reason="signals are sent the POSIX way"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> Path:
    return write_dark_clip(tmp_path_factory.mktemp("clips") / "long.mkv", frames=1200, size=(320, 180))


def command(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "stream.cli", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_output(folder: Path, process: subprocess.Popen[str], size: int = 20_000) -> None:
    """Until the hidden, unfinished file holds something."""
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > size for path in folder.glob(".*.partial-*.mkv")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no output appears"
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_keeps_a_playable_file(long_clip, tiny_bundle, tmp_path, number, code):
    process = command(tmp_path, long_clip, "out.mkv", "-m", tiny_bundle, "--json", "s.json", "--preset", "slow")
    wait_for_output(tmp_path, process)
    process.send_signal(number)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in messages
    assert "stopped early" in messages
    with av.open(str(tmp_path / "out.mkv")) as container:
        frames = sum(1 for _ in container.decode(video=0))
    summary = json.loads((tmp_path / "s.json").read_text())
    assert 0 < frames == summary["frames_out"] == summary["frames_in"] < 1200
    assert summary["exit_reason"] == "interrupted"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mkv", "s.json"]


def test_a_second_interrupt_ends_at_once(long_clip, tiny_bundle, tmp_path):
    process = command(tmp_path, long_clip, "out.mkv", "-m", tiny_bundle, "--preset", "placebo")
    wait_for_output(tmp_path, process, size=0)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130


def test_inputs_after_an_interrupt_are_not_started(long_clip, tiny_bundle, tmp_path):
    for name in ("a.mkv", "b.mkv"):
        (tmp_path / name).symlink_to(long_clip)
    process = command(tmp_path, "*.mkv", "-o", ".", "-m", tiny_bundle, "--preset", "slow")
    wait_for_output(tmp_path, process)
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "not started" in messages
    assert not (tmp_path / "b.enhanced.mkv").exists()


def test_a_terminal_gets_a_bar_with_frames_rate_and_latency(tiny_bundle, tmp_path):
    clip = write_dark_clip(tmp_path / "clip.mkv", frames=300, size=(320, 180))
    keyboard, screen = os.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "stream.cli",
            str(clip),
            "out.mkv",
            "-m",
            str(tiny_bundle),
            "--preset",
            "ultrafast",
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "120"},
        stderr=screen,
    )
    os.close(screen)
    shown = b""
    with os.fdopen(keyboard, "rb", buffering=0) as terminal:
        while True:
            try:
                piece = terminal.read(4096)
            except OSError:  # Linux says EIO when the other end has gone
                break
            if not piece:
                break
            shown += piece
    assert process.wait(timeout=30) == 0
    text = shown.decode()
    assert re.search(r"\d+/300 frames +\d+ fps", text)
    assert re.search(r"enhance p50 [\d.]+, p95 [\d.]+ ms", text)
    assert "out.mkv: 300 frames" in text


def test_a_refused_run_ends_cleanly_although_the_network_is_still_loading(tiny_bundle, tmp_path):
    process = command(tmp_path, "missing.mp4", "-m", tiny_bundle)
    _, messages = process.communicate(timeout=60)
    assert (process.returncode, len(messages.splitlines())) == (1, 1)


def test_a_full_run_as_a_process(tiny_bundle, tmp_path):
    write_dark_clip(tmp_path / "in.mp4", frames=4)
    process = command(tmp_path, "in.mp4", "-m", tiny_bundle)
    out, messages = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert messages.splitlines()[-1].startswith("in.enhanced.mp4: 4 frames")


def test_a_write_that_is_cut_off_leaves_nothing_and_says_so(tiny_bundle, tmp_path):
    """A limit on the size of files stands for a disk that refuses more."""
    write_dark_clip(tmp_path / "in.mp4", frames=60, size=(320, 180))
    script = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)); "
        "sys.argv[0] = 'stream-enhance'; runpy.run_module('stream.cli', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, "in.mp4", "-m", str(tiny_bundle), "--crf", "5"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("error: ")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
