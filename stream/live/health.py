"""``/metrics``, ``/healthz`` and ``/readyz`` over HTTP, for Prometheus, systemd, container managers and people.

Everything is read when it is asked for; a page that is never asked for costs nothing. Only what is listed here is
answered, nothing can be changed over HTTP, and without a host in the address it listens on this machine alone.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from stream.errors import StreamError
from stream.live.log import EventLog
from stream.live.summary import LiveStats
from stream.redaction import redact
from stream.telemetry import LatencyHistogram

LOCAL = "127.0.0.1"
READY = ("running",)
"""States of a stream whose viewers see what its camera sees."""
_SLOW_CLIENT_S = 5.0
_POLL_S = 0.05


class StreamView(Protocol):
    """What is shown of one stream."""

    restarts: int
    last_error: str

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> str: ...

    def stats(self) -> LiveStats | None: ...

    def latencies(self) -> dict[str, LatencyHistogram]: ...


class View(Protocol):
    """What is shown of a process."""

    @property
    def streams(self) -> Sequence[StreamView]: ...

    def problems(self) -> list[str]:
        """What makes the process unwell; empty while it is fine."""
        ...


def listening_address(text: str) -> tuple[str, int]:
    """Host and port of ``9100``, ``HOST:9100`` or ``[::1]:9100``; this machine alone where no host is given."""
    host, _, port = text.rpartition(":")
    return host.strip("[]") or LOCAL, int(port)


def is_local(host: str) -> bool:
    """Whether nobody outside this machine can reach a listener on ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def serving(address: str | None, view: View, log: EventLog) -> Iterator[int | None]:
    """While the block runs, the pages are served on ``address``, or nowhere if that is None; gives the port.

    Port 0 takes a free one. Raises ``StreamError`` where the address cannot be had.
    """
    if address is None:
        yield None
        return
    host, port = listening_address(address)
    try:
        server = _Server((host, port), view, log)
    except (OSError, OverflowError) as error:
        raise StreamError(
            f"metrics cannot be served on {host}:{port}: {getattr(error, 'strerror', None) or error}",
            do="Give another address with --metrics, or end what listens there",
        ) from error
    port = server.server_address[1]
    shown = f"[{host}]" if ":" in host else host
    log("metrics", state="serving", address=f"http://{shown}:{port}/metrics")
    if not is_local(host):
        log("metrics", level="warning", text=f"whoever reaches {shown}:{port} can read them: there is no password")
    thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,), name="metrics", daemon=True)
    thread.start()
    try:
        yield port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_SLOW_CLIENT_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], view: View, log: EventLog) -> None:
        from stream.live.metrics import exposition

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
    server: _Server
    timeout = _SLOW_CLIENT_S
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
    """All streams have to run, or ``?need=any`` one of them, or ``?stream=NAME`` that one."""
    streams = {stream.name: _shown(stream) for stream in view.streams}
    wanted = query.get("stream", [])
    if unknown := [name for name in wanted if name not in streams]:
        return _answer(False, {"ready": False, "problem": f"no stream is called {redact(', '.join(unknown))}"})
    states = [streams[name]["state"] in READY for name in wanted or streams]
    ready = any(states) if query.get("need") == ["any"] else bool(states) and all(states)
    return _answer(ready, {"ready": ready, "streams": streams})


def _shown(stream: StreamView) -> dict[str, Any]:
    shown: dict[str, Any] = {"state": stream.state, "restarts": stream.restarts}
    stats = stream.stats()
    if stats is not None:
        shown |= {
            "source": stats.source.state,
            "reconnects": stats.source.reconnects,
            "fps_in": round(stats.fps_in, 2),
            "fps_out": round(stats.fps_out, 2),
            "dropped": stats.dropped,
            "outputs": {redact(output.uri): output.state for output in stats.outputs},
        }
    last_error = stream.last_error or (stats.source.last_error if stats else "")
    return shown | ({"last_error": redact(last_error)} if last_error else {})


def _answer(good: bool, content: dict[str, Any]) -> tuple[HTTPStatus, str, str]:
    status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", json.dumps(content, indent=2) + "\n"
