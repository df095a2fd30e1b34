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


class PicturePool:
    """Gives out unwritten 4:2:0 pictures. Keeps the blocks of one size and format; another size starts anew."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._layout: tuple[int, int, str] | None = None
        self._blocks: list[Bytes] = []
        self._idle = 0
        """What ``_references`` gives for a block that nobody uses; the interpreter's own references differ."""

    def take(self, width: int, height: int, pixel_format: str) -> av.VideoFrame:
        """A picture with undefined content. Formats and sizes that cannot be pooled are allocated."""
        if height % 4 or width % 2 or pixel_format not in ("yuv420p", "yuvj420p", "nv12"):
            return av.VideoFrame(width, height, pixel_format)
        with self._lock:
            if self._layout != (width, height, pixel_format):
                self._layout, self._blocks = (width, height, pixel_format), []
            for index in range(len(self._blocks)):
                if self._references(index) == self._idle:
                    return av.VideoFrame.from_numpy_buffer(self._blocks[index], pixel_format, width)
            if len(self._blocks) == _MOST:
                return av.VideoFrame(width, height, pixel_format)
            self._blocks.append(_block(width, height))
            self._idle = self._references(len(self._blocks) - 1)
            return av.VideoFrame.from_numpy_buffer(self._blocks[-1], pixel_format, width)

    def _references(self, index: int) -> int:
        return sys.getrefcount(self._blocks[index])


def _block(width: int, height: int) -> Bytes:
    """[height * 3 / 2, pitch] bytes at an aligned address: luma rows, then chroma as FFmpeg lays it out."""
    pitch = -(-width // (2 * _ALIGNMENT)) * 2 * _ALIGNMENT  # chroma rows of half the pitch are aligned too
    size = pitch * height * 3 // 2
    memory = np.empty(size + _ALIGNMENT + _PADDING, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(-1, pitch)
