"""Several real cameras in one process: one that dies and comes back leaves the others alone."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from live_service_fakes import PATIENCE_S, config, wait_for

from benchmarks.live_server import RtspServer
from stream.live.configuration import Configuration
from stream.live.log import EventLog
from stream.live.service import Service
from stream.live.summary import LiveStats
from stream.settings import Settings

pytestmark = pytest.mark.timeout(300)


def figures(service: Service, name: str) -> LiveStats:
    found = next(stream for stream in service.streams if stream.name == name).stats()
    assert found is not None
    return found


def test_a_camera_that_is_killed_interrupts_no_other(start_rtsp_server: Callable[..., RtspServer], tmp_path) -> None:
    lasting, dying = start_rtsp_server(), start_rtsp_server()
    common = {"sam_every": "off", "staleness": 5.0}
    out = io.StringIO()
    configs = (
        config("lasting", lasting.url("/h264"), ("null:",), **common),
        config("dying", dying.url("/h265"), ("null:", str(tmp_path / "dying.ts")), **common),
    )
    service = Service(Configuration(tmp_path / "streams.yaml", configs, Settings()), EventLog(out))
    service.start()
    try:
        wait_for(lambda: all(stream.state == "running" for stream in service.streams), "both cameras")
        assert service.models.loaded == 1
        dying.kill()
        wait_for(lambda: figures(service, "dying").source.state == "reconnecting", "the loss")
        before = figures(service, "lasting")
        wait_for(lambda: figures(service, "lasting").frames_out > before.frames_out + 25, "a second of the other")
        dying.restart()
        wait_for(lambda: figures(service, "dying").source.reconnects, "the return")
        at_return = figures(service, "dying").frames_out
        wait_for(lambda: figures(service, "dying").frames_out > at_return + 10, "its frames")
        after = figures(service, "lasting")
        assert (after.source.generation, after.source.reconnects) == (1, 0)
        assert [stream.restarts for stream in service.streams] == [0, 0]
        assert service.problems() == []
    finally:
        service.stop()
        assert service.join(PATIENCE_S)
    for stream in service.streams:
        done = figures(service, stream.name)
        assert done.in_flight == 0
        assert done.frames_in == done.frames_out + sum(done.dropped.values())
    assert "stream=lasting event=source state=reconnecting" not in out.getvalue()
    assert "stream=dying event=source state=reconnecting" in out.getvalue()
