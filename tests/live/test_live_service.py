"""Several streams in one process: what one does is nobody else's business, and the file can change meanwhile."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_fakes import FakeNetwork, FakeSink, FakeSource, Injected, frame
from live_service_fakes import PATIENCE_S, FakeRun, config, wait_for

from stream.errors import ConnectionLost, DiskFull, ReadsHang
from stream.live.backoff import Backoff
from stream.live.configuration import Configuration, StreamConfig
from stream.live.log import EventLog
from stream.live.opening import open_live_source
from stream.live.reload import plan
from stream.live.run import LiveRun
from stream.live.service import Service, _reload, _serve, end, run_service
from stream.live.shared_models import SharedModels
from stream.live.signals import Signals
from stream.live.summary import RunState
from stream.live.supervised import SupervisedStream
from stream.live.systemd import READY, reloading, tell
from stream.settings import Settings

QUICK = Backoff(0.01, 0.02)
_USUAL = Settings()


def configuration(*configs: StreamConfig, **process) -> Configuration:
    return Configuration(Path("streams.yaml"), configs, Settings(**process))


# --- one stream under supervision


class Runs:
    """Makes fake runs and keeps them; errors in ``failures`` are raised first, one for each attempt."""

    def __init__(self, *failures: Exception) -> None:
        self.failures, self.made = list(failures), []

    def __call__(self, config, events) -> FakeRun:
        if self.failures:
            raise self.failures.pop(0)
        self.made.append(FakeRun(config))
        return self.made[-1]


@contextmanager
def supervised(runs: Callable, given: StreamConfig | None = None, **more) -> Iterator[tuple[SupervisedStream, list]]:
    told: list[tuple[str, dict]] = []
    stream = SupervisedStream(
        given or config(), runs, lambda event, **fields: told.append((event, fields)), backoff=QUICK, **more
    )
    stream.start()
    try:
        yield stream, told
    finally:
        stream.stop()
        assert stream.join(PATIENCE_S)
        assert stream.state in ("stopped", "failed")


def test_a_run_that_ends_is_followed_by_another():
    runs = Runs()
    with supervised(runs) as (stream, told):
        wait_for(lambda: stream.state == "running")
        runs.made[0].end(DiskFull("no space for rtsp://u:geheim77@h/x"))
        wait_for(lambda: len(runs.made) == 2)
        runs.made[1].end()
        wait_for(lambda: len(runs.made) == 3)
        assert stream.restarts == 2
        assert stream.last_error == "it ended by itself"
    errors = [fields["error"] for name, fields in told if name == "stream"]
    assert errors == ["no space for rtsp://***@h/x.", "it ended by itself"]


def test_after_good_health_the_first_pause_is_short_again():
    looks = []

    class Watched(Backoff):
        def healthy(self, now: float) -> None:
            looks.append(now)
            super().healthy(now)

    runs, told = Runs(*(RuntimeError(str(number)) for number in range(3))), []
    stream = SupervisedStream(
        config(),
        runs,
        lambda event, **fields: told.append(fields.get("retry_in_s")),
        backoff=Watched(0.01, 60.0, jitter=0.0, healthy_s=0.0),
    )
    stream.start()
    try:
        wait_for(lambda: len(looks) >= 2, "a look at the run")
        assert told == pytest.approx([0.01, 0.02, 0.04])
        runs.made[0].end(RuntimeError("after a while"))
        wait_for(lambda: len(runs.made) == 2)
        assert told == pytest.approx([0.01, 0.02, 0.04, 0.01])
        before = len(looks)
        runs.made[1].state = RunState.AWAY  # no health is seen while the source is away
        wait_for(lambda: runs.made[1].looks > 3)
        assert len(looks) <= before + 1
    finally:
        stream.stop()
        assert stream.join(PATIENCE_S)


def test_a_run_that_cannot_be_opened_is_tried_again():
    with supervised(Runs(RuntimeError("a"), ValueError("b"))) as (stream, _):
        wait_for(lambda: stream.state == "running")
        assert stream.restarts == 2


def test_a_source_that_was_given_up_as_the_file_says_stays_so():
    runs = Runs()
    with supervised(runs, config(give_up_after=5.0)) as (stream, told):
        wait_for(lambda: runs.made)
        runs.made[0].end(ConnectionLost("gone for 5 s"))
        wait_for(lambda: not stream.alive)
        assert (stream.given_up, stream.state, len(runs.made)) == (True, "failed", 1)
    assert told[-1][1]["state"] == "given_up"


def test_changes_reach_the_run_also_while_it_comes_up():
    opening = config(strength=0.2)
    stream: SupervisedStream

    def open_run(given: StreamConfig, events: object) -> FakeRun:
        if given is opening:
            stream.apply(config(strength=0.7), {"strength": 0.7})
        return runs(given, events)

    runs = Runs()
    with supervised(open_run, opening) as (stream, _):
        wait_for(lambda: runs.made and runs.made[0].changes)
        assert runs.made[0].changes == [{"strength": 0.7}]
        stream.apply(config(strength=0.9), {"strength": 0.9})
        assert runs.made[0].changes[-1] == {"strength": 0.9}
        runs.made[0].end(RuntimeError("x"))
        wait_for(lambda: len(runs.made) == 2)
        assert runs.made[1].config.settings.strength == 0.9


def test_one_that_replaces_another_waits_for_its_end():
    first_runs, runs = Runs(), Runs()
    with supervised(first_runs) as (first, _):
        wait_for(lambda: first.state == "running")
        with supervised(runs, after=(first,)) as (second, _):
            time.sleep(0.1)
            assert (runs.made, second.state) == ([], "starting")
            first.stop()
            wait_for(lambda: second.state == "running")


# --- the way from one configuration to another


def test_only_what_differs_is_touched():
    running = {
        "same": config("same"),
        "softer": config("softer", strength=1.0, denoise="auto"),
        "moved": config("moved", source="rtsp://a/1"),
        "other": config("other", codec="libx264"),
        "gone": config("gone"),
    }
    wanted = configuration(
        config("new"),
        config("same"),
        config("softer", strength=0.5, denoise="off", sam_every=9, network_every=4, when="dark"),
        config("moved", source="rtsp://a/2"),
        config("other", codec="libx265", strength=0.5),
        metrics="9100",
    )
    found = plan(running, Settings(), wanted)
    assert [each.name for each in found.added] == ["new"]
    assert found.removed == ("gone",)
    assert [each.name for each in found.restarted] == ["moved", "other"]
    ((adjusted, changes),) = found.adjusted
    assert adjusted.name == "softer"
    assert changes == {"strength": 0.5, "denoise": "off", "sam_every": 9, "network_every": 4, "when": "dark"}
    assert found.at_next_start == ("metrics",)


_VALUES = [
    {"source": source, "strength": strength, "codec": codec}
    for source in ("testsrc:", "rtsp://h/1")
    for strength in (0.5, 1.0)
    for codec in ("libx264", "libx265")
]
_CONFIGS = {(name, index): config(name, **_VALUES[index]) for name in "abcd" for index in range(len(_VALUES))}
_FILES = st.dictionaries(st.sampled_from("abcd"), st.integers(0, len(_VALUES) - 1))


@settings(deadline=None, max_examples=60)
@given(_FILES, _FILES)
def test_whatever_the_files_every_stream_is_in_one_part_of_the_plan(before, after):
    running = {name: _CONFIGS[name, index] for name, index in before.items()}
    found = plan(running, _USUAL, Configuration(Path("a"), tuple(_CONFIGS[each] for each in after.items()), _USUAL))
    added, restarted = ({each.name for each in part} for part in (found.added, found.restarted))
    adjusted = {each.name for each, _ in found.adjusted}
    assert len(added) + len(restarted) + len(adjusted) == len(added | restarted | adjusted)
    assert added == set(after) - set(before)
    assert set(found.removed) == set(before) - set(after)
    for name in set(before) & set(after):
        old, new = _VALUES[before[name]], _VALUES[after[name]]
        interrupted = (old["source"], old["codec"]) != (new["source"], new["codec"])
        assert (name in restarted) == interrupted
        assert (name in adjusted) == (not interrupted and old != new)
    assert all(changes == {"strength": _VALUES[after[each.name]]["strength"]} for each, changes in found.adjusted)


@contextmanager
def service_of(runs: Callable, *configs: StreamConfig) -> Iterator[tuple[Service, io.StringIO]]:
    out = io.StringIO()
    service = Service(configuration(*configs), EventLog(out), open_run=runs)
    service.start()
    try:
        yield service, out
    finally:
        service.stop()
        assert service.join(PATIENCE_S)


def test_a_reload_changes_restarts_adds_and_removes_and_leaves_the_rest():
    runs = Runs()
    with service_of(runs, config("a"), config("b"), config("c"), config("d")) as (service, out):
        wait_for(lambda: len(runs.made) == 4)
        before = {run.config.name: run for run in runs.made}
        service.reload(configuration(config("a"), config("b", strength=0.5), config("c", codec="libx265"), config("e")))
        wait_for(lambda: len(runs.made) == 6)
        after = {run.config.name: run for run in runs.made[4:]}
        assert set(after) == {"c", "e"}
        assert [stream.name for stream in service.streams] == ["a", "b", "c", "e"]
        assert before["b"].changes == [{"strength": 0.5}]
        assert [before[name].error for name in "abcd"] == [None] * 4
        assert [before[name].join(0) for name in "abcd"] == [False, False, True, True]
        assert "event=reload state=done added=e removed=d restarted=c changed=b" in out.getvalue()
        service.turn()
        assert service.problems() == []


def test_a_reload_tries_again_what_was_given_up():
    runs = Runs()
    with service_of(runs, config("a", give_up_after=1.0), config("b")) as (service, _):
        wait_for(lambda: len(runs.made) == 2)
        assert not service.over
        next(run for run in runs.made if run.config.name == "a").end(ConnectionLost("gone"))
        wait_for(lambda: service.streams[0].given_up)
        assert not service.over
        assert service.problems() == []
        service.reload(configuration(config("a", give_up_after=1.0), config("b")))
        wait_for(lambda: len(runs.made) == 3)
        assert not service.streams[0].given_up


def test_the_process_is_unwell_when_its_loop_stands_still_or_a_supervisor_is_gone():
    now = [0.0]
    runs = Runs()
    service = Service(configuration(config("a")), EventLog(io.StringIO()), open_run=runs, clock=lambda: now[0])
    service.start()
    assert service.problems() == []
    now[0] = 60.0
    assert service.problems() == ["the main loop has not turned for 60 s"]
    service.turn()
    assert service.problems() == []
    service.streams[0].stop()
    assert service.join(PATIENCE_S)
    assert service.problems() == ["nobody looks after stream a"]


def test_reads_that_hang_make_the_process_unwell_and_nothing_is_tried_until_they_come_back():
    hanging = threading.Event()
    hanging.set()
    error = ReadsHang("usb: 4 reads hang", do="Restart the process")
    error.hanging = hanging.is_set
    runs = Runs()
    service = Service(configuration(config("usb")), EventLog(io.StringIO()), open_run=runs)
    service.start()
    try:
        wait_for(lambda: runs.made)
        runs.made[0].end(error)
        wait_for(lambda: service.problems())
        assert service.problems() == ["stream usb: usb: 4 reads hang. Restart the process."]
        time.sleep(1.5)
        assert len(runs.made) == 1
        hanging.clear()
        wait_for(lambda: len(runs.made) == 2)
        assert service.problems() == []
    finally:
        service.stop()
        assert service.join(PATIENCE_S)


# --- isolation


def test_a_crash_and_a_dead_camera_touch_no_other_stream():
    """One stream's enhancer raises at every frame, one's camera refuses, one's output cannot be opened, one is fine."""

    def crash(given):
        raise Injected("in the enhancer")

    sources: dict[str, FakeSource] = {}
    sinks: dict[str, FakeSink] = {}

    def open_source(given, events):
        if given.name == "refused":
            return open_live_source(given, events)
        sources[given.name] = FakeSource()
        return sources[given.name]

    def open_sink(given, events):
        if given.name == "unwritable":
            raise DiskFull("no space")
        sinks[given.name] = FakeSink()
        return sinks[given.name]

    def open_run(given, events):
        network = FakeNetwork(crash) if given.name == "crashing" else FakeNetwork()
        return LiveRun(given, network, events=events, open_source=open_source, open_sink=open_sink)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    names = ("crashing", "refused", "unwritable", "healthy")
    configs = [config(name, f"rtsp://127.0.0.1:{port}/{name}", staleness=60.0) for name in names]
    with service_of(open_run, *configs) as (service, out):
        streams = {stream.name: stream for stream in service.streams}
        wait_for(lambda: {"crashing", "healthy"} <= set(sources))
        number = 0
        while not (streams["crashing"].restarts and streams["unwritable"].restarts and number > 60):
            number += 1
            sources["healthy"].feed(frame(number))
            sources["crashing"].feed(frame(number))
            wait_for(lambda: len(sinks["healthy"].written) == number, f"frame {number}")  # noqa: B023
            time.sleep(0.01)
        figures = streams["healthy"].stats()
        assert figures is not None
        assert (figures.frames_in, figures.frames_out, figures.dropped) == (number, number, {})
        assert streams["healthy"].restarts == streams["refused"].restarts == 0
        wait_for(lambda: streams["refused"].stats().source.last_error)  # type: ignore[union-attr]
        assert "nothing listens" in streams["refused"].stats().source.last_error  # type: ignore[union-attr]
        assert "in the enhancer" in streams["crashing"].last_error
        service.turn()
        assert service.problems() == []
    assert "stream=crashing event=stream state=restarting" in out.getvalue()


def test_an_output_that_cannot_begin_keeps_its_stream_from_nothing(tmp_path):
    (tmp_path / "file").touch()
    given = config("a", "testsrc:size=320x180,fps=10", (f"{tmp_path}/file/x.mkv", "null:"), strength=0, sam="off")
    service = Service(configuration(given), EventLog(io.StringIO()))
    service.start()
    try:
        wait_for(lambda: service.streams[0].state == "running" or service.streams[0].last_error, "the stream")
        assert service.streams[0].last_error == ""

        def states() -> list[str]:
            figures = service.streams[0].stats()
            return [output.state for output in figures.outputs] if figures else []

        wait_for(lambda: states() == ["waiting", "writing"], "the outputs")
    finally:
        service.stop()
        assert service.join(PATIENCE_S)


def test_streams_that_name_the_same_network_share_it_and_their_thumbnails_go_through_it():
    service: Service
    sources = {name: FakeSource() for name in ("a", "b", "c")}

    def open_run(given, events):
        network = service.models.soon(given.settings)
        source = sources[given.name]
        return LiveRun(given, network, events=events, open_source=lambda *_: source, open_sink=lambda *_: FakeSink())

    service = Service(
        configuration(*(config(name, denoise="off", network_every=1, staleness=60.0) for name in sources)),
        EventLog(io.StringIO()),
        open_run=open_run,
    )
    service.start()
    try:
        for number in range(8):
            for source in sources.values():
                source.feed(frame(number, size=(320, 180), luma=30))
        wait_for(lambda: all(_written(stream) == 8 for stream in service.streams), "the last frame")
        assert service.models.loaded == 1
        _, thumbnails = service.models.batches()
        assert thumbnails >= 3 * 8
    finally:
        service.stop()
        assert service.join(PATIENCE_S)


def test_the_interpreter_waits_for_networks_that_are_loading():
    """A daemon that is inside a library in C++ at the end would take the process down with it."""
    models, loading = SharedModels(), []

    def ask() -> None:
        future = models.soon(Settings())
        loading.extend(thread.daemon for thread in threading.enumerate() if thread.name == "load")
        future.result(PATIENCE_S)

    supervisor = threading.Thread(target=ask, daemon=True)
    supervisor.start()
    supervisor.join(PATIENCE_S)
    assert loading == [False]


def _written(stream: SupervisedStream) -> int:
    figures = stream.stats()
    return figures.frames_out + sum(figures.dropped.values()) if figures else 0


class Deaf(FakeRun):
    """Ends only when it is aborted."""

    def stop(self) -> None:
        pass


def test_a_second_signal_ends_what_does_not_end_by_itself():
    service = Service(configuration(config("a")), EventLog(io.StringIO()), open_run=lambda given, _: Deaf(given))
    service.start()
    wait_for(lambda: service.streams[0].state == "running")
    with Signals() as signals:
        signal.raise_signal(signal.SIGTERM)
        wait_for(lambda: signals.ending)
        assert (signals.ending, signals.again, signals.wants_reload()) == (signal.SIGTERM, False, False)
        signal.raise_signal(signal.SIGHUP)
        assert (signals.wants_reload(), signals.wants_reload()) == (True, False)
        signal.raise_signal(signal.SIGTERM)
        start = time.monotonic()
        assert end(service, signals, EventLog(io.StringIO())) == 0
        assert time.monotonic() - start < PATIENCE_S
    assert service.join(PATIENCE_S)


# --- systemd


def test_systemd_is_told_where_it_asks(tmp_path, monkeypatch):
    tell(READY)  # nobody asks
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(PATIENCE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        tell(READY)
        assert listener.recv(100) == b"READY=1"
        tell(reloading())
        assert re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=\d+", listener.recv(100))
    os.unlink(address)
    tell(READY)  # it has gone


class Turns:
    """Signals that end a service after some turns of its main loop."""

    def __init__(self, left: int) -> None:
        self.left, self.ending, self.again = left, 0, False

    def wait(self, timeout: float) -> None:
        self.left -= 1
        self.ending = signal.SIGTERM if self.left <= 0 else 0

    def wants_reload(self) -> bool:
        return False


@pytest.mark.parametrize("problems", [[], ["nobody looks after stream a"]])
def test_systemd_hears_that_the_process_lives_only_while_it_is_well(tmp_path, monkeypatch, problems):
    service = Service(configuration(config("a")), EventLog(io.StringIO()), open_run=Runs())
    monkeypatch.setattr(service, "problems", lambda: problems)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        assert _serve(service, Turns(3), tmp_path / "streams.yaml", EventLog(io.StringIO())) == 0  # type: ignore[arg-type]
        told = _told(notified)
    assert told == {"READY=1", "STOPPING=1"} | (set() if problems else {"WATCHDOG=1"})


# --- the whole process

YAML = """\
metrics: 127.0.0.1:{port}
summary: {folder}/summary.json
defaults:
  sam_every: off
  overwrite: true
streams:
  door:
    source: testsrc:size=320x180,fps=10
    outputs: ["null:", {folder}/door.ts]
    strength: {strength}
  dead:
    source: rtsp://cam:hunter2secret@127.0.0.1:{dead}/x
    outputs: "null:"
"""
_COMMAND = "import sys; from stream.cli import main; sys.argv[1:1] = ['run']; sys.exit(main())"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def get(url: str) -> tuple[int, str]:
    """Status and text; (0, "") where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen, str, Callable[..., None], Path, socket.socket]]:
    """A process with its address, a way to write its file anew, its log, and the socket where it notifies systemd."""
    port, dead = free_port(), free_port()
    file, said = tmp_path / "streams.yaml", tmp_path / "log"

    def write(strength: object = 1.0) -> None:
        file.write_text(YAML.format(port=port, dead=dead, folder=tmp_path, strength=strength))

    write()
    with said.open("w") as err, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        child = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, str(file)],
            stderr=err,
            stdout=err,
            cwd=Path(__file__).parent.parent.parent,
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        )
        try:
            yield child, f"http://127.0.0.1:{port}", write, said, notified
        finally:
            child.kill()
            child.wait(PATIENCE_S)


def test_a_process_serves_reloads_refuses_and_ends_well(process, tmp_path):
    child, url, write, said, notified = process
    wait_for(lambda: get(f"{url}/readyz?stream=door")[0] == 200 or child.poll() is not None, "the stream")
    assert child.poll() is None, said.read_text()
    assert get(f"{url}/healthz")[0] == 200
    status, text = get(f"{url}/readyz")
    assert (status, json.loads(text)["streams"]["dead"]["source"]) == (503, "reconnecting")
    written = 'stream_enhance_output_frames_written_total{output="null:",stream="door"}'
    page = get(f"{url}/metrics")[1]
    wait_for(lambda: _sample(get(f"{url}/metrics")[1], written) > _sample(page, written), "another frame")
    assert 'stream_enhance_source_state{state="reconnecting",stream="dead"} 1.0' in page

    write(strength=0.25)
    child.send_signal(signal.SIGHUP)
    wait_for(lambda: "stream=door event=settings strength=0.25" in said.read_text(), "the reload")
    wait_for(lambda: "event=reload state=done changed=door" in said.read_text(), "the end of the reload")

    write(strength=7)
    child.send_signal(signal.SIGHUP)
    wait_for(lambda: "state=refused" in said.read_text(), "the refusal")
    assert "streams.yaml:10: streams.door.strength: 7 is not in 0..1" in said.read_text()
    assert get(f"{url}/readyz?stream=door")[0] == 200
    assert _sample(get(f"{url}/metrics")[1], 'stream_enhance_stream_restarts_total{stream="door"}') == 0

    wait_for(lambda: _sample(get(f"{url}/metrics")[1], written) > 12, "a dozen frames")
    assert _told(notified) >= {"READY=1", "WATCHDOG=1", "RELOADING=1"}
    child.send_signal(signal.SIGTERM)
    assert child.wait(PATIENCE_S) == 0
    assert "STOPPING=1" in _told(notified)
    assert "event=service state=stopped" in said.read_text()
    assert "state=aborted" not in said.read_text()
    with av.open(str(tmp_path / "door.ts")) as recorded:
        assert sum(1 for _ in recorded.decode(video=0)) > 5
    summaries = {summary["name"]: summary for summary in json.loads((tmp_path / "summary.json").read_text())}
    assert summaries["door"]["figures"]["frames_out"] > 5
    assert summaries["door"]["settings"]["strength"] == 0.25
    everything = said.read_text() + page + text + (tmp_path / "summary.json").read_text()
    assert "hunter2secret" not in everything
    assert "rtsp://***@127.0.0.1" in everything


def test_a_reader_of_the_log_that_stops_holds_up_neither_streams_nor_the_end(tmp_path):
    port, file = free_port(), tmp_path / "streams.yaml"
    file.write_text(
        f"metrics: {port}\ndefaults: {{strength: 0, sam: off}}\n"
        "streams: {a: {source: 'testsrc:size=320x180,fps=10', outputs: 'null:'}}"
    )
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        child = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, str(file)], stderr=writer, cwd=Path(__file__).parent.parent.parent
        )
        try:
            written = 'stream_enhance_frames_written_total{stream="a"}'
            wait_for(lambda: _sample(get(f"http://127.0.0.1:{port}/metrics")[1], written) > 3, "some frames")
            child.send_signal(signal.SIGTERM)
            assert child.wait(PATIENCE_S) == 0
        finally:
            child.kill()
            child.wait(PATIENCE_S)
    finally:
        os.close(reader)
        os.close(writer)


def _told(notified: socket.socket) -> set[str]:
    """What systemd was told since the last call."""
    told = set()
    with contextlib.suppress(BlockingIOError):
        while True:
            told |= {notified.recv(200, socket.MSG_DONTWAIT).decode().split("\n")[0]}
    return told


def _sample(page: str, name: str) -> float:
    return next((float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(f"{name} ")), 0.0)


def test_a_file_that_is_bad_ends_with_2_and_one_that_is_good_is_said_to_be(tmp_path, capsys):
    bad, good = tmp_path / "bad.yaml", tmp_path / "good.yaml"
    bad.write_text("streams:\n  a:\n    source: 'testsrc:'\n    outputs: 'null:'\n    strength: 2\n    whenn: dark\n")
    good.write_text("streams: {a: {source: 'testsrc:', outputs: 'null:'}}")
    assert run_service(bad) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"error: {bad}:5: streams.a.strength: 2 is not in 0..1",
        f"error: {bad}:6: streams.a.whenn: is unknown; did you mean when?",
    ]
    assert run_service(good, check=True) == 0
    assert capsys.readouterr().out == f"{good} is good: a\n"


@pytest.mark.parametrize(("left", "farewell"), [(True, ""), (False, "tidied up\n")])
def test_a_thread_that_is_stuck_in_a_library_neither_delays_nor_breaks_the_end(left, farewell):
    code = f"""
import atexit, sys, threading, time
from stream.cli import main
atexit.register(print, "tidied up")
if {left}:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
sys.argv = ["stream-enhance", "--no-such-option"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout) == (2, farewell)


def test_it_ends_with_1_when_every_source_was_given_up(tmp_path, capsys):
    file = tmp_path / "streams.yaml"
    file.write_text(
        f"defaults: {{give_up_after: 0.1}}\n"
        f"streams: {{a: {{source: 'rtsp://127.0.0.1:{free_port()}/x', outputs: 'null:'}}}}"
    )
    assert run_service(file) == 1
    said = capsys.readouterr().err
    assert "stream=a event=stream state=given_up" in said
    assert "event=service state=given_up" in said


def test_what_is_around_one_stream_refuses_the_file_neither_at_the_start_nor_at_a_reload(tmp_path, capsys):
    (tmp_path / "file").touch()
    file = tmp_path / "streams.yaml"
    file.write_text(
        f"defaults: {{give_up_after: 0.1, strength: 0}}\n"
        f"streams: {{a: {{source: 'rtsp://127.0.0.1:{free_port()}/x', outputs: ['null:', {tmp_path}/file/x.mkv]}}}}"
    )
    assert run_service(file) == 1, "given up, and not 2: refused"
    assert "level=warning event=configuration" in capsys.readouterr().err
    with service_of(Runs(), config("b")) as (service, out):
        _reload(service, file, service._log)
        assert [stream.name for stream in service.streams] == ["a"]
    assert "level=warning event=configuration" in out.getvalue()
    assert "event=reload state=done added=a removed=b" in out.getvalue()


def test_metrics_that_cannot_be_served_end_it_before_anything_starts(tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file = tmp_path / "streams.yaml"
        file.write_text(
            f"metrics: {taken.getsockname()[1]}\nstreams: {{a: {{source: 'testsrc:', outputs: {tmp_path}/a.ts}}}}"
        )
        assert run_service(file) == 1
    assert "metrics cannot be served" in capsys.readouterr().err
    assert not os.path.exists(tmp_path / "a.ts")
