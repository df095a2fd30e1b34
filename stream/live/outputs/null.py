"""``null:`` takes pictures and drops them: for measuring and for trying out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from stream.live.outputs.output import OutputEvent, OutputState
from stream.live.outputs.packets import AudioPacket, EncodedPicture
from stream.media.frame import Frame


class NullOutput:
    """An ``Output`` that is always ready. Nothing is encoded for it."""

    takes_frames = True
    connects = False

    def __init__(self, uri: str = "null:") -> None:
        self.uri = uri
        self.notes: list[str] = []
        self.state = OutputState.CONNECTING
        self.offered = self.written = self.in_flight = self.reconnects = 0
        self.dropped: Counter[str] = Counter()
        self.last_error = ""
        self._events: Callable[[OutputEvent], None] = lambda event: None

    def start(self, request_key_frame: Callable[[], None], events: Callable[[OutputEvent], None]) -> None:
        self._events = events

    def write_frame(self, frame: Frame) -> None:
        if self.state is OutputState.CONNECTING:
            self._enter(OutputState.WRITING)
        self.offered += 1
        self.written += 1

    def write_picture(self, picture: EncodedPicture) -> None:
        """Never called: this output takes frames."""

    def write_audio(self, packet: AudioPacket) -> None:
        """Dropped, too."""

    def finish(self) -> None:
        self._enter(OutputState.CLOSED)

    def join(self, timeout_s: float) -> bool:
        return True

    def give_up(self) -> None:
        """Nothing is held."""

    def _enter(self, state: OutputState) -> None:
        previous, self.state = self.state, state
        self._events(OutputEvent(self.uri, state, previous, at=time.monotonic()))
