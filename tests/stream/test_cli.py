"""The command line, in this process: arguments, messages, exit codes, files."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from night_clips import dark_picture, write_dark_clip, write_photo_file
from tiny_bundle import write_tiny_bundle
from typer.testing import CliRunner

from stream.cli import app
from stream.media.sinks.file import FileSink
from stream.settings import Settings

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty current folder, with a bundle called ``curve`` to be found by name."""
    write_tiny_bundle(tmp_path / "bundles" / "curve")
    monkeypatch.setenv("STREAM_ENHANCE_BUNDLES", str(tmp_path / "bundles"))
    monkeypatch.setenv("STREAM_ENHANCE_PRESET", "ultrafast")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def frames(path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_one_clip_gets_its_result_beside_it(here):
    write_dark_clip(here / "in.mp4", frames=8)
    result = call("in.mp4")
    assert result.exit_code == 0
    assert frames("in.enhanced.mp4") == 8
    assert "in.enhanced.mp4: 8 frames" in result.stderr
    assert result.stdout == ""
    assert "\x1b" not in result.stderr
    assert files(here) == ["in.enhanced.mp4", "in.mp4"]


def test_options_may_come_before_the_input_and_the_output_behind_it(here):
    write_dark_clip(here / "in.mp4", frames=8)
    result = call("--strength", 0.8, "--compare", "side", "in.mp4", "out.mkv", "--crf", 30, "-e", "tune=film", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    with av.open("out.mkv") as container:
        assert (container.streams.video[0].width, container.format.name) == (320, "matroska,webm")


def test_the_summary_goes_to_a_file_or_to_standard_output(here):
    write_dark_clip(here / "in.mp4", frames=8)
    assert call("in.mp4", "out.mp4", "--json", "summary.json").exit_code == 0
    written = json.loads(Path("summary.json").read_text())
    result = call("in.mp4", "out.mp4", "--json", "-", "--overwrite", "-q")
    printed = json.loads(result.stdout)
    assert written.keys() == printed.keys()
    assert (printed["frames_in"], printed["frames_out"], printed["dropped"]) == (8, 8, {})
    assert printed["exit_reason"] == "complete"
    assert printed["bundle"]["name"] == "curve"


def test_a_failed_run_has_a_summary_too(here):
    result = call("missing.mp4", "--json", "-")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["exit_reason"] == "failed"


def test_a_summary_that_cannot_be_written_is_a_failure(here):
    write_dark_clip(here / "in.mp4", frames=4)
    result = call("in.mp4", "--json", "nowhere/summary.json")
    assert result.exit_code == 1
    assert "cannot write the summary" in result.stderr
    assert frames("in.enhanced.mp4") == 4


def test_existing_outputs_are_refused_unless_overwriting(here):
    write_dark_clip(here / "in.mp4", frames=4)
    Path("out.mp4").write_text("mine")
    refused = call("in.mp4", "out.mp4")
    assert refused.exit_code == 2
    assert "--overwrite" in refused.stderr
    assert Path("out.mp4").read_text() == "mine"
    assert call("in.mp4", "out.mp4", "--overwrite").exit_code == 0
    assert frames("out.mp4") == 4


def test_a_folder_is_worked_through_and_what_is_done_is_skipped(here):
    for name in ("a.mp4", "b.mkv"):
        write_dark_clip(here / name, frames=4)
    write_photo_file(here / "c.png", dark_picture(0, 64, 48))
    (here / "notes.txt").write_text("no clip")
    assert call(here, "-o", "out").exit_code == 0
    assert files(here / "out") == ["a.enhanced.mp4", "b.enhanced.mkv", "c.enhanced.png"]
    (here / "out" / "b.enhanced.mkv").unlink()
    before = (here / "out" / "a.enhanced.mp4").stat().st_mtime_ns
    again = call(here, "-o", "out")
    assert again.exit_code == 0
    assert again.stderr.count("skipped") == 2
    assert (here / "out" / "a.enhanced.mp4").stat().st_mtime_ns == before
    assert frames("out/b.enhanced.mkv") == 4


def test_one_bad_file_does_not_stop_the_others_and_the_exit_code_says_so(here):
    write_dark_clip(here / "a.mp4", frames=4)
    (here / "bad.mp4").write_bytes(b"no video at all")
    write_dark_clip(here / "z.mp4", frames=4)
    result = call("*.mp4", "-o", "out", "--json", "all.json")
    assert result.exit_code == 1
    assert files(here / "out") == ["a.enhanced.mp4", "z.enhanced.mp4"]
    assert [run["exit_reason"] for run in json.loads(Path("all.json").read_text())] == [
        "complete",
        "failed",
        "complete",
    ]
    assert "bad.mp4" in result.stderr.rstrip().splitlines()[-2]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_photos_become_brighter_photos(here, suffix):
    write_photo_file(here / f"in{suffix}", dark_picture(0, 121, 75))
    assert call(f"in{suffix}").exit_code == 0
    with av.open(f"in{suffix}") as before, av.open(f"in.enhanced{suffix}") as after:
        dark = next(before.decode(video=0)).to_ndarray(format="rgb24")
        bright = next(after.decode(video=0)).to_ndarray(format="rgb24")
    assert bright.shape == dark.shape
    assert bright.mean() > 1.5 * dark.mean()


def audio_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        tone.sample_rate, tone.pts, tone.time_base = 48000, 0, Fraction(1, 48000)
        container.mux(stream.encode(tone))
        container.mux(stream.encode(None))


def hdr(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": "log-level=error"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p10le"
        stream.codec_context.color_primaries, stream.codec_context.color_trc = 9, 16
        stream.codec_context.colorspace, stream.codec_context.color_range = 9, 1
        for number in range(3):
            picture = av.VideoFrame(64, 64, "yuv420p10le")
            picture.color_primaries, picture.color_trc, picture.colorspace, picture.color_range = 9, 16, 9, 1
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def truncated_index(path: Path) -> None:
    write_dark_clip(path, frames=8)
    path.write_bytes(path.read_bytes()[:600])


BAD_INPUTS = {
    "missing": (lambda path: None, "there is no file"),
    "text": (lambda path: path.write_text("hello"), "not a video"),
    "empty": (lambda path: path.touch(), "is empty"),
    "folder": (lambda path: path.mkdir(), "holds no videos"),
    "sound only": (audio_only, "no video stream"),
    "cut off before its index": (truncated_index, "cut off"),
    "HDR": (hdr, "HDR video (PQ)"),
}


@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_inputs_that_cannot_be_enhanced_get_one_clear_line(here, kind):
    make, text = BAD_INPUTS[kind]
    make(here / "in.mp4")
    result = call("in.mp4", "out.mp4")
    assert result.exit_code == 1
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert text in errors[0]
    assert "Traceback" not in result.stderr
    assert not Path("out.mp4").exists()


def test_a_file_cut_in_the_middle_is_enhanced_as_far_as_it_goes(here):
    write_dark_clip(here / "in.mkv", frames=50)
    whole = (here / "in.mkv").read_bytes()
    (here / "in.mkv").write_bytes(whole[: len(whole) // 2])
    result = call("in.mkv", "out.mp4")
    assert result.exit_code == 0
    assert 0 < frames("out.mp4") < 50


BAD_REQUESTS = {
    "output is input": (["in.mp4", "in.mp4", "--overwrite"], 2, "is the input itself"),
    "no container": (["in.mp4", "out.xyz"], 2, "cannot write video into .xyz"),
    "no folder there": (["in.mp4", "in.mp4/out.mp4"], 1, "cannot write in"),
    "unknown encoder": (["in.mp4", "--codec", "libnothing"], 2, "no encoder named 'libnothing'"),
    "unknown encoder option": (["in.mp4", "-e", "nonsense=1"], 2, "nonsense"),
    "unknown bundle": (["in.mp4", "--model", "nothing"], 2, "no bundle 'nothing'"),
    "strength": (["in.mp4", "--strength", "1.5"], 2, "--strength"),
    "compare": (["in.mp4", "--compare", "diagonal"], 2, "--compare"),
    "encoder option": (["in.mp4", "-e", "tune"], 2, "--encoder-options"),
    "scheme": (["ftp://camera/1"], 2, "ftp: is no address that can be read or written"),
    "live without output": (["rtsp://camera/1"], 2, "rtsp://camera/1 is live and has no output"),
    "several live sources": (["rtsp://a/1", "rtsp://b/1", "-o", "null:"], 2, "2 sources, and one of them is live"),
    "live and file": (["in.mp4", "rtsp://b/1", "-o", "out"], 2, "cannot be mixed"),
    "file to live": (["in.mp4", "rtsp://b/1"], 2, "Give live:in.mp4"),
    "two outputs of a file": (["in.mp4", "-o", "a.mp4", "-o", "b.mp4"], 2, "files go to one output"),
}


@pytest.mark.parametrize("kind", BAD_REQUESTS)
def test_requests_that_cannot_be_met_get_one_clear_line(here, kind):
    arguments, code, text = BAD_REQUESTS[kind]
    write_dark_clip(here / "in.mp4", frames=4)
    untouched = (here / "in.mp4").read_bytes()
    result = call(*arguments)
    assert result.exit_code == code
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert text in errors[0]
    assert errors[0].endswith(".")
    assert (here / "in.mp4").read_bytes() == untouched
    assert files(here) == ["in.mp4"]


REFUSED_VALUES = {
    ("-e", "nonsense"): "--encoder-options: 'nonsense' is not of the form KEY=VALUE.",
    ("--strength", "2"): "--strength: 2 is not in 0..1.",
    ("--strength", "nan"): "--strength: nan is not in 0..1.",
    ("--strength", "much"): "--strength: much is not a number in 0..1.",
    ("--threads", "1.5"): "--threads: 1.5 is not a whole number in 1..256.",
    ("--crf", "64"): "--crf: 64 is not in 0..63.",
    ("--compare", "diagonal"): "--compare: diagonal is not one of none, split, side.",
}


@pytest.mark.parametrize("option", REFUSED_VALUES)
def test_a_refused_value_is_told_in_one_line_with_what_is_allowed(here, option):
    result = call("in.mp4", *option)
    assert (result.exit_code, result.stderr) == (2, f"error: {REFUSED_VALUES[option]}\n")


def test_a_refused_value_of_the_environment_is_told_alike(here, monkeypatch):
    monkeypatch.setenv("STREAM_ENHANCE_QUIET", "perhaps")
    assert call("in.mp4").stderr == "error: --quiet: perhaps is not true or false.\n"


@pytest.mark.parametrize("arguments", [["--nonsense"], ["in.mp4", "--crf"], ["--overwrite"]])
def test_unknown_or_incomplete_options_are_usage_errors(here, arguments):
    assert call(*arguments).exit_code == 2


def test_a_fault_of_the_program_is_told_without_a_traceback_unless_debugging(here, monkeypatch):
    def explode(self, frame):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(FileSink, "write", explode)
    write_dark_clip(here / "in.mp4", frames=4)
    plain, debugging = call("in.mp4"), call("in.mp4", "--debug")
    assert plain.exit_code == debugging.exit_code == 1
    assert "ZeroDivisionError: a bug" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debugging.stderr
    assert files(here) == ["in.mp4"]


def test_no_argument_and_help_show_every_option():
    text = call("--help").stdout
    assert call().stdout == text
    for name in Settings.model_fields:
        assert f"--{name.replace('_', '-')}" in text
    for command in ("doctor", "models", "warm"):
        assert command in text


def test_the_version_is_printed():
    result = call("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("stream-enhance ")


def test_a_file_named_like_a_command_is_reached_by_its_path(here):
    assert "there is no file" in call("./doctor").stderr


def test_models_lists_bundles(here):
    assert "curve" in call("models").stdout


def test_warm_compiles_the_kernels(here):
    assert "kernels ready" in call("warm").stdout


LEAVING = """
import atexit, threading, time
from concurrent.futures import ThreadPoolExecutor
from stream import cli
pool = ThreadPoolExecutor(1)
pool.submit(int).result()
threading.Thread(target=lambda: (time.sleep(0.2), print("worked to the end"))).start()
atexit.register(print, "told at the end")
cli.app = lambda: cli.sys.exit(3)
cli.main()
"""


def test_the_command_waits_for_threads_at_work_and_not_for_idle_pools():
    left = subprocess.run([sys.executable, "-c", LEAVING], capture_output=True, text=True, timeout=60, check=False)
    assert (left.returncode, left.stdout, left.stderr) == (3, "worked to the end\ntold at the end\n", "")
