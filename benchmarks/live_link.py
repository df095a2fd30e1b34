"""A TCP link of our own between a client and a server, which can be made slow, stall and break."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from types import TracebackType

_PIECE = 8192
_TICK_S = 0.05


class Link:
    """Listens on a free port of loopback and passes everything on to ``port``, both ways."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = threading.Event()
        self._open.set()
        self._bytes_per_s: float | None = None
        self._closed = False
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, name="link", daemon=True).start()

    def __enter__(self) -> Link:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def stall(self) -> None:
        """Pass nothing on until ``flow``; connections stay open, and new ones are taken."""
        self._open.clear()

    def flow(self) -> None:
        """Pass on again, what waited first."""
        self._open.set()

    def throttle(self, bytes_per_s: float | None) -> None:
        """From the server to the client pass at most so much; None: as it comes."""
        self._bytes_per_s = bytes_per_s

    def cut(self) -> None:
        """Break all connections now; new ones are taken."""
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the link and all its threads."""
        self._closed = True
        self._listener.close()
        self._open.set()
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self.connections += 1
            with self._lock:
                self._sockets |= {client, server}
            for source, sink, slow in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pass, args=(source, sink, slow), name="link", daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, slow: bool) -> None:
        try:
            while piece := source.recv(_PIECE):
                while not self._open.wait(_TICK_S):
                    if self._closed:
                        return
                if slow and self._bytes_per_s:
                    time.sleep(len(piece) / self._bytes_per_s)
                sink.sendall(piece)
        except OSError:
            pass
        finally:
            for one in (source, sink):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            source.close()
            with self._lock:
                self._sockets.discard(source)
