"""``streams.yaml``: what a good file means, and that a bad one is told with line, key and what would be right."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines import onnx_runtime
from stream.live.configuration import PROCESS_KEYS, Configuration, ConfigurationError, StreamConfig, read_configuration
from stream.live.yaml_lines import read_yaml
from stream.redaction import redact
from stream.settings import Settings


def read(tmp_path: Path, text: str) -> Configuration:
    file = tmp_path / "streams.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return read_configuration(file)


def refused(tmp_path: Path, text: str) -> list[str]:
    """The problems of a file that is refused, without its folder."""
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert caught.value.exit_code == 2
    return [line.removeprefix(f"{tmp_path}/") for line in caught.value.lines]


def test_what_is_around_one_stream_is_a_warning_for_run_and_an_error_for_check(tmp_path):
    (tmp_path / "file").touch()
    text = f"""
        streams:
          good: {{source: "testsrc:", outputs: "null:"}}
          nas: {{source: "testsrc:", outputs: ["null:", "{tmp_path}/file/x.mp4"]}}
          secret: {{source: "rtsp://{{file:{tmp_path}/none}}@10.0.0.5/x", outputs: "null:"}}
        """
    found = refused(tmp_path, text)
    assert [line.split(": ")[1] for line in found] == ["streams.nas.outputs", "streams.secret.source"]
    configuration = read_configuration(tmp_path / "streams.yaml", strict=False)
    assert [config.name for config in configuration.streams] == ["good", "nas", "secret"]
    assert [line.removeprefix(f"{tmp_path}/") for line in configuration.warnings] == found
    refused(tmp_path, text + "\n          typo: {source: 'testsrc:', outputs: 'null:', strength: 2}")
    with pytest.raises(ConfigurationError, match=r"2 is not in 0..1"):
        read_configuration(tmp_path / "streams.yaml", strict=False)


def test_a_segmenter_and_an_engine_that_are_not_there_are_faults_of_their_lines(tmp_path):
    stream = "{source: 'testsrc:', outputs: 'null:', strength: 0"
    text = f"""
        streams:
          a: {stream}, sam: nosuch}}
          b: {stream}, engine: cuda}}
          c: {stream}, engine: ort-tensorrt}}
          d: {stream}, sam: nosuch, sam_every: off}}
          e: {stream}, engine: auto, sam: auto}}
        """
    if "CUDAExecutionProvider" in onnx_runtime.available():
        pytest.skip("this machine may have CUDA")
    first, *engines = refused(tmp_path, text)
    assert first.startswith("streams.yaml:3: streams.a.sam: no segmenter 'nosuch' is installed")
    assert [line[:26] for line in engines] == ["streams.yaml:4: streams.b.", "streams.yaml:5: streams.c."]
    assert all("engine: device '" in line and "Install onnxruntime-gpu" in line for line in engines)


def test_a_staleness_that_would_drop_every_frame_is_refused(tmp_path):
    text = "streams: {a: {source: 'testsrc:', outputs: 'null:', staleness: %s}}"
    assert refused(tmp_path, text % "1e-9") == ["streams.yaml:1: streams.a.staleness: 1e-9 is not in 0.02..60"]
    assert read(tmp_path, text % "0.02").streams[0].settings.staleness == 0.02


@pytest.mark.parametrize(
    ("source", "output", "circle"),
    [
        ("rtsp://127.0.0.1:8554/x", "rtsp://127.0.0.1:8554/x", True),
        ("rtsp://cam:word7@Server:8554/x", "rtsp://server:8554/x", True),
        ("udp://@239.0.0.1:5000?fifo_size=1000", "udp://239.0.0.1:5000", True),
        ("rtsp://127.0.0.1:8554/x", "rtsp://127.0.0.1:8554/X", False),
        ("rtsp://127.0.0.1:8554/x?channel=1", "rtsp://127.0.0.1:8554/x?channel=2", False),
        ("udp://127.0.0.1:5000", "udp://127.0.0.1:5001", False),
        ("testsrc:", "null:", False),
        ("live:{here}/a.mkv", "{here}/../{name}/a.mkv", True),
        ("live:{here}/a.mkv", "{here}/b.mkv", False),
    ],
)
def test_an_output_to_where_the_stream_comes_from_is_refused(tmp_path, source, output, circle):
    (tmp_path / "a.mkv").touch()
    source, output = (uri.format(here=tmp_path, name=tmp_path.name) for uri in (source, output))
    text = f"""
        streams:
          a:
            source: "{source}"
            outputs: ["null:", "{output}"]
            overwrite: true
        """
    if circle:
        assert refused(tmp_path, text) == [
            f"streams.yaml:5: streams.a.outputs: {redact(output)} is where this stream comes from"
        ]
    else:
        read(tmp_path, text)


def test_defaults_hold_for_all_and_streams_have_the_last_word(tmp_path):
    configuration = read(
        tmp_path,
        """
        metrics: 9100
        defaults:
          strength: 0.8
          denoise: off
          encoder_options: {tune: film, aq-mode: 3}
        streams:
          door:
            source: testsrc:size=320x180
            outputs: door.ts
          yard:
            source: rtsp://10.0.0.5/yard
            outputs: [rtsp://127.0.0.1:8554/yard, yard.mkv]
            strength: 0.5
            segment: 10m
            denoise: null
        """,
    )
    door, yard = configuration.streams
    assert (door.name, door.source, door.outputs) == ("door", "testsrc:size=320x180", ("door.ts",))
    assert (door.settings.strength, door.settings.denoise) == (0.8, "off")
    assert door.settings.encoder_options == {"tune": "film", "aq-mode": "3"}
    assert yard.outputs == ("rtsp://127.0.0.1:8554/yard", "yard.mkv")
    assert (yard.settings.strength, yard.settings.segment, yard.settings.denoise) == (0.5, 600.0, "auto")
    assert configuration.process.metrics == "9100"


def test_what_the_file_does_not_say_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAM_ENHANCE_STRENGTH", "0.25")
    monkeypatch.setenv("STREAM_ENHANCE_NETWORK_EVERY", "4")
    streams = "streams: {a: {source: 'testsrc:', outputs: 'null:', strength: 0.75}}"
    settings = read(tmp_path, streams).streams[0].settings
    assert (settings.strength, settings.network_every) == (0.75, 4)


def test_all_problems_are_told_at_once_with_line_key_and_allowed_values(tmp_path):
    lines = refused(
        tmp_path,
        """\
        metrics: 99999
        defauls: {}
        defaults:
          strenght: 0.5
          strength: 1.5
          source: x
        streams:
          front door:
            source: testsrc:colour=red
            outputs: [nulls:a]
          b:
            source: {CAM}
            output: x
            sam_every: -3
            crf: 99
            when: night
            key_every: much
            bitrate: lots
            quiet: true
            tile: 10
            model: none-such
          c:
            sauce: x
        """,
    )
    uris = [line for line in lines if ":9: " in line or ":10: " in line]
    assert "streams.yaml:9: streams.front door.source: testsrc: colour=red" in uris[0]
    assert "streams.yaml:10: streams.front door.outputs: nulls: " in uris[1]
    assert [line for line in lines if line not in uris] == [
        "streams.yaml:1: metrics: 99999 is not a port such as 9100, or HOST:PORT",
        "streams.yaml:2: defauls: is unknown; did you mean defaults?",
        "streams.yaml:4: defaults.strenght: is unknown; did you mean strength?",
        "streams.yaml:5: defaults.strength: 1.5 is not in 0..1",
        "streams.yaml:6: defaults.source: has no meaning for all streams at once: it stands with each",
        "streams.yaml:8: streams.front door: a name has letters, digits, '.', '_' and '-', 64 at most, no other signs",
        "streams.yaml:11: streams.b: has no outputs: give one URI or a list of them",
        "streams.yaml:12: streams.b.source: must be a URI; put it in quotes",
        "streams.yaml:13: streams.b.output: is called outputs here",
        "streams.yaml:14: streams.b.sam_every: -3 is not auto, off or N",
        "streams.yaml:15: streams.b.crf: 99 is not in 0..63",
        "streams.yaml:16: streams.b.when: night is not one of always, dark",
        "streams.yaml:17: streams.b.key_every: much is not a number in 0.1..60",
        "streams.yaml:18: streams.b.bitrate: lots is not a bit rate like 800k or 4M",
        "streams.yaml:19: streams.b.quiet: is set once for the process: it stands at the top of the file",
        "streams.yaml:20: streams.b.tile: 10 is too small for a tile, whose edges overlap: 64 or more, or 0",
        "streams.yaml:22: streams.c: has no source: give the URI of a camera or stream",
        "streams.yaml:22: streams.c: has no outputs: give one URI or a list of them",
        "streams.yaml:23: streams.c.sauce: is unknown; did you mean source?",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "streams.yaml:1: there are no streams: give at least one under the key streams"),
        ("streams:\n", "streams.yaml:1: there are no streams: give at least one under the key streams"),
        ("- a\n- b\n", "streams.yaml:1: must hold a file with the keys defaults and streams"),
        ("streams: [a]\n", "streams.yaml:1: streams: must hold streams by name"),
        ("streams:\n  a: text\n", "streams.yaml:2: streams.a: must hold a source, outputs and settings"),
        ("streams:\n  a: {source: [\n", "streams.yaml:3: this is no YAML: while parsing a flow"),
        ("a: 1\nb: gst: x\n", "streams.yaml:2: this is no YAML: mapping values are not allowed here; put a value in"),
        ("a: &x [*x]\n", "streams.yaml:1: a[0]: contains itself"),
        ("streams: {}\nstreams: {}\n", "streams.yaml:2: streams: is given twice, first in line 1"),
        ('debug: "\\ud800"\n', "streams.yaml:1: debug: holds half a character"),
        ("debug: !include x\n", "streams.yaml:1: debug: the tag !include means nothing here"),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path, text, line):
    assert any(problem.startswith(line) for problem in refused(tmp_path, text)), refused(tmp_path, text)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_configuration(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(ConfigurationError, match="no text in UTF-8"):
        read_configuration(tmp_path / "binary.yaml")


def test_models_that_do_not_exist_or_do_not_fit_are_told_before_anything_starts(tmp_path):
    lines = refused(
        tmp_path,
        """\
        defaults:
          model: none-such
        streams:
          a: {source: 'testsrc:night=0', outputs: 'null:'}
          b: {source: 'testsrc:night=1', outputs: 'null:', model: curve, mode: full}
        """,
    )
    assert "streams.yaml:2: defaults.model: no bundle 'none-such'" in lines[0]
    assert "streams.yaml:5: streams.b.model: mode full needs a model that draws pictures" in lines[1]


def test_what_can_only_be_read_is_no_output(tmp_path):
    lines = refused(tmp_path, "streams: {a: {source: 'testsrc:', outputs: ['https://h/x', 'testsrc:']}}")
    assert [line.rpartition("outputs: ")[2] for line in lines] == [
        "https://h/x can be read, not written to",
        "testsrc: can be read, not written to",
    ]


def test_two_streams_may_not_write_to_one_place(tmp_path):
    lines = refused(
        tmp_path,
        """\
        streams:
          a: {source: 'testsrc:night=0', outputs: ['null:', 'rtsp://u:geheim99@h/x']}
          b: {source: 'testsrc:night=1', outputs: ['null:', 'rtsp://u:geheim99@h/x']}
        """,
    )
    assert lines == ["streams.yaml:3: streams.b.outputs: rtsp://***@h/x is an output of stream a already"]


def test_files_are_no_live_sources_unless_they_are_played(tmp_path):
    clip = tmp_path / "clip.mp4"
    clip.touch()
    lines = refused(tmp_path, f"streams: {{a: {{source: {clip}, outputs: 'null:'}}}}")
    assert f"as live:{clip}" in lines[0]
    assert read(tmp_path, f"streams: {{a: {{source: 'live:{clip}', outputs: 'null:'}}}}").streams[0].name == "a"


def test_secrets_come_from_environment_and_files_and_are_missed_before_the_start(tmp_path, monkeypatch):
    monkeypatch.delenv("CAM_PASS", raising=False)
    secret = tmp_path / "secret"
    text = f"""\
        streams:
          a: {{source: 'rtsp://cam:{{CAM_PASS}}@h/x', outputs: 'null:'}}
          b: {{source: 'rtsp://cam:{{file:{secret}}}@h/x', outputs: 'null:'}}
        """
    lines = refused(tmp_path, text)
    assert "streams.yaml:2: streams.a.source: " in lines[0]
    assert "CAM_PASS" in lines[0]
    assert "streams.yaml:3: streams.b.source: " in lines[1]
    monkeypatch.setenv("CAM_PASS", "abrakadabra77")
    secret.write_text("simsalabim88\n")
    configuration = read(tmp_path, text)
    assert "abrakadabra77" not in redact("the password abrakadabra77") + repr(configuration)
    assert "simsalabim88" not in redact("the password simsalabim88") + repr(configuration)


def test_a_password_in_the_file_shows_up_nowhere(tmp_path):
    lines = refused(tmp_path, "streams: {a: {source: 'rtps://u:hunter2secret@h/x', outputs: 'null:'}}")
    assert "hunter2secret" not in str(lines)
    assert "rtps://***@h/x is no live source" in lines[0]
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, "streams: {a: {source: 'rtps://u:hunter2secret@h/x', outputs: 'null:'}}")
    assert "hunter2secret" not in f"{caught.value} {caught.value!r} {caught.value.problems}"
    config = StreamConfig("a", "rtsp://u:hunter2secret@h/x", ("rtsp://u:hunter2secret@h/y",), Settings())
    assert "hunter2secret" not in repr(config)


def test_anchors_and_merged_mappings_are_understood(tmp_path):
    configuration = read(
        tmp_path,
        """
        streams:
          a: &base {source: 'testsrc:night=0', outputs: 'null:', strength: 0.3, network_every: 5}
          b:
            <<: *base
            source: testsrc:night=1
            strength: 0.4
        """,
    )
    a, b = configuration.streams
    assert (a.settings.strength, b.settings.strength, b.settings.network_every) == (0.3, 0.4, 5)
    assert b.source == "testsrc:night=1"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_whatever_the_text_reading_it_ends_with_a_value_or_a_problem(text):
    document, problems = read_yaml(text)
    assert document.value is not None or problems or not document.value


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(list(Settings.model_fields)), st.text(max_size=8), max_size=4))
def test_whatever_is_given_to_settings_is_used_or_told(tmp_path_factory, values):
    folder = tmp_path_factory.mktemp("any")
    lines = "".join(f"      {name}: {_quoted(value)}\n" for name, value in values.items())
    file = folder / "streams.yaml"
    file.write_text(f"streams:\n  a:\n    source: 'testsrc:'\n    outputs: 'null:'\n{lines}".replace("      ", "    "))
    problems = problems_of(file)
    assert all(line.startswith(f"{file}:") for line in problems)
    assert problems or not set(values) & {*PROCESS_KEYS, "output"}


def problems_of(file: Path) -> list[str]:
    """Empty where the file is good."""
    try:
        assert len(read_configuration(file).streams) == 1
    except ConfigurationError as error:
        return error.lines
    return []


def _quoted(value: str) -> str:
    return json.dumps(value)


@pytest.mark.parametrize(
    ("stream", "line", "said"),
    [
        ("outputs: [x.avi]", 3, "outputs: x.avi: cannot write live video into .avi"),
        ("outputs: [recording]", 3, "outputs: recording: cannot write live video into a name without extension"),
        ("outputs: ['bar://q']", 3, "outputs: bar: is no address that can be read or written"),
        ("outputs: [/proc/x/y.mp4]", 3, "outputs: cannot write into /proc/x"),
        ("outputs: [streams.yaml/y.mp4]", 3, "is a file, not a folder"),
        ("outputs: [a.ts]\n    codec: libx999", 4, "codec: this build has no encoder named 'libx999'"),
        ("outputs: [a.ts]\n    preset: bogus", 4, "preset: libx264 has no preset 'bogus'"),
        ("outputs: ['rtmp://h/live/x']\n    codec: ffv1", 3, "cannot hold video of the encoder ffv1"),
        ("outputs: [cam_%Q.mp4]\n    segment: 10m", 3, "outputs: cam_%Q.mp4: names of segments take"),
        ("outputs: [a.mp4]\n    keep: 7d", 3, "outputs: --keep deletes old segments"),
        ("outputs: [a.mp4, 'null:', 'null:', ./a.mp4]", 3, "outputs: ./a.mp4 is an output of this stream already"),
        ("outputs:\n      - rec\n      - rec/\n    segment: 60", 5, "rec/ is an output of this stream already"),
    ],
)
def test_outputs_that_can_never_work_are_found_before_anything_is_opened(tmp_path, monkeypatch, stream, line, said):
    monkeypatch.chdir(tmp_path)
    (found,) = refused(tmp_path, f"streams:\n  a:\n    {stream}\n    source: 'testsrc:'\n")
    assert found.startswith(f"streams.yaml:{line}: streams.a."), found
    assert said in found
    assert [path.name for path in tmp_path.iterdir()] == ["streams.yaml"], "nothing was made"


def test_a_pipeline_that_can_never_work_is_found(tmp_path):
    (found,) = refused(tmp_path, "streams: {a: {source: 'testsrc:', outputs: 'gst:no_such_element_at_all'}}")
    assert "streams.a.outputs: " in found


def test_two_streams_with_one_file_under_two_names_are_told_at_the_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = refused(
        tmp_path,
        """\
        streams:
          a: {source: 'testsrc:night=0', outputs: same.mp4}
          b:
            source: testsrc:night=1
            outputs:
              - 'null:'
              - ./same.mp4
        """,
    )
    assert [line.partition("streams.yaml")[2] for line in lines] == [
        ":7: streams.b.outputs: ./same.mp4 is an output of stream a already"
    ]


def test_files_that_exist_and_folders_that_do_not_are_no_fault(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").touch()
    text = "streams: {a: {source: 'testsrc:', outputs: [a.mp4, new/folder/b.mkv, 'rtmp://h/live/x', hls/a.m3u8]}}"
    assert len(read(tmp_path, text).streams[0].outputs) == 4
    assert not (tmp_path / "new").exists()


def test_a_number_that_must_be_above_its_bound_is_told_both_bounds(tmp_path):
    (line,) = refused(tmp_path, "streams: {a: {source: 'testsrc:', outputs: 'null:', sam_share: 0}}")
    assert line.endswith("streams.a.sam_share: 0 is not a number above 0 and at most 1")
