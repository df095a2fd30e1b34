"""Rows of the previous output, moved to where they are now: copied for whole pixels, else interpolated with 4x4 taps.

A recursion interpolates its own output again and again: what an interpolation loses is lost many times over, and what
it raises is raised as often. On photographs that pan by fractions of a pixel (exposure 1/12, noise of a camera, true
motion, (1.7, 0.6) and (-0.4, 0.3) pixels a frame) the nearest pixel gave 29.4 and 31.0 dB, whole pixels found by search
29.9 and 31.5, cubic convolution (Keys 1981) with a = -0.75 32.7 and 33.5; no denoiser 27.4 and 27.8. A wave of 8 pixels
grew by 11 % at a = -0.75 and by 7 % at -0.6, which was 0.2 dB better on the photographs.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np
from numpy.typing import NDArray

OWN: dict[str, Any] = {"fastmath": True, "error_model": "numpy", "nogil": True}
SHARPNESS = -0.6
_F = np.float32


def _taps() -> NDArray[np.int16]:
    """Weights [8, 4] in 64ths of the pixels at -1, 0, 1 and 2 for every eighth of the way from 0 to 1."""
    t = np.arange(8)[:, None] / 8
    d = np.abs(t - np.arange(-1, 3))
    near = (SHARPNESS + 2) * d**3 - (SHARPNESS + 3) * d**2 + 1
    far = SHARPNESS * (d**3 - 5 * d**2 + 8 * d - 4)
    taps: NDArray[np.int16] = np.rint(64 * np.where(d <= 1, near, far)).astype(np.int16)
    largest = taps.argmax(axis=1)
    taps[np.arange(8), largest] += (64 - taps.sum(axis=1)).astype(np.int16)
    return taps


TAPS = _taps()


@nb.njit(**OWN)
def _tall(source, step, offset, rows, first, count, width, down, out):  # type: ignore[no-untyped-def]
    """Four rows weighed, from column ``first`` on, which may lie outside: then the border repeats."""
    r0, r1, r2, r3 = rows
    w0, w1, w2, w3 = TAPS[down, 0], TAPS[down, 1], TAPS[down, 2], TAPS[down, 3]
    inner0 = min(max(-first, 0), count)
    inner1 = max(min(count, width - first), inner0)
    at = step * (first + inner0) + offset
    if down == 0:
        for n in range(inner1 - inner0):
            out[np.uintp(inner0 + n)] = np.int16(np.int16(source[r1, np.uintp(at + step * n)]) << 6)
    elif step == 1:
        for n in range(inner1 - inner0):
            x = np.uintp(at + n)
            total = np.int16(np.int16(source[r0, x]) * w0) + np.int16(np.int16(source[r1, x]) * w1)
            total += np.int16(np.int16(source[r2, x]) * w2) + np.int16(np.int16(source[r3, x]) * w3)
            out[np.uintp(inner0 + n)] = np.int16(total)
    else:
        for n in range(inner1 - inner0):
            x = np.uintp(at + 2 * n)
            total = np.int16(np.int16(source[r0, x]) * w0) + np.int16(np.int16(source[r1, x]) * w1)
            total += np.int16(np.int16(source[r2, x]) * w2) + np.int16(np.int16(source[r3, x]) * w3)
            out[np.uintp(inner0 + n)] = np.int16(total)
    if inner1 > inner0:
        for n in range(inner0):
            out[n] = out[inner0]
        for n in range(inner1, count):
            out[n] = out[inner1 - 1]
    else:
        x = (0 if first < 0 else width - 1) * step + offset
        total = np.int64(source[r0, x]) * w0 + np.int64(source[r1, x]) * w1
        total += np.int64(source[r2, x]) * w2 + np.int64(source[r3, x]) * w3
        for n in range(count):
            out[n] = np.int16(total)


@nb.njit(**OWN)
def moved_row(source, step, offset, r, width, height, b, block, bits, moves, target, i, tall):  # type: ignore[no-untyped-def]
    """Row r of a plane ``width`` samples wide into row i of ``target`` from column 1 on, block by block of row b.

    ``moves`` are in units of 1/2^bits samples; every ``step``-th byte of a row belongs to the plane, from ``offset``
    on. Blocks that move alike are fetched at once.
    """
    j, count = 0, moves.shape[1]
    while j < count:
        dx, dy, end = np.int64(moves[b, j, 0]), np.int64(moves[b, j, 1]), j + 1
        while end < count and moves[b, end, 0] == dx and moves[b, end, 1] == dy:
            end += 1
        x0, x1 = block * j, min(block * end, width)
        row, first = r + (dy >> bits), x0 + (dx >> bits)
        across = (dx - ((dx >> bits) << bits)) << (3 - bits)
        down = (dy - ((dy >> bits) << bits)) << (3 - bits)
        if across == 0 and down == 0:
            row = min(max(row, 0), height - 1)
            inner0 = min(max(x0, x0 - first), x1)
            inner1 = max(min(x1, width - first + x0), inner0)
            at = step * (first + inner0 - x0) + offset
            for x in range(x0, inner0):
                target[0, i, x + 1] = source[row, offset]
            if step == 1:
                for x in range(inner1 - inner0):
                    target[0, i, np.uintp(inner0 + 1 + x)] = source[row, np.uintp(at + x)]
            else:
                for x in range(inner1 - inner0):
                    target[0, i, np.uintp(inner0 + 1 + x)] = source[row, np.uintp(at + 2 * x)]
            for x in range(inner1, x1):
                target[0, i, x + 1] = source[row, step * (width - 1) + offset]
        else:
            r0, r1 = min(max(row - 1, 0), height - 1), min(max(row, 0), height - 1)
            r2, r3 = min(max(row + 1, 0), height - 1), min(max(row + 2, 0), height - 1)
            _tall(source, step, offset, (r0, r1, r2, r3), first - 1, x1 - x0 + 3, width, down, tall)
            if across == 0:
                for x in range(x1 - x0):
                    whole = np.int16(np.int16(tall[x + 1] + np.int16(32)) >> 6)
                    target[0, i, np.uintp(x0 + 1 + x)] = np.uint8(min(max(whole, np.int16(0)), np.int16(255)))
            else:
                # In floats, exactly: whole numbers below 2^24 over 4096, and three times as fast as in 32-bit integers.
                g0, g1 = _F(TAPS[across, 0]) * _F(1 / 4096), _F(TAPS[across, 1]) * _F(1 / 4096)
                g2, g3 = _F(TAPS[across, 2]) * _F(1 / 4096), _F(TAPS[across, 3]) * _F(1 / 4096)
                for x in range(x1 - x0):
                    code = _F(tall[x]) * g0 + _F(tall[x + 1]) * g1 + _F(tall[x + 2]) * g2 + _F(tall[x + 3]) * g3
                    code = min(max(code + _F(0.5), _F(0)), _F(255))
                    target[0, i, np.uintp(x0 + 1 + x)] = np.uint8(np.int32(code))
        j = end


@nb.njit(**OWN)
def least_weights(c, half, rows, b, moves, trust, weights, least, slot):  # type: ignore[no-untyped-def]
    """Per site, the weight that the new picture has to have: all of it (128) where there is no history."""
    j, count = 0, moves.shape[1]
    while j < count:
        dx, row, floor = (np.int64(moves[b, j, 0]) + 4) >> 3, c + ((np.int64(moves[b, j, 1]) + 4) >> 3), trust[b, j]
        end = j + 1
        while (
            end < count
            and moves[b, end, 0] == moves[b, j, 0]
            and moves[b, end, 1] == moves[b, j, 1]
            and trust[b, end] == floor
        ):
            end += 1
        x0, x1 = 8 * j, min(8 * end, half)
        j = end
        inner0 = min(max(x0, -dx), x1)
        inner1 = max(min(x1, half - dx), inner0)
        if row < 0 or row >= rows:
            inner1 = inner0
        for x in range(x0, inner0):
            least[slot, x] = 128
        for x in range(inner1 - inner0):
            least[slot, np.uintp(inner0 + x)] = max(weights[row, np.uintp(inner0 + dx + x)], floor)
        for x in range(inner1, x1):
            least[slot, x] = 128
