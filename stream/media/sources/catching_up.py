"""Decoding that has fallen behind goes on at a key frame that is new enough; what waited before it is passed over.

Where decoding cannot keep up, packets wait in the buffers of camera, server and system, for ever: over TCP nobody drops
them. Single packets cannot be left out, as later pictures are made of them; all up to a key frame can.
"""

from __future__ import annotations

from stream.media.sources.lateness import Lateness

_PATIENCE_S = 0.5
"""What came late at once, after a pause of the camera or the network, is decoded faster than that."""
_PROOF_S = 0.5
"""Reading without decoding empties any buffer in front of it within that time."""
_FASTER = 1.25
"""Video that was waiting is read faster than it was made, by at least this factor."""
_FRESH = 0.5
"""Part of the budget within which a key frame is worth going on at: at the limit it would soon be over it again."""
_KEY_FRAME_WAIT_S = 10.0
"""Without a key frame for so long decoding goes on anyway: some encoders refresh a picture bit by bit."""


class CatchUp:
    """Asked of every packet of one connection's video, in order, from one thread."""

    def __init__(self, budget_s: float) -> None:
        """``budget_s``: how late a packet may be, and go on being, before it is passed over."""
        self.delay_s = 0.0
        """How late the latest packet came, as ``Lateness`` has it."""
        self._budget = budget_s
        self._lateness = Lateness()
        self._late_since: float | None = None
        self._skipping_since: float | None = None
        self._late_then = 0.0

    def passes_over(self, made: float | None, arrived: float, waited: float, *, key: bool) -> bool:
        """Whether the packet shall not be decoded. Times as of ``Lateness.observe``; ``made`` None = not known."""
        if made is not None:
            self.delay_s = self._lateness.observe(made, arrived, waited)
        late = self.delay_s > self._budget
        if self._skipping_since is None:
            self._notice(late, arrived)
        else:
            if late and self._waits_elsewhere(arrived, self._skipping_since):
                self._lateness.accept()
                self.delay_s = 0.0
            fresh = self.delay_s <= self._budget * _FRESH
            if (key and fresh) or arrived - self._skipping_since > _KEY_FRAME_WAIT_S:
                self._skipping_since = self._late_since = None
        return self._skipping_since is not None

    def _notice(self, late: bool, arrived: float) -> None:
        if not late:
            self._late_since = None
            return
        if self._late_since is None:
            self._late_since = arrived
        if arrived - self._late_since >= _PATIENCE_S:
            self._skipping_since, self._late_then = arrived, self.delay_s

    def _waits_elsewhere(self, arrived: float, since: float) -> bool:
        """Whether passing over does not help: the sender or the network is slow, or a clock is not what it seemed."""
        elapsed = arrived - since
        return elapsed >= _PROOF_S and self.delay_s > self._late_then - (_FASTER - 1) * elapsed
