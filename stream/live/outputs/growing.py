"""A file that a muxer writes, playable whatever happens: after a failed write nothing is touched any more."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system: files of a program that was killed are then left alone
    fcntl = None  # type: ignore[assignment]


class GrowingFile:
    """For a muxer: ``write``, ``seek`` and ``tell``, unbuffered. Locked while it is open."""

    def __init__(self, path: Path, *, replace: bool = False) -> None:
        """Raises OSError; FileExistsError unless ``replace``."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | (os.O_TRUNC if replace else os.O_EXCL)
        self.name = str(path)
        self._file = os.open(path, flags, 0o666)
        self.error: OSError | None = None
        """What failed first. Nothing here raises it: PyAV prints what FFmpeg does not hand on, past every log."""
        self._good: int | None = None
        self.closed = False
        is_abandoned(self._file)

    def write(self, data: bytes) -> int:
        """Writes all of ``data``; after the first failure nothing is written any more, see ``error``."""
        rest = memoryview(data)
        while rest and self.error is None:
            try:
                rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                self._fail(error)
        return len(data)

    def read(self, size: int) -> bytes:
        """Some muxers read back what they wrote."""
        try:
            return os.read(self._file, size)
        except OSError as error:
            self._fail(error)
            return b""

    def _fail(self, error: OSError) -> None:
        self.error = self.error or error
        if self._good is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._good)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._file, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._file, 0, os.SEEK_CUR)

    @property
    def size(self) -> int:
        """Bytes."""
        return os.fstat(self._file).st_size

    def mark(self) -> int:
        """What is there now is whole: if writing fails, the file is cut back to it. Returns its size in bytes."""
        if self.error is None:
            self._good = self.size
        return self.size

    def close(self) -> None:
        self.closed = True
        os.close(self._file)


class PlacedFile(GrowingFile):
    """Takes its name once it is closed, whole and not empty; until then ``.tmp`` is added, and what had it stays."""

    def __init__(self, path: Path, done: Callable[[Path], bool]) -> None:
        """``done`` is asked before the file is put in place. Raises OSError."""
        self._final, self._done = path, done
        self._temporary = path.with_name(f"{path.name}.tmp")
        super().__init__(self._temporary, replace=True)

    def close(self) -> None:
        """Raises nothing, see ``error``."""
        try:
            whole = self.error is None and self.size > 0
            super().close()
            if whole and self._done(self._final):
                os.replace(self._temporary, self._final)
            else:
                self._temporary.unlink(missing_ok=True)
        except OSError as error:
            self.error = self.error or error


def is_abandoned(file: int) -> bool:
    """Takes the lock of an open file; False if another program, or this one, is still writing it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
