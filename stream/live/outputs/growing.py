"""A file that a muxer writes, playable whatever happens: after a failed write nothing is touched any more."""

from __future__ import annotations

import os
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
        """What the first write that failed said; PyAV does not always hand it on."""
        self._good: int | None = None
        self.closed = False
        is_abandoned(self._file)

    def write(self, data: bytes) -> int:
        """Writes all of ``data``. The first failure raises OSError; after that, nothing is written."""
        rest = memoryview(data)
        while rest and self.error is None:
            try:
                rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                self.error = error
                if self._good is not None:
                    os.ftruncate(self._file, self._good)
                raise
        return len(data)

    def read(self, size: int) -> bytes:
        """Some muxers read back what they wrote."""
        return os.read(self._file, size)

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


def is_abandoned(file: int) -> bool:
    """Takes the lock of an open file; False if another program, or this one, is still writing it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
