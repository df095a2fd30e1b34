"""Memory for pictures that is used again as soon as nobody refers to it.

New memory costs more than the pass that fills it: the kernel clears it page by page (docs/decisions/pyav.md has the
figures). Whether a block is free is read from its reference count, which FFmpeg's own buffers are part of: an encoder
may keep a picture for as long as it likes.
"""

from __future__ import annotations

import sys
import threading

import av
import numpy as np

from engines.planes import Bytes

_ALIGNMENT = 64
_PADDING = 64
"""Bytes after the last row that SIMD code may read."""
_MOST = 48
"""Blocks kept; more pictures than that in flight get memory of their own."""


_LOOK_EVERY = 512
"""Pictures after which sizes that were not asked for meanwhile are forgotten: nobody needs them any more."""


class PicturePool:
    """Gives out unwritten 4:2:0 pictures; keeps memory for the sizes and formats in use. Streams may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kinds: dict[tuple[int, int, str], _Blocks] = {}
        self._taken = 0

    @property
    def blocks(self) -> int:
        """Blocks of memory that are kept, free or not."""
        with self._lock:
            return sum(len(kind.memory) for kind in self._kinds.values())

    def take(self, width: int, height: int, pixel_format: str) -> av.VideoFrame:
        """A picture with undefined content. Formats and sizes that cannot be pooled are allocated."""
        if height % 4 or width % 2 or pixel_format not in ("yuv420p", "yuvj420p", "nv12"):
            return av.VideoFrame(width, height, pixel_format)
        with self._lock:
            self._taken += 1
            if self._taken % _LOOK_EVERY == 0:
                self._forget()
            kind = self._kinds.setdefault((width, height, pixel_format), _Blocks())
            kind.asked = True
            memory = kind.free(width, height)
            if memory is None:
                return av.VideoFrame(width, height, pixel_format)
            return av.VideoFrame.from_numpy_buffer(kind.memory[memory], pixel_format, width)

    def _forget(self) -> None:
        self._kinds = {layout: kind for layout, kind in self._kinds.items() if kind.asked}
        for kind in self._kinds.values():
            kind.asked = False


class _Blocks:
    """The memory for pictures of one size and format."""

    def __init__(self) -> None:
        self.memory: list[Bytes] = []
        self.asked = True
        self._idle = 0
        """What ``_references`` gives for a block that nobody uses; the interpreter's own references differ."""

    def free(self, width: int, height: int) -> int | None:
        """Index of a block that nobody uses; None where there are too many already."""
        for index in range(len(self.memory)):
            if self._references(index) == self._idle:
                return index
        if len(self.memory) == _MOST:
            return None
        self.memory.append(_block(width, height))
        self._idle = self._references(len(self.memory) - 1)
        return len(self.memory) - 1

    def _references(self, index: int) -> int:
        return sys.getrefcount(self.memory[index])


def _block(width: int, height: int) -> Bytes:
    """[height * 3 / 2, pitch] bytes at an aligned address: luma rows, then chroma as FFmpeg lays it out."""
    pitch = -(-width // (2 * _ALIGNMENT)) * 2 * _ALIGNMENT  # chroma rows of half the pitch are aligned too
    size = pitch * height * 3 // 2
    memory = np.empty(size + _ALIGNMENT + _PADDING, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(-1, pitch)
