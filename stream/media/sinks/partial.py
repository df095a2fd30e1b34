"""The file that is being written: beside the target under a temporary name, renamed onto it when it is complete.

Disk space for the index is set aside at the start, so that a full disk does not make what was written unplayable.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from stream.errors import DiskFull, OutputExists, OutputIsInput, OutputNotWritable

MARK = ".partial-"
_LEAST = 1 << 16
"""Bytes without which it is not worth beginning."""
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


def is_no_space(error: BaseException) -> bool:
    """True for the error of a full disk or an exhausted quota."""
    return getattr(error, "errno", None) in _NO_SPACE


def partial_name(target: Path) -> Path:
    """``out.mp4`` -> ``.out.partial-1a2b3c.mp4``: hidden, unique, same extension."""
    return target.with_name(f".{target.stem}{MARK}{secrets.token_hex(3)}{target.suffix}")


def check_target(target: Path, source: Path | None, *, overwrite: bool) -> None:
    """Raises OutputIsInput, OutputExists or OutputNotWritable before any work is done; makes the missing folder."""
    if target.is_dir():
        raise OutputNotWritable(f"{target} is a folder", do="Name a file in it")
    if source is not None and target.exists() and source.exists() and os.path.samefile(target, source):
        raise OutputIsInput(
            f"{target} is the input itself", kept="It was not touched", do="Give another output name with -o"
        )
    if target.exists() and not overwrite:
        raise OutputExists(
            f"{target} exists already", kept="It was not touched", do="Add --overwrite, or give another name with -o"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(target, error) from error


def not_writable(target: Path, error: OSError) -> OutputNotWritable:
    """What to say when nothing can be written beside the target."""
    with contextlib.suppress(OSError):
        in_the_way = next(folder for folder in target.parents if folder.exists())
        if not in_the_way.is_dir():
            return OutputNotWritable(
                f"cannot write {target}: {in_the_way} is a file, not a folder",
                kept="It was not touched",
                do="Choose another place with -o",
            )
    return OutputNotWritable(
        f"cannot write into {target.parent}: {error.strerror or error}",
        kept="Nothing was written",
        do="Choose a writable place with -o",
    )


class PartialFile:
    """A seekable binary file for a muxer; ``commit`` renames it onto the target, ``discard`` removes it."""

    def __init__(self, target: Path, reserve: int) -> None:
        """``reserve``: bytes to set aside, fewer if the disk is that full. Raises OutputNotWritable or DiskFull."""
        self._target, self._path = target, partial_name(target)
        self.full = False
        """The disk is full: only the reserve is left, finish now."""
        self._reserve: int | None = None
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise not_writable(target, error) from error
        try:
            self._set_aside(reserve)
        except OSError as error:
            self.discard()
            raise DiskFull(
                f"the disk is full: {target.parent}", kept="Nothing was written", do="Free some space, or use -o"
            ) from error

    def _set_aside(self, size: int) -> None:
        if size == 0 or not hasattr(os, "posix_fallocate"):
            return
        path = self._path.with_suffix(".reserve")
        self._reserve = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        path.unlink()  # the space lives as long as the open file, and a killed program leaves nothing behind
        while True:
            try:
                os.posix_fallocate(self._reserve, 0, size)
                return
            except OSError as error:
                if not is_no_space(error):
                    self._release()  # a file system that cannot set space aside
                    return
                if size < _LEAST:
                    raise
                size //= 2

    def _release(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None

    def write(self, data: bytes) -> int:
        """Writes all of ``data``, into the reserve when the disk is full. Raises OSError."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._file, rest) :]
            except OSError as error:
                if self._reserve is None or not is_no_space(error):
                    raise
                self.full = True
                self._release()
        return len(data)

    def read(self, size: int) -> bytes:
        """Some muxers read back what they wrote."""
        return os.read(self._file, size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return os.lseek(self._file, offset, whence)

    def tell(self) -> int:
        return os.lseek(self._file, 0, os.SEEK_CUR)

    def commit(self) -> None:
        """Closes the file and puts it in the target's place. Raises OSError."""
        self._release()
        os.close(self._file)
        os.replace(self._path, self._target)

    def discard(self) -> None:
        """Closes and removes the file."""
        self._release()
        with contextlib.suppress(OSError):
            os.close(self._file)
        with contextlib.suppress(OSError):
            self._path.unlink()
