"""The pages over real HTTP: who is well, who is ready, and who may ask."""

from __future__ import annotations

import http.client
import io
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from live_service_fakes import FakeStream, FakeView, stats

from stream.errors import StreamError
from stream.live.health import is_local, listening_address, serving
from stream.live.log import EventLog
from stream.live.summary import LiveStats, OutputFigures


@contextmanager
def served(view: FakeView, address: str = "127.0.0.1:0") -> Iterator[tuple[int, io.StringIO]]:
    out = io.StringIO()
    with serving(address, view, EventLog(out)) as port:
        assert port
        yield port, out


def get(port: int, path: str, method: str = "GET", host: str = "127.0.0.1") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read().decode()
    finally:
        connection.close()


def test_metrics_are_served_as_prometheus_wants_them():
    with served(FakeView(FakeStream(stats()))) as (port, _):
        status, kind, text = get(port, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'stream_enhance_frames_received_total{stream="door"} 110.0' in text
    assert "# TYPE stream_enhance_stage_seconds histogram" in text


def test_a_process_is_healthy_until_something_is_wrong_with_it():
    view = FakeView(FakeStream(None, "restarting"))
    with served(view) as (port, _):
        status, kind, text = get(port, "/healthz")
        assert (status, kind, json.loads(text)) == (
            200,
            "application/json; charset=utf-8",
            {"healthy": True, "problems": []},
        )
        view.troubles = ["the main loop has not turned for 20 s, rtsp://a:geheim77@h/x"]
        status, _, text = get(port, "/healthz")
    assert status == 503
    assert json.loads(text)["problems"] == ["the main loop has not turned for 20 s, rtsp://***@h/x"]


def test_ready_means_that_every_stream_runs_or_any_or_one():
    door, yard = FakeStream(stats()), FakeStream(None, "restarting", "yard")
    yard.last_error = "cannot open rtsp://me:hunter2x@camera/1"
    with served(FakeView(door, yard)) as (port, _):
        status, _, text = get(port, "/readyz")
        answer = json.loads(text)
        assert (status, answer["ready"]) == (503, False)
        assert answer["streams"]["door"]["outputs"] == {
            "rtsp://***@server/door": {"state": "writing", "written": 90},
            "door.mkv": {"state": "failed", "written": 40, "last_error": "the disk is full"},
        }
        assert answer["streams"]["door"]["last_error"] == "gone"
        assert answer["streams"]["yard"] == {
            "state": "restarting",
            "ready": False,
            "restarts": 0,
            "last_error": "cannot open rtsp://***@camera/1",
        }
        assert get(port, "/readyz?need=any")[0] == 200
        assert get(port, "/readyz?stream=door")[0] == 200
        assert get(port, "/readyz?stream=yard")[0] == 503
        assert get(port, "/readyz?stream=none")[0] == 503
        yard.state = "running"
        assert get(port, "/readyz")[0] == 200


def figures(**states: str) -> LiveStats:
    """Of a stream with these outputs."""
    names = {"null": "null:", "rtsp": "rtsp://***@server/door", "file": "door.mkv"}
    errors = {"waiting": "rtsp://u:hunter2x@server/door: nothing listens there"}
    return stats(
        outputs=tuple(
            OutputFigures(names[name], state, 9, 9, 0, {}, 0, errors.get(state, "")) for name, state in states.items()
        )
    )


@pytest.mark.parametrize(
    ("states", "ready"),
    [
        ({"rtsp": "waiting"}, False),
        ({"rtsp": "waiting", "null": "writing"}, False),
        ({"rtsp": "waiting", "file": "writing"}, True),
        ({"null": "writing"}, True),
        ({"file": "writing"}, True),
    ],
)
def test_a_stream_that_reaches_nobody_is_not_ready_and_the_answer_says_why(states, ready):
    with served(FakeView(FakeStream(figures(**states)))) as (port, _):
        status, _, text = get(port, "/readyz")
    shown = json.loads(text)["streams"]["door"]
    assert (status, shown["ready"]) == (200 if ready else 503, ready)
    if "rtsp" in states:
        assert (
            shown["outputs"]["rtsp://***@server/door"]["last_error"] == "rtsp://***@server/door: nothing listens there"
        )


def test_no_streams_are_not_ready():
    with served(FakeView()) as (port, _):
        assert get(port, "/readyz")[0] == 503


def test_other_pages_and_methods_are_refused():
    with served(FakeView()) as (port, _):
        assert get(port, "/")[0] == 404
        assert get(port, "/metrics/../etc/passwd")[0] == 404
        assert get(port, "/metrics", "POST")[0] == 501
        assert get(port, "/healthz", "HEAD") == (200, "application/json; charset=utf-8", "")


def test_a_fault_in_a_page_is_logged_and_the_others_are_served():
    view = FakeView()
    view.problems = lambda: 1 / 0  # type: ignore[method-assign]
    with served(view) as (port, out):
        assert get(port, "/healthz")[0] == 500
        assert get(port, "/readyz")[0] == 503
    assert re.search(r"event=metrics state=failed page=/healthz error=\"ZeroDivisionError", out.getvalue())


def test_a_client_that_says_nothing_keeps_nobody_waiting():
    with served(FakeView()) as (port, _), socket.create_connection(("127.0.0.1", port), 30):
        assert get(port, "/healthz")[0] == 200


def test_it_listens_on_this_machine_alone_unless_told_and_then_it_warns():
    assert listening_address("9100") == ("127.0.0.1", 9100)
    assert listening_address("0.0.0.0:9100") == ("0.0.0.0", 9100)
    assert listening_address("[::1]:9100") == ("::1", 9100)
    assert [is_local(host) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")] == [True] * 4
    assert [is_local(host) for host in ("0.0.0.0", "::", "10.0.0.5", "camera-box")] == [False] * 4
    with served(FakeView()) as (_, out):
        assert "level=warning" not in out.getvalue()
    with served(FakeView(), "0.0.0.0:0") as (port, out):
        assert "level=warning" in out.getvalue()
        assert get(port, "/healthz")[0] == 200


def test_ipv6_works_where_there_is_any():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")
    with served(FakeView(), "[::1]:0") as (port, out):
        assert get(port, "/healthz", host="::1")[0] == 200
        assert f"http://[::1]:{port}/metrics" in out.getvalue()


def test_an_address_that_is_taken_is_refused_with_advice():
    refused = pytest.raises(StreamError, match=r"cannot be served.*another address")
    with served(FakeView()) as (port, _), refused, served(FakeView(), str(port)):
        pass


def test_without_an_address_nothing_listens():
    with serving(None, FakeView(), EventLog(io.StringIO())) as port:
        assert port is None
