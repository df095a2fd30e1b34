"""``/metrics``, ``/healthz`` and ``/readyz`` over HTTP, for Prometheus, systemd, container managers and people.

Everything is read when it is asked for; a page that is never asked for costs nothing. Only what is listed here is
answered, nothing can be changed over HTTP, and without a host in the address it listens on this machine alone.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from stream.errors import StreamError
from stream.live.log import EventLog
from stream.live.summary import LiveStats
from stream.telemetry import LatencyHistogram

LOCAL = "127.0.0.1"
DEAD_S = 15.0
"""Without a turn of the main loop for that long, a process is not well."""
_END_S = 5.0
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
    from stream.live.pages import PageServer

    host, port = listening_address(address)
    try:
        server = PageServer((host, port), view, log)
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
        thread.join(_END_S)
