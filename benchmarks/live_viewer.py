"""A viewer at the far end: reads a stream and writes down the number in every picture and when it could be seen.

``python -m benchmarks.live_viewer URL LOG``. A line of LOG is ``number received decoded``: -1 where no number can be
read, and ``time.monotonic()`` when the packet had come and when its picture was decoded.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from stream.errors import ConnectionFailed
from stream.media import Frame, frame_code
from stream.media.sources.connection import Connection, SourceOptions, open_connection

_OPTIONS = SourceOptions(open_timeout_s=10, read_timeout_s=10)
_AGAIN_S = 0.2


def watch(url: str, log: Path) -> None:
    """Until the stream ends; waits for one that is not published yet."""
    connection = _connected(url)
    with log.open("w", 1) as seen:
        for item in connection:
            if isinstance(item, Frame):
                decoded = time.monotonic()
                number = frame_code.read(item.planes.y)
                seen.write(f"{-1 if number is None else number} {item.captured_at:.6f} {decoded:.6f}\n")
    connection.close()


def _connected(url: str) -> Connection:
    while True:
        try:
            return open_connection(url, _OPTIONS)
        except ConnectionFailed:
            time.sleep(_AGAIN_S)


if __name__ == "__main__":
    watch(sys.argv[1], Path(sys.argv[2]))
