"""Segmenters of a process: the sessions of each model are opened once, for all streams that use it, which take turns.

Whoever asked first is served first, and each stream asks for one picture at a time, so that none waits for longer than
one picture of each other takes. What goes wrong with the picture of one stream is that stream's own business.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from engines.errors import ModelError
from stream.segmentation import OpenSam, Sam, Segmenting

if TYPE_CHECKING:
    from stream.models.store import InstalledModel
    from stream.vision.regions import Segmentation
    from stream.vision.segmenter import Picture

STUCK_S = 300.0
"""A picture that takes longer hangs: its sessions are left to it, and the next stream opens others."""
_LOOK_S = 0.5


class SharedSegmenters:
    """Call it as ``Sam``, once for each stream. A model stays open as long as some stream uses it."""

    def __init__(self, open_sam: OpenSam = Sam, stuck_s: float = STUCK_S) -> None:
        self._open_sam, self._stuck_s = open_sam, stuck_s
        self._lock = threading.Lock()
        self._shared: WeakValueDictionary[Hashable, _Shared] = WeakValueDictionary()

    def __call__(self, model: InstalledModel, *, verified: bool) -> Segmenting:
        """The segmenter of one stream."""
        key = (model.folder, *((name, file.sha256) for name, file in sorted(model.card.files.items())))
        with self._lock:
            shared = self._shared.get(key)
            if shared is None:
                shared = _Shared(self._open_sam, model, verified, self._stuck_s)
                self._shared[key] = shared
        return _OfOneStream(shared)

    @property
    def loaded(self) -> int:
        """Models in use."""
        return len(self._shared)


class _Shared:
    """One model, and the queue of the streams that wait for it."""

    def __init__(self, open_sam: OpenSam, model: InstalledModel, verified: bool, stuck_s: float) -> None:
        self._open: Callable[[], Segmenting] = lambda: open_sam(model, verified=verified)
        self._stuck_s = stuck_s
        self._changed = threading.Condition()
        self._waiting: deque[_OfOneStream] = deque()
        self._working: _OfOneStream | None = None
        self._since = 0.0
        self._sam = self._open()

    def begin(self, who: _OfOneStream) -> Segmenting:
        """Waits for the turn of ``who``. Raises ``ModelError`` once it was stopped."""
        with self._changed:
            self._waiting.append(who)
            try:
                while not who.stopped and not (self._waiting[0] is who and self._free()):
                    self._changed.wait(_LOOK_S)
                if who.stopped:
                    raise ModelError("the segmenter was stopped")
                self._working, self._since = who, time.monotonic()
                return self._sam
            finally:
                self._waiting.remove(who)
                self._changed.notify_all()

    def end(self, who: _OfOneStream) -> None:
        """The turn of ``who`` is over."""
        with self._changed:
            if self._working is who:
                self._working = None
                self._changed.notify_all()

    def stop(self, who: _OfOneStream) -> None:
        """Ends the turn of ``who``, and its waiting; those of others go on."""
        with self._changed:
            who.stopped = True
            if self._working is who:
                self._sam.stop()
            self._changed.notify_all()

    def _free(self) -> bool:
        """Whether somebody may begin; leaves the sessions to one who hangs in them."""
        if self._working is None:
            return True
        if time.monotonic() - self._since <= self._stuck_s:
            return False
        self._sam, self._working = self._open(), None
        return True


class _OfOneStream:
    """What a stream has in the place of a segmenter of its own."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self.stopped = False

    def __call__(self, rgb: Picture) -> Segmentation:
        """As ``Sam``, after the pictures of others that were there before."""
        sam = self._shared.begin(self)
        try:
            return sam(rgb)
        finally:
            self._shared.end(self)

    def stop(self) -> None:
        """No more pictures: ends the call that goes on, or that waits."""
        self._shared.stop(self)
