"""The loop of ``smoothing``, compiled: a step of every node of a grid; ``smoothing_reference`` defines it in NumPy.

A grid is small: in NumPy nearly all of the time goes into calling some hundred operations and not into what they do.
Everything is float32 in the order of the reference, without fast mathematics: a memory's age may be infinite.
"""

from __future__ import annotations

import math
from typing import Any

import numba as nb
import numpy as np

from engines.compiled import compiled
from engines.curve.grid import SLOPE_AT_BLACK, SLOPE_AT_WHITE
from stream.vision.backdrop import CONTRAST, COVERED, EVERYWHERE, REMEMBERED_S, TINY
from stream.vision.hold import ESTABLISHED_S, FASTEST, KNOTS, NEAR, PATIENCE_S, RATE, USUAL_CHROMA

_F = np.float32
_CODES = _F(255)
_ZERO, _HALF, _ONE = _F(0), _F(0.5), _F(1)
_CURVES = nb.types.Array(nb.float32, 3, "C", readonly=True)
_NODES = nb.types.Array(nb.float32, 2, "C", readonly=True)
_PART: dict[str, Any] = {"error_model": "numpy", "nogil": True}
PARTS = {"backdrop.py": "4903d073c860", "hold.py": "9c9097b107c0"}
"""Digests of the files whose numbers are compiled in here, as in ``engines.curve.temporal_kernels``."""

CLEARLY_DARKER = _F(0.04)
UNCHANGED, CLEARLY_CHANGED = _F(0.01), _F(0.05)
"""Change of the square root of a node's luma that counts as none, and as a changed scene; noise of codec and sensor
stays below the first, averaged over a node."""
PASSING = _F(2.5)
"""How many times longer what covers an established node has to be steady."""


@nb.njit(**_PART)
def _within(value):  # type: ignore[no-untyped-def]
    return min(max(value, _ZERO), _ONE)


@nb.njit(**_PART)
def _changed(luma, before):  # type: ignore[no-untyped-def]
    """How far the scene at a node is another one, 0..1."""
    return _within((abs(math.sqrt(luma) - math.sqrt(before)) - UNCHANGED) / (CLEARLY_CHANGED - UNCHANGED))


@nb.njit(**_PART)
def _curve_at(curves, i, j, luma):  # type: ignore[no-untyped-def]
    return curves[i, j, 0] * luma + curves[i, j, 1] * math.sqrt(luma) + curves[i, j, 2]


@nb.njit(**_PART)
def _known(age):  # type: ignore[no-untyped-def]
    return _within((_F(REMEMBERED_S[1]) - age) / _F(REMEMBERED_S[1] - REMEMBERED_S[0]))


@nb.njit(**_PART)
def _farthest(covering, i, j, origin):  # type: ignore[no-untyped-def]
    """Of what covers the nodes in 3x3 the root of luma farthest from ``origin``; ``origin`` where nothing does."""
    rows, cols = covering.shape
    most, least = -_ONE, _F(2)
    for r in range(max(i - 1, 0), min(i + 2, rows)):
        for c in range(max(j - 1, 0), min(j + 2, cols)):
            root = covering[r, c]
            if root >= _ZERO:
                most, least = max(most, root), min(least, root)
    if most < _ZERO:
        return origin
    return most if most - origin > origin - least else least


@nb.njit(**_PART)
def _near(unlike, i, j):  # type: ignore[no-untyped-def]
    """The most that is not covered in 3x3 around a node, and half of that in 5x5."""
    rows, cols = unlike.shape
    near, around = _ZERO, _ZERO
    for r in range(max(i - 2, 0), min(i + 3, rows)):
        for c in range(max(j - 2, 0), min(j + 3, cols)):
            uncovered = _ONE - unlike[r, c]
            around = max(around, uncovered)
            if abs(r - i) <= 1 and abs(c - j) <= 1:
                near = max(near, uncovered)
    return max(near, around * _HALF)


@nb.njit(**_PART)
def _bend(curves, i, j, luma, much, covers, span):  # type: ignore[no-untyped-def]
    """Changes a node's curve by ``much`` at ``luma``, as ``backdrop`` says."""
    low, high = _curve_at(curves, i, j, luma), _curve_at(curves, i, j, covers * covers)
    much = min(much, high - low) if span > _ZERO else max(much, high - low)
    straight = max((high - low - much) / span, _ZERO)
    a, s, b = curves[i, j, 0], curves[i, j, 1] - much / span, curves[i, j, 2] + much * covers / span
    part = _ZERO
    for z in (_F(SLOPE_AT_WHITE), _F(SLOPE_AT_BLACK)):
        falls = max(-(a + s * z), _ZERO)
        part = max(part, falls / max(falls + straight * z, TINY))
    curves[i, j, 0] = a - part * a
    curves[i, j, 1] = s + part * (straight - s)
    curves[i, j, 2] = b + part * (high - straight * covers - b)


@nb.njit(**_PART)
def _codes_between(before, after, i, j, luma):  # type: ignore[no-untyped-def]
    """How far two nodes lie apart, in codes, and the signed difference at the node's own luma: as in ``hold``."""
    a, s, b = (
        after[i, j, 0] - before[i, j, 0],
        after[i, j, 1] - before[i, j, 1],
        after[i, j, 2] - before[i, j, 2],
    )
    largest, direction = _ZERO, _ZERO
    for k in range(3):
        y = min(luma * _F(KNOTS[k]), _ONE)
        moved = a * y + s * math.sqrt(y) + b
        largest = max(largest, abs(moved))
        if k == 1:
            direction = moved
    for k in (3, 6):
        gain, cast = after[i, j, k] - before[i, j, k], after[i, j, k + 1] - before[i, j, k + 1]
        shift = after[i, j, k + 2] - before[i, j, k + 2]
        largest = max(largest, abs(gain) * USUAL_CHROMA + abs(cast * luma + shift))
    return _CODES * largest, _CODES * direction


@compiled(
    nb.void(
        *(_CURVES, _CURVES, _CURVES, _NODES, _NODES, _NODES, _NODES, _NODES, _NODES, _NODES, _NODES),
        *(nb.float32, nb.float32, nb.float32, nb.float32),
        *(nb.float32[:, :, ::1], nb.float32[:, :, ::1], nb.float32[:, :, ::1], nb.float32[:, :, ::1]),
    ),
    fastmath=False,
)
def smooth_nodes(  # type: ignore[no-untyped-def]
    wish,
    before,
    remembered,
    luma,
    luma_before,
    steady_before,
    settled,
    pulled_s,
    remembered_luma,
    age,
    left,
    seconds,
    fast,
    brightening_s,
    longest_s,
    wanted,
    grid,
    remembered_now,
    nodes,
):
    """``grid`` and ``remembered_now`` [rows, cols, 9], and ``nodes`` [9, rows, cols]: the state after ``seconds``.

    ``nodes``: luma, steady_s, settled, pulled_s; the backdrop's luma, age and left; two more are scratch, like
    ``wanted`` [rows, cols, 9]. ``fast`` is the share of the way that light is dimmed in this step.
    """
    rows, cols = luma.shape
    unlike, covering = nodes[7], nodes[8]
    total, any_covered = 0.0, False
    for i in range(rows):
        for j in range(cols):
            unlike[i, j] = _changed(luma[i, j], remembered_luma[i, j])
            total += unlike[i, j]
            covered = unlike[i, j] > _F(COVERED) and age[i, j] < _F(REMEMBERED_S[1])
            covering[i, j] = math.sqrt(luma[i, j]) if covered else -_ONE
            any_covered = any_covered or covered
    changed_all = _F(total / (rows * cols))
    object_like = _within((_F(EVERYWHERE[1]) - changed_all) / _F(EVERYWHERE[1] - EVERYWHERE[0]))
    for i in range(rows):
        for j in range(cols):
            y, apart, known = luma[i, j], unlike[i, j], _known(age[i, j])
            changed = _changed(y, luma_before[i, j])
            steady = (steady_before[i, j] + seconds) * (_ONE - changed)
            # What covers something that is known has to stay for longer to become the scene itself.
            lasting = steady / (_ONE + (PASSING - _ONE) * (apart * known))
            held = _within((lasting - _F(ESTABLISHED_S[0])) / _F(ESTABLISHED_S[1] - ESTABLISHED_S[0])) * settled[i, j]
            free = held < _ONE
            covers, span, share = _ZERO, _ONE, _ZERO
            if free and any_covered and apart > _ZERO and known > _ZERO:
                own = math.sqrt(remembered_luma[i, j])
                covers = _farthest(covering, i, j, own)
                span = covers - own
                share = _within((abs(span) - _F(CONTRAST[0])) / _F(CONTRAST[1] - CONTRAST[0]))
                share = share * known * apart * _near(unlike, i, j) * object_like
                span = span if abs(span) > _F(CONTRAST[0]) else _ONE
            for k in range(9):
                wanted[i, j, k] = wish[i, j, k]
            behind = _ZERO
            if share > _ZERO:
                behind = _curve_at(remembered, i, j, remembered_luma[i, j])
                missing = behind - _curve_at(wanted, i, j, remembered_luma[i, j])
                _bend(wanted, i, j, remembered_luma[i, j], share * missing, covers, span)
            back = _ZERO
            if free:
                was_another = _within((left[i, j] - _F(COVERED)) / _F(1 - COVERED))
                back = (_ONE - apart) * was_another * known
                for k in range(9):
                    wanted[i, j, k] += back * (remembered[i, j, k] - wanted[i, j, k])

            darker = _within((_curve_at(before, i, j, y) - _curve_at(wanted, i, j, y)) / CLEARLY_DARKER)
            slow = _ONE - math.exp(-seconds / min(max(steady, brightening_s), longest_s))
            alpha = slow + max(fast - slow, _ZERO) * darker * changed
            codes, direction = _codes_between(before, wanted, i, j, y)
            # What is known already need not be felt for: it comes back as fast as light is dimmed.
            alpha += max(fast - alpha, _ZERO) * back
            late = max(abs(pulled_s[i, j]) - _F(PATIENCE_S), _ZERO)
            rate = min(_F(RATE) * (_ONE + late), _F(FASTEST))
            allowed = min(_ONE, rate * seconds / max(alpha * codes, _F(1e-6)))
            allowed = _ONE - held * (_ONE - allowed)
            alpha = alpha * allowed
            for k in range(9):
                grid[i, j, k] = before[i, j, k] + alpha * (wanted[i, j, k] - before[i, j, k])
            if share > _ZERO:
                missing = behind - _curve_at(grid, i, j, remembered_luma[i, j])
                _bend(grid, i, j, remembered_luma[i, j], fast * share * missing, covers, span)

            sign = _F((direction > _ZERO) - (direction < _ZERO))
            pulled = (pulled_s[i, j] if sign * pulled_s[i, j] >= _ZERO else _ZERO) + sign * seconds
            nodes[0, i, j] = luma_before[i, j] + alpha * (y - luma_before[i, j])
            nodes[1, i, j] = steady
            arrived = max(settled[i, j], _ONE if codes < _F(NEAR) else _ZERO)
            nodes[2, i, j] = arrived if steady > _F(ESTABLISHED_S[0]) else _ZERO
            nodes[3, i, j] = pulled if allowed < _ONE else _ZERO
            nodes[4, i, j] = remembered_luma[i, j] if free else luma_before[i, j]
            nodes[5, i, j] = age[i, j] + seconds if free else _ZERO
            nodes[6, i, j] = max(left[i, j], apart) if free else _ZERO
            for k in range(9):
                remembered_now[i, j, k] = remembered[i, j, k] if free else grid[i, j, k]
