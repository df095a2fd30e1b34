"""Recordings in segments: cut, named, kept and deleted, full disks, and what a killed program leaves behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_clients import until
from live_frames import moving, times_of

from stream.errors import StreamError, UnsupportedUri
from stream.live.outputs import segments as module
from stream.live.outputs.output import OutputEvent, OutputState
from stream.live.outputs.segment_names import segment_names
from stream.live.outputs.segments import SegmentFolder
from stream.live.sink import LiveSink, LiveSinkSettings
from stream.quantities import Keep

HALF_SECONDS = LiveSinkSettings(key_every_s=0.5, segment_s=1.0)


def written(sink: LiveSink) -> None:
    """Waits until nothing is on its way any more: tests feed much faster than live."""
    until(lambda: all(output.in_flight == 0 for output in sink.outputs), "written")


def record(target: str, count: int, settings: LiveSinkSettings = HALF_SECONDS) -> LiveSink:
    sink = LiveSink([target], settings)
    for frame in moving(count):
        sink.write(frame)
    written(sink)
    sink.close(30)
    return sink


def pictures_of(folder: Path, pattern: str = "**/*.mp4") -> list[int]:
    return [len(times_of(path)) for path in sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)]


def test_each_segment_is_whole_and_begins_at_0(tmp_path: Path) -> None:
    sink = record(f"{tmp_path}/recordings/", 110)
    segments = sorted((tmp_path / "recordings").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert pictures_of(tmp_path) == [25, 25, 25, 25, 10]
    assert sink.outputs[0].written == 110
    for path in segments:
        assert times_of(path)[0] == 0
        with av.open(str(path)) as container:
            assert next(iter(container.decode(video=0))).key_frame
            assert container.duration == pytest.approx(1e6 * len(times_of(path)) / 25, rel=0.02)
        assert not path.name.startswith(".")
        named = time.strptime(path.stem[:15], "%Y%m%d-%H%M%S")
        assert abs(time.mktime(named) - path.stat().st_mtime) < 60
    assert len({path.name for path in segments}) == 5, "several in one second, as when a clock is set back"


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_other_containers(tmp_path: Path, suffix: str) -> None:
    record(f"{tmp_path}/cam_%Y%m%d-%H%M%S{suffix}", 60)
    assert pictures_of(tmp_path, f"cam_*{suffix}") == [25, 25, 10]


def test_a_new_size_begins_a_new_segment(tmp_path: Path) -> None:
    sink = LiveSink([f"{tmp_path}/"], HALF_SECONDS)
    for frame in [*moving(30), *moving(10, first=30, width=160, height=96)]:
        sink.write(frame)
    written(sink)
    sink.close(30)
    assert pictures_of(tmp_path) == [25, 5, 10]


def test_the_last_segment_does_not_wait_for_the_camera(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.live.outputs.open._REST_S", 0.3)
    sink = LiveSink([f"{tmp_path}/"], HALF_SECONDS)
    try:
        for frame in moving(30):
            sink.write(frame)
        until(lambda: sum(pictures_of(tmp_path, "[0-9]*.mp4")) == 30, "all of them in complete segments")
        for frame in moving(10, first=25 * 60):
            sink.write(frame)
        written(sink)
    finally:
        sink.close(30)
    assert sum(pictures_of(tmp_path)) == 40
    assert max(times_of(path)[-1] for path in tmp_path.iterdir()) < 1.0, "the time without pictures is in none of them"


def test_folders_by_day_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    day = tmp_path / "2020-01-02"
    day.mkdir()
    old, foreign = day / "cam_030405.mp4", tmp_path / "2020-01-02.mp4"
    for path in (old, foreign):
        path.write_bytes(b"x" * 1000)
        os.utime(path, (0, 0))
    settings = LiveSinkSettings(key_every_s=0.5, segment_s=1.0, keep=Keep(seconds=3600))
    record(f"{tmp_path}/%Y-%m-%d/cam_%H%M%S.mp4", 60, settings)
    assert not day.exists()
    assert foreign.exists()
    assert pictures_of(tmp_path, "*/cam_*.mp4") == [25, 25, 10]


def test_keep_by_size_deletes_the_oldest_and_nothing_else(tmp_path: Path) -> None:
    names = segment_names(f"{tmp_path}/cam_%Y%m%d-%H%M%S.mp4")
    own = [tmp_path / f"cam_2024010{n}-000000.mp4" for n in range(1, 6)]
    others = [
        tmp_path / name
        for name in ("cam_20240101-000000.txt", "dam_20240101-000000.mp4", "cam_2024.mp4", ".cam_20240101-000000.mp4")
    ]
    for age, path in enumerate([*own, *others]):
        path.write_bytes(b"x" * 1000)
        os.utime(path, (1000 + age, 1000 + age))
    (tmp_path / "cam_20240109-000000.mp4").symlink_to(others[0])
    SegmentFolder(names, Keep(bytes=2500)).prune()
    assert [path for path in own if path.exists()] == own[3:]
    assert all(path.exists() for path in others)
    SegmentFolder(names, Keep(bytes=1)).prune()
    assert [path for path in own if path.exists()] == own[4:], "the newest stays whatever its size"


class Clocks:
    """For the module of segments: what the wall says, and what passed."""

    def __init__(self) -> None:
        self.passed, self.wall = 1000.0, 1_700_000_000.0

    def monotonic(self) -> float:
        return self.passed

    def time(self) -> float:
        return self.wall

    def localtime(self, moment: float) -> time.struct_time:
        return time.localtime(moment)

    def go(self, seconds: float) -> None:
        self.passed, self.wall = self.passed + seconds, self.wall + seconds


@pytest.mark.parametrize(("step", "before"), [(-3600.0, 3), (8 * 86_400.0, 1)])
@pytest.mark.parametrize("keep", [Keep(bytes=3500), Keep(seconds=290)])
def test_a_clock_that_is_set_deletes_no_recording_before_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: float, before: int, keep: Keep
) -> None:
    clocks = Clocks()
    monkeypatch.setattr(module, "time", clocks)
    monkeypatch.setattr(module, "_STARTED", clocks.wall - clocks.passed)
    names = segment_names(f"{tmp_path}/")

    def made(name: str) -> Path:
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(b"x" * 1000)
        os.utime(path, (clocks.wall, clocks.wall))
        return path

    paths = [made("20240101-000000")]  # of a run before
    clocks.go(100)
    paths.append(made("20240101-000001"))
    folder = SegmentFolder(names, keep)
    for number in range(8):
        clocks.go(100)
        if number == before:
            clocks.wall += step
        if number == 5:
            folder = SegmentFolder(names, keep)  # the stream has started again
        paths.append(made(f"20240102-00000{number}"))
        folder.completed(paths[-1])
        folder.prune()
        assert [path for path in paths if path.exists()] == paths[-3:], f"after {number}"


def test_a_full_disk_is_waited_for_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full, real = [False], os.write

    def write(file: int, data: bytes) -> int:
        if full[0] and "/recordings/" in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(file, data)

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc to know what is written to")
    monkeypatch.setattr("stream.live.outputs.growing.os.write", write)
    events: list[OutputEvent] = []
    sink = LiveSink([f"{tmp_path}/recordings/", f"{tmp_path}/other/"], HALF_SECONDS, events.append)
    segments, file = sink.outputs
    frames = moving(10_000)
    fed = 0

    def feed(count: int) -> None:
        nonlocal fed
        for _ in range(count):
            sink.write(next(frames))
        fed += count
        until(lambda: file.in_flight == 0, "written")

    feed(40)
    full[0] = True
    while segments.state is not OutputState.WAITING:
        feed(5)
    feed(20)
    full[0] = False
    while segments.state is not OutputState.WRITING:
        feed(2)
        time.sleep(0.02)
    feed(30)
    written(sink)
    sink.close(30)
    assert any("the disk is full" in event.error for event in events), events
    assert segments.reconnects == 1
    assert segments.offered == segments.written + segments.dropped.total()
    assert segments.dropped["reconnecting"] > 0
    assert sum(pictures_of(tmp_path / "other")) == file.written == fed
    assert sum(pictures_of(tmp_path / "recordings")) == segments.written, "what a full disk took is counted as lost"
    first, *rest = sorted((tmp_path / "recordings").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert len(times_of(first)) == 25
    assert all(times_of(path)[0] == 0 for path in rest)


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    sink = LiveSink([f"{folder}/"], HALF_SECONDS)
    frames = moving(200)
    for _ in range(30):
        sink.write(next(frames))
    written(sink)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    for frame in frames:
        sink.write(frame)
    written(sink)
    sink.close(30)
    assert folder.is_dir()
    assert sink.outputs[0].in_flight == 0


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from live_frames import moving
from stream.live.sink import LiveSink, LiveSinkSettings
sink = LiveSink([{target!r}], LiveSinkSettings(key_every_s=0.5, segment_s=3600))
for frame in moving(10**6):
    sink.write(frame)
    print(sink.outputs[0].written, flush=True)
    time.sleep(0.005)
"""


def test_a_killed_program_loses_one_fragment_at_most_and_the_next_run_finds_the_rest(tmp_path: Path) -> None:
    target = f"{tmp_path}/cam_%Y%m%d-%H%M%S.mp4"
    code = KILLED.format(tests=str(Path(__file__).parent), target=target)
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        lines = iter(program.stdout.readline, "")
        reported = next(int(line) for line in lines if int(line) >= 40)
        (partial,) = tmp_path.iterdir()
        assert segment_names(target).unfinished() == [partial]
        while_it_runs = LiveSink([target], HALF_SECONDS)
        while_it_runs.close(10)
        assert partial.exists(), "another program still writes it"
    finally:
        program.send_signal(signal.SIGKILL)
        program.communicate()
    assert partial.name.startswith(".")
    left = len(times_of(partial))
    assert left >= reported - 13
    record(target, 5)
    assert not partial.exists()
    assert sorted(pictures_of(tmp_path)) == [5, left]


@given(
    moment=st.floats(0, 4e9), target=st.sampled_from(["x/", "c_%Y%m%d%H%M%S.mkv", "%Y/%m/%d-%H%M%S.ts", "a.b_%j.mp4"])
)
def test_names_are_recognised(moment: float, target: str) -> None:
    import re

    from stream.live.outputs.segment_names import _expression

    names = segment_names(target)
    name = names.name_at(moment)
    again = name.with_name(f"{name.stem}-2{name.suffix}")
    for path in (name, again):
        assert re.fullmatch(_expression(names.pattern), path.relative_to(names.root).as_posix())


def test_what_segments_mean_to_a_plain_name(tmp_path: Path) -> None:
    assert segment_names("night.mp4").pattern == "night_%Y%m%d-%H%M%S.mp4"
    assert segment_names(str(tmp_path)).root == tmp_path
    with pytest.raises(UnsupportedUri, match="%Q"):
        segment_names("a_%Q.mp4")
    with pytest.raises(StreamError):
        LiveSink(["a_%Y.wav"], HALF_SECONDS)
