"""One line for each event: parseable, held back when it repeats, and never with a password in it."""

from __future__ import annotations

import io
import logging
import os
import re
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO
from unittest.mock import patch
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from live_service_fakes import PATIENCE_S

from stream import redaction
from stream.live.log import EventLog, LogHandler
from stream.live.log_lines import BackgroundLines
from stream.live.state import SourceState
from stream.media.credentials import fill_in

_PAIR = re.compile(r'([\w.]+)=("(?:\\.|[^"\\])*"|[^\s"]+)(?: |$)')


def parsed(line: str) -> dict[str, str]:
    """A logfmt line; every character of it must belong to a pair."""
    pairs = _PAIR.findall(line)
    assert _PAIR.sub("", line) == ""
    return {name: _unquoted(value) for name, value in pairs}


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lines_of(out: io.StringIO) -> list[dict[str, str]]:
    return [parsed(line) for line in out.getvalue().splitlines()]


def test_an_event_is_one_line_of_pairs():
    out = io.StringIO()
    EventLog(out)(
        "source",
        stream="door",
        level="warning",
        state=SourceState.STALLED,
        fps=24.5,
        ok=True,
        none=None,
        text='a "b" c=d',
    )
    (line,) = lines_of(out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "warning", "stream": "door", "event": "source", "state": "stalled", "fps": "24.5", "ok": "true",
        "text": 'a "b" c=d',
    }  # fmt: skip


def test_what_repeats_is_counted_and_told_by_the_next_line():
    out, clock = io.StringIO(), Clock()
    log = EventLog(out, burst=2, window_s=10.0, clock=clock)
    for number in range(7):
        log("drop", stream="a", number=number)
    log("drop", stream="b")
    log("other", stream="a")
    clock.now += 10.0
    log("drop", stream="a", number=7)
    assert [(line["stream"], line["event"], line.get("suppressed")) for line in lines_of(out)] == [
        ("a", "drop", None),
        ("a", "drop", None),
        ("b", "drop", None),
        ("a", "other", None),
        ("a", "drop", "5"),
    ]


def test_an_output_that_flaps_does_not_hide_the_loss_of_another():
    out, clock = io.StringIO(), Clock()
    log = EventLog(out, burst=2, window_s=10.0, clock=clock)
    for _ in range(5):
        log("output", stream="a", state="waiting", uri="a.mp4")
    log("output", stream="a", state="waiting", uri="rtsp://server/a")
    clock.now += 10.0
    log.flush()
    assert [(line["uri"], line.get("suppressed")) for line in lines_of(out)] == [
        ("a.mp4", None),
        ("a.mp4", None),
        ("rtsp://server/a", None),
        ("a.mp4", "3"),
    ]


def test_what_must_not_be_held_back_is_written_however_much_it_is():
    out = io.StringIO()
    log = EventLog(out, burst=2)
    for number in range(9):
        log("reload", state="refused", error=number, held_back=False)
    assert [line["error"] for line in lines_of(out)] == [str(number) for number in range(9)]


def test_what_was_held_back_is_told_also_when_nothing_follows():
    out, clock = io.StringIO(), Clock()
    log = EventLog(out, burst=1, window_s=10.0, clock=clock)
    for _ in range(4):
        log("drop", stream="a", level="warning")
    log.flush()
    assert len(lines_of(out)) == 1
    clock.now += 10.0
    log.flush()
    log.flush()
    assert [line.get("suppressed") for line in lines_of(out)] == [None, "3"]
    log("drop", stream="a")
    log("drop", stream="a")
    log.flush(everything=True)
    assert [line.get("suppressed") for line in lines_of(out)] == [None, "3", None, "1"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.floats(0, 5)), max_size=60))
def test_written_and_suppressed_are_all_that_happened(events):
    out, clock = io.StringIO(), Clock()
    log = EventLog(out, burst=3, window_s=10.0, clock=clock)
    for stream, event, pause in events:
        clock.now += pause
        log(event, stream=stream, own="1")
    log.flush(everything=True)
    lines = lines_of(out)
    told = sum("own" in line for line in lines) + sum(int(line.get("suppressed", 0)) for line in lines)
    assert told == len(events)


def test_levels_below_the_lowest_are_left_out():
    out = io.StringIO()
    log = EventLog(out, lowest="warning")
    log("a", level="info")
    log("b", level="error")
    assert [line["event"] for line in lines_of(out)] == ["b"]


def test_a_closed_pipe_stops_nobody():
    out = io.StringIO()
    out.close()
    EventLog(out)("a")


def test_control_characters_forge_no_line():
    out = io.StringIO()
    EventLog(out)("a", text="x\nlevel=error event=forged\x1b[2J\r\u2028y\x00", **{"odd name\n=": 1})
    assert len(out.getvalue().splitlines()) == 1
    assert set(parsed(out.getvalue().rstrip("\n"))) == {"time", "level", "event", "text", "odd_name__"}


def test_threads_write_whole_lines():
    out = io.StringIO()
    log = EventLog(out, burst=10_000)

    def work(name: str) -> None:
        for number in range(100):
            log("event", stream=name, number=number)

    threads = [threading.Thread(target=work, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(lines_of(out)) == 400


def test_what_libraries_log_comes_the_same_way():
    out = io.StringIO()
    handler = LogHandler(EventLog(out))
    logger = logging.getLogger("test.of.the.handler")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.warning("cannot open %s", "rtsp://me:hunter2x@h/x")
    finally:
        logger.removeHandler(handler)
    (line,) = lines_of(out)
    assert (line["event"], line["level"], line["text"]) == (
        "log.test.of.the.handler",
        "warning",
        "cannot open rtsp://***@h/x",
    )


_PASSWORD = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_categories=("Cc", "Cs", "Zs")), min_size=1
)


@settings(deadline=None, max_examples=100)
@given(_PASSWORD, st.sampled_from(["{}", "cannot open {}: refused", "'{}'", '"{}" and {}']), st.booleans())
def test_whatever_the_password_no_line_holds_it(password, sentence, encoded):
    secret = f"Zq{password}7k"
    assume("://" not in secret)
    spelled = quote(secret, safe="") if encoded else secret
    uri = f"rtsp://user:{spelled}@camera.example:554/live"
    out = io.StringIO()
    log = EventLog(out)
    with patch.object(redaction, "_SECRETS", redaction._Secrets()):  # else those of all examples add up
        fill_in(uri)  # as whatever opens it does
        log("source", stream="door", error=sentence.format(uri, uri), uri=uri, cause=OSError(uri))
        log(uri, stream=uri, **{uri: 1})
    text = out.getvalue()
    for held in (secret, quote(secret, safe=""), quote(secret), repr(secret)[1:-1]):
        assert held not in text
    assert "camera.example" in text


@pytest.mark.parametrize(
    "text", ["Authorization: Basic dXNlcjpodW50ZXIy", "rtsp://h/x?token=hunter2&a=1", "passphrase=hunter2"]
)
def test_other_forms_of_credentials_are_removed(text):
    out = io.StringIO()
    EventLog(out)("source", text=text)
    assert "hunter2" not in out.getvalue()
    assert "dXNlcjpodW50ZXIy" not in out.getvalue()


@contextmanager
def unread_pipe() -> Iterator[tuple[int, TextIO]]:
    """A pipe that is full, and its end to read from."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as out:
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        os.set_blocking(writer, True)
        try:
            yield reader, out
        finally:
            os.close(reader)  # whoever hangs in it gets an error


def test_a_reader_that_stops_keeps_nobody_waiting_and_what_he_missed_is_counted():
    with unread_pipe() as (reader, out):
        lines = BackgroundLines(out, most=10, lost=lambda number: f"lost {number}")
        log = EventLog(lines, burst=1000)
        caller = threading.Thread(target=lambda: [log("event", number=number) for number in range(100)], daemon=True)
        caller.start()
        caller.join(PATIENCE_S)
        assert not caller.is_alive()
        assert not lines.close(0.05)
        text = b""
        while b"lost" not in text:
            text += os.read(reader, 1 << 16)
        assert lines.close(PATIENCE_S)
        text += os.read(reader, 1 << 16) if select.select([reader], [], [], 0)[0] else b""
    told = text.decode().replace("x", "").splitlines()
    numbers = [int(parsed(line)["number"]) for line in told if "event=event" in line]
    lost = sum(int(line.split()[1]) for line in told if line.startswith("lost"))
    assert numbers == sorted(numbers)
    assert len(numbers) + lost == 100
    assert lost
    assert len(numbers) >= 10


def test_all_lines_are_written_at_the_end_and_no_thread_stays():
    out = io.StringIO()
    lines = BackgroundLines(out)
    log = EventLog(lines, burst=3)
    for number in range(5):
        log("event", number=number)
    assert log.close()
    assert [line.get("suppressed") for line in lines_of(out)] == [None, None, None, "2"]
    assert "log" not in {thread.name for thread in threading.enumerate()}
    log("late")
    assert log.close()
    assert lines_of(out)[-1]["event"] == "late"
