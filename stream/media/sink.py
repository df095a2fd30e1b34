"""Where frames go: the contract that every sink meets."""

from __future__ import annotations

from typing import Protocol

from stream.media.frame import Frame, Packet


class Sink(Protocol):
    """Takes what a source gave, in the same order, from one thread. Ends with exactly one ``close`` or ``abort``."""

    uri: str
    notes: list[str]
    """What could not be kept, to tell the user; complete after ``close``."""
    frames: int
    """Frames taken so far; after ``close``, ``abort`` or a failure those that the output holds."""

    def write(self, frame: Frame) -> None: ...

    def write_packet(self, packet: Packet) -> None: ...

    def close(self) -> None:
        """Drains the encoder, finalises and puts the result in its place. What was written so far stays playable."""

    def abort(self) -> None:
        """Leaves nothing behind."""
