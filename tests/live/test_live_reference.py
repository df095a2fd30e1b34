"""The reference configuration and the operating manual say what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from live_service_fakes import FakeStream, FakeView, stats

from stream.live.configuration import PROCESS_KEYS, read_configuration
from stream.live.metrics import PREFIX, STREAM_STATES, exposition
from stream.live.outputs.output import OutputState
from stream.live.run import CHANGEABLE
from stream.live.state import SourceState
from stream.live.yaml_lines import read_yaml
from stream.settings import Settings
from stream.telemetry import LatencyHistogram

DOCS = Path(__file__).parent.parent.parent / "docs"
REFERENCE = DOCS / "streams.yaml"
MANUAL = (DOCS / "live.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _camera(monkeypatch):
    monkeypatch.setenv("CAMERA_USER", "viewer")
    monkeypatch.setenv("CAMERA_PASSWORD", "made up by a test")


def test_the_reference_is_a_good_file_and_its_defaults_are_the_defaults():
    configuration = read_configuration(REFERENCE)
    assert configuration.process == Settings()
    door, other = configuration.streams
    said = {"when": "dark", "segment": 600.0, "keep": "7d"}
    assert door.settings == Settings(**{**Settings().model_dump(), **said})
    assert other.settings == Settings(strength=0.8)


def test_the_reference_names_every_setting_once_and_in_its_place():
    document, problems = read_yaml(REFERENCE.read_text(encoding="utf-8"))
    assert not problems
    top = document.value
    assert isinstance(top, dict)
    assert set(PROCESS_KEYS) == set(top) - {"defaults", "streams"}
    defaults = top["defaults"].value
    assert isinstance(defaults, dict)
    assert set(defaults) == set(Settings.model_fields) - {*PROCESS_KEYS, "output"}
    assert list(defaults)[: len(CHANGEABLE)] == sorted(CHANGEABLE, key=list(defaults).index)


def test_every_option_of_the_reference_has_a_comment_of_its_own():
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"(  )?[a-z_]+: \S", line) and "rtsp" not in line:
            assert lines[number - 1].lstrip().startswith("#"), line


def test_the_manual_names_every_state_metric_and_setting_that_can_change():
    words = set(re.findall(r"`([^`]+)`", MANUAL))
    assert {*STREAM_STATES, *(s.value for s in SourceState), *(s.value for s in OutputState)} <= words
    assert set(CHANGEABLE) <= words
    stream = FakeStream(stats())
    stream.histograms["enhance"] = LatencyHistogram()
    page = exposition(FakeView(stream))()
    families = re.findall(rf"^# TYPE {PREFIX}(\S+?)(?:_total)? ", page, re.MULTILINE)
    assert len(families) > 25
    missing = [name for name in families if name not in words]
    assert not missing


def test_the_unit_of_the_manual_runs_the_command_that_there_is():
    from stream.cli import app

    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {"run"} <= commands
    assert re.search(r"^ *ExecStart=\S+/stream-enhance run \S+/streams.yaml$", MANUAL, re.MULTILINE)
    assert "ExecReload=/bin/kill -HUP $MAINPID" in MANUAL
