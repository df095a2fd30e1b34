"""Decodes broken streams, one after the other, in a process that may crash or hang: a line of JSON for each.

``python -m benchmarks.fuzz_worker FOLDER SEED`` reads numbers of streams from standard input. Each stream is read
twice: as it would come over the network, through ``open_connection``, and as a file.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.fuzz_streams import KINDS, Broken, broken
from stream.errors import StreamError
from stream.media import Frame, Packet, open_source
from stream.media.sources.connection import SourceOptions, open_connection

_OPTIONS = SourceOptions(open_timeout_s=5, read_timeout_s=2)


def main() -> None:
    faulthandler.enable()
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    streams = {kind: (folder / str(number)).read_bytes() for number, kind in enumerate(KINDS)}
    for line in sys.stdin:
        stream = broken(int(line), streams, seed)
        started = time.monotonic()
        answer: dict[str, Any] = {
            "index": stream.index,
            "kind": stream.kind.name,
            "mutations": stream.mutations,
            "network": _tried(_from_network, stream),
            "file": _tried(_from_file, stream),
        }
        answer["seconds"] = round(time.monotonic() - started, 3)
        gc.collect()  # what is left then is kept by somebody
        answer["rss_mb"] = round(_rss_mb(), 2)
        print(json.dumps(answer), flush=True)


def _tried(read: Any, stream: Broken) -> dict[str, Any]:
    """How one reading went: complete, refused with a typed error, or a fault of the program."""
    frames = packets = 0
    try:
        for item in read(stream):
            if isinstance(item, Frame):
                frames += 1
                item.planes.y.sum()  # every byte is there
                item.planes.u.sum()
            elif isinstance(item, Packet):
                packets += 1
        outcome, error = "read", ""
    except StreamError as refused:
        outcome, error = "refused", type(refused).__name__
    except Exception as fault:
        outcome, error = "fault", f"{type(fault).__name__}: {fault}"
    return {"outcome": outcome, "error": error, "frames": frames, "packets": packets}


def _from_network(stream: Broken) -> Iterator[Frame | Packet]:
    listener = socket.create_server(("127.0.0.1", 0))
    sender = threading.Thread(target=_send, args=(listener, stream.data), daemon=True)
    sender.start()
    try:
        connection = open_connection(f"tcp://127.0.0.1:{listener.getsockname()[1]}", _OPTIONS)
        try:
            yield from connection
        finally:
            connection.close()
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes the sender; closing alone does not
        listener.close()
        sender.join()


def _send(listener: socket.socket, data: bytes) -> None:
    """Everything to whoever connects: an attempt with little probing may be followed by another."""
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            with client, suppress(OSError):  # who has seen enough leaves early
                client.sendall(data)


def _from_file(stream: Broken) -> Iterator[Frame | Packet]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"broken.{stream.kind.container.replace('mpegts', 'ts')}"
        path.write_bytes(stream.data)
        source = open_source(path)
        try:
            yield from source
        finally:
            source.close()


def _rss_mb() -> float:
    """Resident memory now; 0.0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as table:
            return int(table.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return 0.0


if __name__ == "__main__":
    main()
