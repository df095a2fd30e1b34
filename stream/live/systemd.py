"""Tells systemd how the process is doing, where systemd asked to be told (``Type=notify``, ``WatchdogSec=``).

The protocol is one datagram to the socket that ``NOTIFY_SOCKET`` names (sd_notify(3)). Without it nothing happens.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

READY = "READY=1"
STOPPING = "STOPPING=1"
ALIVE = "WATCHDOG=1"


def tell(state: str) -> None:
    """Send ``state``, lines of NAME=VALUE. Raises nothing: who does not listen is not told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # a name without a file
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(state.encode(), address)


def reloading() -> str:
    """The state while a configuration is read again; ``READY`` ends it."""
    return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"
