"""Cross-fades of regions: their weights come and go within a few frames, and their features move to new values."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from stream.vision.regions import MOST, Floats

FADE_FRAMES = 8


class Weights:
    """How much each identity is there, by the frames that it has been seen or missed."""

    def __init__(self) -> None:
        self._frames = np.zeros(MOST + 1, np.intp)
        self._last = np.full(MOST + 1, -1)

    @property
    def weight(self) -> Floats:
        """[17] in 0..1."""
        return (self._frames / FADE_FRAMES).astype(np.float32)

    @property
    def gone(self) -> NDArray[np.bool_]:
        """[17]: those without any weight."""
        gone: NDArray[np.bool_] = self._frames == 0
        return gone

    def step(self, there: NDArray[np.bool_], seq: int) -> None:
        """One frame, number ``seq``, in which the identities ``there`` [17] are seen."""
        self._frames = np.clip(self._frames + np.where(there, 1, -1), 0, FADE_FRAMES)
        self._last[~self.gone] = seq

    def free(self, used: Collection[int]) -> list[int]:
        """Identities without weight that are not ``used``: first the one that has been gone the longest."""
        free = [identity for identity in range(1, MOST + 1) if self.gone[identity] and identity not in used]
        return sorted(free, key=lambda identity: int(self._last[identity]))


class Features:
    """Features of each identity, [17, channels], on their way from the values of one key frame to those of the next."""

    def __init__(self, channels: int) -> None:
        self.now: Floats = np.zeros((MOST + 1, channels), np.float32)
        self._wanted = self.now
        self._left = 0

    def want(self, values: dict[int, Floats]) -> None:
        """New values [channels] of some identities, to be reached in 8 steps; the others keep what they have."""
        self._wanted = self.now.copy()
        for identity, value in values.items():
            self._wanted[identity] = value
        self._left = FADE_FRAMES

    def begin(self, identity: int, value: Floats | None) -> None:
        """An identity that is given to another region: its values at once, since it has no weight yet; None: zeros."""
        self.now, self._wanted = self.now.copy(), self._wanted.copy()
        self.now[identity] = self._wanted[identity] = 0 if value is None else value

    def step(self) -> None:
        """One frame on."""
        if self._left:
            self.now = self.now + (self._wanted - self.now) / np.float32(self._left)
            self._left -= 1
