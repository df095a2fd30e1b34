"""Reads a live source in a thread and keeps what it gave, for tests that meanwhile do things to the server."""

from __future__ import annotations

import threading
from types import TracebackType

from live_clients import until

from stream.live.source import LiveSource, SourcePolicy
from stream.live.state import SourceEvent
from stream.media.frame import Frame, Packet
from stream.media.sources.connection import SourceOptions

PATIENT = SourceOptions(open_timeout_s=15.0, read_timeout_s=2.0)
"""A busy machine takes seconds to answer."""
UNSHAKEN = (SourceOptions(open_timeout_s=15.0, read_timeout_s=30.0), SourcePolicy(stall_s=60.0))
"""For tests of one connection, which no pause of a busy machine may end."""


class Collector:
    """``frames`` and ``sounds`` so far; leave the ``with`` block to stop the source."""

    def __init__(self, uri: str, options: SourceOptions = PATIENT, policy: SourcePolicy | None = None) -> None:
        self.events: list[SourceEvent] = []
        policy = policy or SourcePolicy(longest_backoff_s=1.0)
        self.source = LiveSource(uri, options, policy, events=self.events.append)
        self.frames: list[Frame] = []
        self.sounds: list[Packet] = []
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.source.close()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the source did not stop"

    def _read(self) -> None:
        try:
            for item in self.source:
                if isinstance(item, Frame):
                    self.frames.append(item)
                else:
                    self.sounds.append(item)
        except Exception as error:
            self.error = error

    @property
    def states(self) -> list[str]:
        """The states as they were told."""
        return [event.state.value for event in self.events]

    def wait_frames(self, count: int, *, after: int = 0) -> list[Frame]:
        """Waits for so many frames of connections later than the one with this number; these frames.

        On a machine that is busy enough, a connection may be lost without anybody's doing.
        """
        until(lambda: len(self._later(after)) >= count, f"{count} frames after connection {after}: {self.events}")
        return self._later(after)

    def _later(self, generation: int) -> list[Frame]:
        return [frame for frame in self.frames if frame.generation > generation]

    def wait_state(self, state: str) -> None:
        """Waits until a state was told."""
        until(lambda: state in self.states, f"{state}: {self.events}")
