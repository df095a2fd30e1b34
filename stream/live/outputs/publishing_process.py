"""Runs as a process of its own, one for each connection: takes packets on standard input, sends them to an address.

PyAV holds the interpreter's lock while FFmpeg connects, writes headers and says goodbye: in the program itself, one
server that does not answer would stop every stream. Here it stops nobody, and a process can always be ended. Calls that
take too long end it from within: the kernel's alarm needs no lock. Nothing here imports the rest of the program.

In:  blocks, each a length and bytes: the request as JSON, the parameters of the streams as a file without packets; then
     packets (``PACKET`` and data) until the end of the input. The address, which may hold a password, is only in there.
Out: ``READY`` after the imports, ``OPEN`` when connected, ``DONE`` for each picture; ``ERROR`` and JSON before an end.
"""

from __future__ import annotations

import io
import json
import os
import signal
import struct
from fractions import Fraction
from typing import Any, BinaryIO

import av

LENGTH = struct.Struct("<I")
PACKET = struct.Struct("<BBqqqI")
"""Stream, 1 for key frames, pts, dts, duration, bytes of data. Stream 0 is the video."""
READY, OPEN, DONE, ERROR = b"\x01", b"\x02", b"\x03", b"\x04"
"""None of them occurs in JSON."""


class _EndOfInput(Exception):
    """The program has closed its end, or is gone."""


def main() -> None:
    """Ends with the process."""
    source, result = os.fdopen(0, "rb"), 1
    av.logging.set_level(None)
    os.write(result, READY)
    try:
        _publish(source, result)
    except _EndOfInput:
        pass
    except Exception as error:
        about = {"errno": getattr(error, "errno", None), "type": type(error).__name__, "words": _words(error)}
        os.write(result, ERROR + json.dumps(about).encode())
        os._exit(1)  # without goodbyes to a server that is gone


def _publish(source: BinaryIO, result: int) -> None:
    request = json.loads(_block(source))
    with av.open(io.BytesIO(_block(source))) as parameters:
        _alarm(request["open_timeout_s"])
        container = av.open(request["url"], "w", format=request["format"], container_options=request["options"])
        streams, bases = [], [Fraction(*base) for base in request["time_bases"]]
        for template, base in zip(parameters.streams, bases, strict=True):
            stream = container.add_stream_from_template(template, opaque=True)
            stream.time_base = base
            streams.append(stream)
        container.start_encoding()
    os.write(result, OPEN)
    try:
        while True:
            _alarm(0)
            index, key, pts, dts, duration, size = PACKET.unpack(_read(source, PACKET.size))
            packet: av.Packet[Any] = av.Packet(_read(source, size))
            packet.stream, packet.time_base = streams[index], bases[index]
            packet.pts, packet.dts, packet.duration, packet.is_keyframe = pts, dts, duration, bool(key)
            _alarm(request["write_timeout_s"])
            container.mux(packet)
            if index == 0:
                os.write(result, DONE)
    except _EndOfInput:
        _alarm(request["close_timeout_s"])
        container.close()


def _alarm(seconds: float) -> None:
    """Ends this process after ``seconds``, whatever it is doing then; 0 = not."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _block(source: BinaryIO) -> bytes:
    return _read(source, LENGTH.unpack(_read(source, LENGTH.size))[0])


def _read(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise _EndOfInput
    return data


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


if __name__ == "__main__":
    main()
