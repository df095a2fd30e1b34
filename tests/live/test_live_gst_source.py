"""Frames out of GStreamer pipelines, and SRT, which comes through GStreamer where FFmpeg has none."""

from __future__ import annotations

import builtins
import importlib.machinery
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import av
import numpy as np
import pytest
from live_clients import until
from live_collector import PATIENT, Collector

from benchmarks.live_server import RtspServer, free_port
from stream.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    GStreamerMissing,
    HdrNotSupported,
    PipelineFailed,
    PipelineInvalid,
    StreamError,
)
from stream.live.source import LiveSource, SourcePolicy
from stream.media import gstreamer as loader
from stream.media.frame import Frame
from stream.media.sources.connection import SourceOptions, check_address, open_connection
from stream.media.sources.gst import pipeline_text


def _missing() -> str:
    try:
        loader.gstreamer()
    except GStreamerMissing as error:
        return str(error)
    return ""


needs_gstreamer = pytest.mark.skipif(bool(_missing()), reason=f"{_missing()} Or run scripts/install-gstreamer")


def scene(count: int = 5, format: str = "I420", width: int = 322, height: int = 242, more: str = "") -> str:
    """So many pictures (-1: without end) of a test scene, and what comes after them in the pipeline."""
    caps = f"video/x-raw,format={format},width={width},height={height},framerate=25/1"
    return f"gst:videotestsrc num-buffers={count} pattern=smpte ! {caps}{more}"


def read(uri: str, options: SourceOptions = PATIENT) -> list[Frame]:
    connection = open_connection(uri, options)
    try:
        return [item for item in connection if isinstance(item, Frame)]
    finally:
        connection.close()


@needs_gstreamer
def test_pictures_are_those_of_the_pipeline(tmp_path: Path) -> None:
    """Odd pitches included: the same pipeline also writes its planes to a file."""
    taken = tmp_path / "raw.nv12"
    text = (
        f"{scene(count=3)} ! videoconvert ! video/x-raw,format=NV12 ! tee name=t ! queue ! filesink location={taken} t."
    )
    frames = read(f"{text} ! queue ! appsink sync=false max-buffers=100")
    assert [frame.picture.format.name for frame in frames] == ["nv12"] * 3
    pitch, height = 324, 242
    raw = np.fromfile(taken, np.uint8).reshape(3, -1)
    for frame, expected in zip(frames, raw, strict=True):
        luma = expected[: pitch * height].reshape(height, pitch)[:, :322]
        chroma = expected[pitch * height :].reshape(height // 2, pitch)[:, :322]
        assert np.array_equal(frame.planes.y, luma)
        assert np.array_equal(frame.planes.u, chroma[:, 0::2])
        assert np.array_equal(frame.planes.v, chroma[:, 1::2])
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.04, 0.08])


@needs_gstreamer
@pytest.mark.parametrize(
    ("colorimetry", "expected"),
    [
        ("bt709", ("bt709", False)),
        ("bt601", ("bt601", False)),
        ("1:4:16:3", ("bt601", True)),
        ("2:6:13:7", ("bt2020nc", False)),
    ],
)
def test_colours_are_those_of_the_caps(colorimetry: str, expected: tuple[str, bool]) -> None:
    frame = read(scene(count=1, more=f",colorimetry=(string){colorimetry}"))[0]
    assert (frame.planes.colour.matrix, frame.planes.colour.full_range) == expected
    assert frame.picture.color_range == (2 if expected[1] else 1)


@needs_gstreamer
def test_hdr_is_refused() -> None:
    with pytest.raises(HdrNotSupported, match="PQ"):
        read(scene(count=1, more=",colorimetry=(string)bt2100-pq"))


@needs_gstreamer
def test_an_appsink_of_the_users_own_may_give_planar_pictures() -> None:
    frames = read(f"{scene(count=2)} ! appsink sync=false")
    assert [frame.picture.format.name for frame in frames] == ["yuv420p"] * 2
    with pytest.raises(PipelineInvalid, match="RGB"):
        read(f"{scene(count=2, format='RGB')} ! appsink sync=false")


@needs_gstreamer
def test_caps_that_change_give_frames_of_the_new_size() -> None:
    """Two sources after each other through one sink, without an end in between."""
    first = "videotestsrc num-buffers=5 ! video/x-raw,width=320,height=240,framerate=25/1 ! c."
    second = "videotestsrc num-buffers=5 ! video/x-raw,width=160,height=120,framerate=25/1 ! c."
    tail = "concat name=c ! videoconvert ! video/x-raw,format=NV12 ! appsink sync=false max-buffers=100"
    connection = open_connection(f"gst:{first} {second} {tail}", PATIENT)
    sizes, told = [], []
    for frame in connection:
        assert isinstance(frame, Frame)
        sizes.append(frame.planes.y.shape)
        told.append((connection.video.height, connection.video.width))
    connection.close()
    assert sizes == told == [(240, 320)] * 5 + [(120, 160)] * 5


@needs_gstreamer
def test_the_end_of_a_pipeline_is_a_disconnect() -> None:
    with Collector(scene(count=10, more=" ! identity sync=true")) as reading:
        reading.wait_frames(2, after=1)
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(reading.frames))


@needs_gstreamer
@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("gst:nosuchelement ! fakesink", PipelineInvalid),
        ("gst:videotestsrc nosuchproperty=1", PipelineInvalid),
        ("gst:videotestsrc ! !", PipelineInvalid),
        ("gst:", PipelineInvalid),
        ("gst:filesrc location=/no/such/file ! decodebin", ConnectionFailed),
        ("gst:videotestsrc ! video/x-raw,width=-5", StreamError),
        ("gst:audiotestsrc ! decodebin", ConnectionFailed),
    ],
)
def test_errors_are_typed(text: str, error: type[StreamError]) -> None:
    with pytest.raises(error) as failure:
        read(text, SourceOptions(open_timeout_s=3.0, read_timeout_s=1.0))
    assert failure.value.do


@needs_gstreamer
def test_texts_that_cannot_be_built_are_refused_before_anything_runs() -> None:
    with pytest.raises(PipelineInvalid, match="nosuchelement"):
        LiveSource("gst:nosuchelement ! fakesink")
    check_address(scene(), SourceOptions())


@needs_gstreamer
def test_an_error_while_it_runs_is_one_of_the_pipeline() -> None:
    connection = open_connection(f"{scene(count=-1)} ! identity error-after=20", PATIENT)
    with pytest.raises(PipelineFailed):
        list(connection)
    connection.close()


@needs_gstreamer
def test_a_password_in_a_pipeline_shows_nowhere(
    start_rtsp_server: Callable[..., RtspServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_rtsp_server(user="ann", password="right")
    monkeypatch.setenv("CAM_PASS", "wr0ng-secret")
    text = f"gst:rtspsrc location=rtsp://ann:{{CAM_PASS}}@127.0.0.1:{server.port}/auth latency=0 ! decodebin"
    with pytest.raises(AuthenticationFailed) as failure:
        read(text)
    assert "wr0ng-secret" not in repr(failure.value)
    monkeypatch.setenv("CAM_PASS", "right")
    with Collector(text) as reading:
        reading.wait_frames(3)
    assert ":right" not in reading.source.uri + str(reading.events)


@needs_gstreamer
def test_a_silent_pipeline_is_stalled_and_stopped_promptly() -> None:
    """After ten pictures the next source never begins, and the pipeline stays up."""
    tail = "concat name=c ! videoconvert ! video/x-raw,format=NV12 ! appsink sync=false"
    text = f"{scene(count=10, more=' ! identity sync=true ! c.')} appsrc is-live=true ! c. {tail}"
    with Collector(text, policy=SourcePolicy(stall_s=0.3, longest_backoff_s=1.0)) as reading:
        reading.wait_state("stalled")
        begun = time.monotonic()
    assert time.monotonic() - begun < 20


@needs_gstreamer
def test_a_teardown_that_blocks_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    free = threading.Event()

    class Stubborn:
        def set_state(self, state: object) -> None:
            free.wait()

    monkeypatch.setattr(loader, "_TEARDOWN_S", 0.05)
    assert not loader.tear_down(Stubborn())
    free.set()


def test_without_gstreamer_the_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__
    for name in [name for name in sys.modules if name == "gi" or name.startswith("gi.")]:
        monkeypatch.delitem(sys.modules, name)

    def no_gi(name: str, *more: Any, **others: Any) -> Any:
        if name == "gi" or name.startswith("gi."):
            raise ImportError(f"No module named {name!r}")
        return real(name, *more, **others)

    monkeypatch.setattr(loader.importlib, "import_module", no_gi)
    monkeypatch.setattr(loader, "_HOMES", ())
    with pytest.raises(GStreamerMissing, match="apt install python3-gi") as failure:
        loader.gstreamer()
    assert failure.value.exit_code == 2


@needs_gstreamer
def test_the_bindings_of_the_distribution_bring_nothing_else_along() -> None:
    """In a Python that has none of its own they are the distribution's, and its other packages stay out of reach."""
    code = (
        "import sys; before = list(sys.path); from stream.media.gstreamer import gstreamer\n"
        "print(gstreamer().Gst.version_string(), sys.modules['gi'].__file__)\n"
        "assert sys.path == before"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "GStreamer 1." in done.stdout


def test_bindings_made_for_another_python_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "_gi.cpython-27-x86_64-linux-gnu.so").touch()
    assert not loader._fits(tmp_path)
    (tmp_path / f"_gi{importlib.machinery.EXTENSION_SUFFIXES[0]}").touch()
    assert loader._fits(tmp_path)


def test_nothing_of_gstreamer_is_loaded_unless_asked_for() -> None:
    code = (
        "import sys; import stream.media.sources.connection as c, stream.media.gstreamer, stream.live.source\n"
        "c.check_address('rtsp://cam/x', c.SourceOptions()); assert 'gi' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_csi_cameras_are_pipelines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text only: there is no camera here."""

    class Registry:
        have: ClassVar[set[str]] = set()

        class Gst:
            class ElementFactory:
                @staticmethod
                def find(name: str) -> bool:
                    return name in Registry.have

    monkeypatch.setattr("stream.media.sources.gst.gstreamer", lambda: Registry)
    options = SourceOptions(options={"size": "1920x1080", "fps": "30"})
    with pytest.raises(GStreamerMissing, match="nvarguscamerasrc"):
        pipeline_text("csi:0", options)
    Registry.have = {"libcamerasrc"}
    assert pipeline_text("csi:0", options) == "libcamerasrc ! video/x-raw,width=1920,height=1080,framerate=30/1"
    Registry.have |= {"nvarguscamerasrc"}
    for uri in ("csi:1", "csi://1"):
        assert "nvarguscamerasrc sensor-id=1 " in pipeline_text(uri, options)


# --- SRT


@pytest.fixture
def srt_sender() -> Iterator[Callable[..., str]]:
    """Starts a sender over SRT; its address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int = 0, query: str = "") -> str:
        port = port or free_port()
        text = (
            "videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
            " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! mpegtsmux alignment=7"
            f" ! srtsink wait-for-connection=false uri=srt://127.0.0.1:{port}?mode=listener{query}"
        )
        command = ["gst-launch-1.0", "-q", *text.split()]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return f"srt://127.0.0.1:{port}"

    start.started = started  # type: ignore[attr-defined]
    yield start
    for process in started:
        process.kill()
        process.wait()


@needs_gstreamer
def test_srt_is_read_and_comes_back_after_a_kill(srt_sender: Callable[..., str]) -> None:
    address = srt_sender()
    options = SourceOptions(open_timeout_s=5.0, read_timeout_s=1.0)
    with Collector(address, options, SourcePolicy(longest_backoff_s=0.5)) as reading:
        reading.wait_frames(10)
        srt_sender.started[0].kill()  # type: ignore[attr-defined]
        srt_sender.started[0].wait()  # type: ignore[attr-defined]
        reading.wait_state("reconnecting")
        srt_sender(int(address.rpartition(":")[2]))
        reading.wait_frames(5, after=1)
    assert all(later.pts > earlier.pts for earlier, later in itertools.pairwise(reading.frames))


def test_srt_without_any_library_is_refused_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise GStreamerMissing("not here")

    monkeypatch.setattr("stream.media.sources.srt.gstreamer", missing)
    try:
        av.open("srt://")
    except av.error.ProtocolNotFoundError:
        with pytest.raises(GStreamerMissing):
            LiveSource("srt://127.0.0.1:9")
    except (av.FFmpegError, OSError, ValueError):
        LiveSource("srt://127.0.0.1:9")  # a build of FFmpeg that has it


@needs_gstreamer
def test_srt_with_a_wrong_passphrase(srt_sender: Callable[..., str]) -> None:
    address = srt_sender(query="&passphrase=rightrightright&pbkeylen=16")
    with Collector(f"{address}?passphrase=rightrightright&pbkeylen=16") as reading:
        reading.wait_frames(2)
    errors: list[StreamError] = []

    def attempt() -> bool:
        with pytest.raises(ConnectionFailed) as failure:
            open_connection(f"{address}?passphrase=wrongwrongwrong", SourceOptions(open_timeout_s=3.0))
        errors.append(failure.value)
        return isinstance(failure.value, AuthenticationFailed)

    until(attempt, "the passphrase is refused")
    assert "wrongwrong" not in repr(errors)
