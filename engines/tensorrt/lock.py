"""A lock between processes on a file: whoever holds it builds, the others wait and find what was built.

The system gives it back when its holder ends, in whatever way; the file stays, because deleting it would let two
processes hold two locks of the same name.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from engines.errors import EngineError

ELSEWHERE = "Make room there, or name another folder with STREAM_ENHANCE_CACHE"
_PAUSE_S = 0.05


class CacheError(EngineError):
    """The folder of engines cannot be written."""


class LockTimeout(EngineError):
    """Another process holds the lock for longer than was to be waited for."""


@contextlib.contextmanager
def locked(path: Path, timeout_s: float | None = None) -> Iterator[None]:
    """Holds the lock inside the block; waits ``timeout_s`` for it, or as long as it takes.

    Raises ``LockTimeout`` after that, and ``CacheError`` where there can be no lock.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CacheError(f"{path.parent} cannot be written: {error.strerror}. {ELSEWHERE}") from error
    until = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        while not _taken(handle):
            if until is not None and time.monotonic() >= until:
                raise LockTimeout(f"{path} is held by another process: wait for it, or end it")
            time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Whether some process holds the lock now."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _taken(handle)
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    """Takes the lock if it is free; closing the file gives it back."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
