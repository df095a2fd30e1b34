"""The pages themselves and the small HTTP server that gives them out; loaded when somebody asks for an address."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from stream.live.log import EventLog
from stream.live.metrics import exposition
from stream.live.outputs.output import OutputState
from stream.live.summary import LiveStats, OutputFigures
from stream.redaction import redact

if TYPE_CHECKING:
    from stream.live.health import StreamView, View

READY = ("running",)
"""States of a stream whose viewers see what its camera sees, if an output writes."""
_NOWHERE = "null:"
SLOW_CLIENT_S = 5.0
"""A client that sends or takes nothing for that long is left."""


class PageServer(ThreadingHTTPServer):
    """Answers each request in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], view: View, log: EventLog) -> None:
        """Listens at once, on host and port. Raises ``OSError``."""
        self.view, self.log = view, log
        self.metrics = exposition(view)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """As HTTP servers do, but without asking a name server who this is, which may take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = SLOW_CLIENT_S
    server_version, sys_version = "stream-enhance", ""

    def do_GET(self) -> None:
        """One of the three pages."""
        url = urlsplit(self.path)
        try:
            status, kind, text = self._page(url.path, parse_qs(url.query))
        except Exception as error:
            self.server.log(
                "metrics", level="error", state="failed", page=url.path, error=f"{type(error).__name__}: {error}"
            )
            status, kind, text = HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", "this page has a fault: see the log\n"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET

    def _page(self, path: str, query: dict[str, list[str]]) -> tuple[HTTPStatus, str, str]:
        view = self.server.view
        if path == "/metrics":
            return HTTPStatus.OK, "text/plain; version=0.0.4", self.server.metrics()
        if path == "/healthz":
            problems = [redact(problem) for problem in view.problems()]
            return _answer(not problems, {"healthy": not problems, "problems": problems})
        if path == "/readyz":
            return _ready(view, query)
        return HTTPStatus.NOT_FOUND, "text/plain", "there are /metrics, /healthz and /readyz\n"

    def log_message(self, format: str, *args: object) -> None:
        """Requests are no events."""


def _ready(view: View, query: dict[str, list[str]]) -> tuple[HTTPStatus, str, str]:
    """All streams have to run and reach somebody, or ``?need=any`` one of them, or ``?stream=NAME`` that one."""
    figures = {stream.name: (stream, stream.stats()) for stream in view.streams}
    streams = {name: _shown(stream, stats) for name, (stream, stats) in figures.items()}
    wanted = query.get("stream", [])
    if unknown := [name for name in wanted if name not in streams]:
        return _answer(False, {"ready": False, "problem": f"no stream is called {redact(', '.join(unknown))}"})
    states = [streams[name]["ready"] for name in wanted or streams]
    ready = any(states) if query.get("need") == ["any"] else bool(states) and all(states)
    return _answer(ready, {"ready": ready, "streams": streams})


def _shown(stream: StreamView, stats: LiveStats | None) -> dict[str, Any]:
    state = stream.state
    ready = state in READY and (stats is None or _reaches_somebody(stats.outputs))
    shown: dict[str, Any] = {"state": state, "ready": ready, "restarts": stream.restarts}
    if stats is not None:
        shown |= {
            "source": stats.source.state,
            "reconnects": stats.source.reconnects,
            "fps_in": round(stats.fps_in, 2),
            "fps_out": round(stats.fps_out, 2),
            "dropped": stats.dropped,
            "outputs": {redact(output.uri): _shown_output(output) for output in stats.outputs},
        }
    last_error = stream.last_error or (stats.source.last_error if stats else "")
    return shown | ({"last_error": redact(last_error)} if last_error else {})


def _shown_output(output: OutputFigures) -> dict[str, Any]:
    shown: dict[str, Any] = {"state": output.state, "written": output.written}
    return shown | ({"last_error": redact(output.last_error)} if output.last_error else {})


def _reaches_somebody(outputs: Sequence[OutputFigures]) -> bool:
    """Whether an output writes; ``null:`` counts only where nothing else is wanted."""
    somewhere = [output for output in outputs if not output.uri.startswith(_NOWHERE)]
    return not somewhere or any(output.state == OutputState.WRITING.value for output in somewhere)


def _answer(good: bool, content: dict[str, Any]) -> tuple[HTTPStatus, str, str]:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(content, indent=2) + "\n"
