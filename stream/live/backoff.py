"""How long to wait before the next attempt: twice as long each time, with jitter, short again after good health."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Pauses from ``first_s`` to ``longest_s``, each up to ``jitter`` (a part of itself) longer or shorter.

    Not safe for several threads. ``choose`` gives numbers in 0..1.
    """

    def __init__(
        self,
        first_s: float = 0.5,
        longest_s: float = 30.0,
        jitter: float = 0.2,
        healthy_s: float = 30.0,
        choose: Callable[[], float] = random.random,
    ) -> None:
        self._first, self._longest, self._jitter, self._healthy = first_s, longest_s, jitter, healthy_s
        self._choose = choose
        self._pause = first_s
        self._healthy_since: float | None = None

    def healthy(self, now: float) -> None:
        """A picture came; ``healthy_s`` of them without ``lost`` in between start the ladder anew."""
        if self._healthy_since is None:
            self._healthy_since = now
        elif now - self._healthy_since >= self._healthy:
            self._pause = self._first

    def pause(self, *, slow: bool = False) -> float:
        """Seconds to wait now, after a loss or a failed attempt; never more than ``longest_s``.

        ``slow``: the longest, for what nobody expects to pass by itself; the ladder stays where it was.
        """
        self._healthy_since = None
        pause = self._longest if slow else self._pause
        if not slow:
            self._pause = min(self._longest, 2.0 * pause)
        return min(self._longest, pause * (1.0 + self._jitter * (2.0 * self._choose() - 1.0)))
