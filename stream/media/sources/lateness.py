"""How late packets of a live source arrive: what waited in the buffers of a connection shows nowhere else.

The sender's clock says when a packet was made, ours when it arrived. Their difference alone says nothing, as the clocks
have nothing in common; but the least difference of late belongs to packets that hardly waited, and what others have
more than that is the time that they waited: in buffers of the sender, the network and this machine.
"""

from __future__ import annotations

_JUMP_S = 1.0
"""Time stamps that go back further than this belong to another clock: a wrap, a restart."""
_DRIFT = 5e-4
"""Part of elapsed time by which the least difference rises: more than crystals differ, and far less than what waits."""
_WINDOW_S = 2.0
_BLINK_S = 0.008
"""Reads that take no longer may have found their packet waiting: other threads want the interpreter too."""
_IDLE = 0.25
"""A reader that waits for so much of the time has nothing queued in front of it: what is late then comes so late."""


class Lateness:
    """For one connection. All times are seconds."""

    def __init__(self) -> None:
        self._least = 0.0
        self._newest: float | None = None
        self._offset = self._arrived = 0.0
        self._window_start = self._window_least = self._waited = 0.0

    def observe(self, made: float, arrived: float, waited: float = 0.0) -> float:
        """How long a packet waited on its way, 0 or more, against the least that any did of late.

        ``made``: its decoding time by the sender's clock. ``arrived``: when it was read, by a monotonic clock.
        ``waited``: how much of the time since the last packet the reader was blocked.
        """
        if self._newest is None or made < self._newest - _JUMP_S:
            self._begin(made, arrived)
        assert self._newest is not None
        self._newest = max(self._newest, made)
        self._offset = arrived - self._newest
        self._least = min(self._least + _DRIFT * max(0.0, arrived - self._arrived), self._offset)
        self._arrived = arrived
        self._look_at_window(waited)
        return self._offset - self._least

    def accept(self) -> None:
        """What is late now is on time from now on: nobody here can make it come sooner."""
        self._least = self._offset
        self._restart_window()

    def _begin(self, made: float, arrived: float) -> None:
        self._newest, self._arrived = made, arrived
        self._offset = self._least = arrived - made
        self._restart_window()

    def _look_at_window(self, waited: float) -> None:
        """With nothing queued in front of the reader, the least of a window is all that the way takes."""
        self._waited += max(0.0, waited - _BLINK_S)
        self._window_least = min(self._window_least, self._offset)
        elapsed = self._arrived - self._window_start
        if elapsed >= _WINDOW_S:
            if self._waited >= _IDLE * elapsed:
                self._least = max(self._least, self._window_least)
            self._restart_window()

    def _restart_window(self) -> None:
        self._window_start, self._window_least, self._waited = self._arrived, self._offset, 0.0
