"""``null:`` takes everything and keeps nothing: for measuring what comes before it."""

from __future__ import annotations

from stream.media.frame import Frame, Packet


class NullSink:
    """A ``Sink`` that only counts."""

    def __init__(self) -> None:
        self.uri = "null:"
        self.notes: list[str] = []
        self.frames = 0

    def write(self, frame: Frame) -> None:
        """Counts the frame."""
        self.frames += 1

    def write_packet(self, packet: Packet) -> None:
        """Forgets the packet."""

    def close(self) -> None:
        """Nothing to finish."""

    def abort(self) -> None:
        """Nothing to remove."""
