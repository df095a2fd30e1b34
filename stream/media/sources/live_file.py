"""``live:FILE``: a file as if it were a camera, at its own pace and over and over, for trying out and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from av.packet import Packet as AvPacket
from av.stream import Stream

from stream.errors import InputNotFound
from stream.media.opening import open_container
from stream.media.sources.connection import SourceOptions
from stream.media.sources.demuxed import DemuxedConnection
from stream.media.sources.pacing import Pace


class LiveFileConnection(DemuxedConnection):
    """A ``Connection`` to a file. The option ``loop=0`` plays it once, then it ends like a lost camera."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        """Raises InputNotFound, InputUnreadable, NotAVideo and what decoding raises."""
        self._loop = options.options.get("loop", "1") != "0"
        super().__init__(open_container(path_of(uri)), uri, pace=Pace())

    def _packets(self) -> Iterator[AvPacket[Stream]]:
        """Over and over; each round starts where time starts, as a camera that was switched off and on."""
        anything = True
        while anything and not self._stopped:
            anything = False
            for packet in super()._packets():
                anything = anything or packet.size > 0
                yield packet
            if not self._loop:
                return
            self._container.seek(0)


def path_of(uri: str) -> Path:
    """The file that ``live:FILE`` names. Raises InputNotFound."""
    path = Path(uri.partition(":")[2]).expanduser()
    if not path.is_file():
        raise InputNotFound(f"there is no file {path}", do="Give one: live:clip.mp4")
    return path
