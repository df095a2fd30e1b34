"""What was behind: the exposure of places that were established, kept while something passes in front of them.

What passes in front of an established node and uncovers it again finds the exposure that was there, not the wish of the
moment; else every walker would draw a trail of other exposure behind it. And while it is there the node's curve goes on
to show the luma of what it hides, or hides in part, as it was, and bends towards the wish with the distance from it: a
cell is 60 pixels wide at 1080p, curves are mixed across it, and a white van would have a dark halo on a dark street.

The steps are defined here in NumPy, as in ``hold``; ``smoothing_kernels`` compiles them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import SLOPE_AT_BLACK, SLOPE_AT_WHITE
from stream.vision.carry import carried
from stream.vision.opencv import opencv

Floats = NDArray[np.float32]

REMEMBERED_S = (5.0, 10.0)
"""Time since a node was last established, from which its memory fades and after which it is lost."""
COVERED = 0.5
"""How far a node must be another one to tell what covers it."""
EVERYWHERE = (0.5, 0.7)
"""Share of the picture that has changed from which it may be the light, and from which it is no object."""
TINY = np.float32(1e-9)
CONTRAST = (0.03, 0.1)
"""Difference of the square roots of luma from which what covers a node can have another exposure than what it covers,
and from which it has its own entirely."""


@dataclass(frozen=True, slots=True)
class Backdrop:
    """What nodes were like when they were last established.

    ``coefficients`` [rows, cols, 9] and ``luma`` [rows, cols] of that time, ``age`` [rows, cols] seconds since, and
    how far the node has been another one in between, ``left`` [rows, cols] in 0..1.
    """

    coefficients: Floats
    luma: Floats
    age: Floats
    left: Floats

    @staticmethod
    def unknown(coefficients: Floats, luma: Floats) -> Backdrop:
        """Nothing has been established yet."""
        return Backdrop(coefficients, luma, np.full_like(luma, np.inf), np.zeros_like(luma))

    def returning(self, unlike: Floats) -> Floats:
        """How far each node [rows, cols] is back to what it was; ``unlike`` 0..1: how much its luma differs from it."""
        left = np.clip((self.left - COVERED) / (1 - COVERED), 0, 1)
        back: Floats = (1 - unlike) * left * self._known()
        return back

    def after(self, coefficients: Floats, luma: Floats, unlike: Floats, held: Floats, seconds: float) -> Backdrop:
        """The memory after a step that gave these curves; what is ``held`` entirely is remembered anew."""
        anew = held >= 1
        return Backdrop(
            np.where(anew[..., None], coefficients, self.coefficients),
            np.where(anew, luma, self.luma),
            np.where(anew, np.float32(0), self.age + np.float32(seconds)),
            np.where(anew, np.float32(0), np.maximum(self.left, unlike)),
        )

    def moved(self, distance: Floats) -> Backdrop:
        """The memory after the camera has moved: all nodes read at ``distance`` [2] (dx, dy in cells)."""
        # An age that is not known is infinite, and would leave NaN where it is mixed.
        age = np.minimum(self.age, np.float32(REMEMBERED_S[1]))
        fields = np.dstack((self.coefficients, self.luma, age, self.left))
        found = carried(fields, np.broadcast_to(distance, (*self.luma.shape, 2)))
        return Backdrop(found[..., :-3], found[..., -3], found[..., -2], found[..., -1])

    def covered(self, unlike: Floats) -> Floats:
        """How far something else is where the memory still knows what was, [rows, cols] in 0..1."""
        return unlike * self._known()

    def behind(self, curves: Floats, luma: Floats, unlike: Floats, much: float = 1.0) -> Floats:
        """Curves [rows, cols, 9], bent near what is not covered so that what is covered shows as it was.

        By nothing at the ``luma`` [rows, cols] of what covers a node or its neighbours, and more along the root of
        luma; ``much`` 0..1 of the whole way. Monotone curves stay monotone. Where most of the picture has changed, it
        was the light, and nothing is done.
        """
        covered = (unlike > COVERED) & (self.age < REMEMBERED_S[1])
        if not covered.any():
            return curves
        root, own = np.sqrt(luma), np.sqrt(self.luma)
        covers = _farthest(np.where(covered, root, np.float32(np.nan)), own)
        span = covers - own
        first, last = CONTRAST
        share = np.clip((np.abs(span) - first) / (last - first), 0, 1) * self._known() * unlike * _near(1 - unlike)
        share *= np.clip((EVERYWHERE[1] - unlike.mean()) / (EVERYWHERE[1] - EVERYWHERE[0]), 0, 1)
        apart = curve_at(self.coefficients, self.luma) - curve_at(curves, self.luma)
        span = np.where(np.abs(span) > first, span, np.float32(1))
        bent = _bent(curves, self.luma, np.float32(much) * share * apart, covers, span)
        return np.where((share > 0)[..., None], bent, curves)

    def _known(self) -> Floats:
        first, last = REMEMBERED_S
        known: Floats = np.clip((last - self.age) / (last - first), 0, 1).astype(np.float32)
        return known


def _bent(curves: Floats, luma: Floats, much: Floats, covers: Floats, span: Floats) -> Floats:
    """The curves changed by ``much`` at ``luma``, root ``covers - span``, and by nothing at root ``covers``.

    By a straight line over that root; where that makes a curve fall, it goes as far as needed towards the
    straight line through both points, and where that falls too, less is changed. [rows, cols], curves [rows, cols, 9].
    """
    low, high = curve_at(curves, luma), curve_at(curves, covers * covers)
    much = np.where(span > 0, np.minimum(much, high - low), np.maximum(much, high - low))
    straight = np.maximum((high - low - much) / span, 0)
    a, s, b = curves[..., 0], curves[..., 1] - much / span, curves[..., 2] + much * covers / span
    part = np.zeros_like(much)
    for z in (np.float32(SLOPE_AT_WHITE), np.float32(SLOPE_AT_BLACK)):
        falls = np.maximum(-(a + s * z), 0)
        part = np.maximum(part, falls / np.maximum(falls + straight * z, TINY))
    bent = curves.copy()
    bent[..., 0] = a - part * a
    bent[..., 1] = s + part * (straight - s)
    bent[..., 2] = b + part * (high - straight * covers - b)
    return bent


def curve_at(coefficients: Floats, luma: Floats) -> Floats:
    """Each node's luma curve at its own luma: [rows, cols]."""
    a, s, b = np.moveaxis(coefficients[..., :3], -1, 0)
    curve: Floats = a * luma + s * np.sqrt(luma) + b
    return curve


def _farthest(values: Floats, origin: Floats) -> Floats:
    """Of the values in 3x3 around each place the one farthest from its ``origin``; NaN are none, ``origin`` if all."""
    none = np.isnan(values)
    if none.all():
        return origin
    cv2, square = opencv(), np.ones((3, 3), np.uint8)
    most = cv2.dilate(np.where(none, np.float32(-1), values), square)
    least = cv2.erode(np.where(none, np.float32(2), values), square)
    farther = np.where(most - origin > origin - least, most, least)
    found: Floats = np.where(most < 0, origin, farther)
    return found


def _near(uncovered: Floats) -> Floats:
    """The most of the values in 3x3 around each place, and half of that in 5x5."""
    cv2 = opencv()
    near = cv2.dilate(uncovered, np.ones((3, 3), np.uint8))
    found: Floats = np.maximum(near, cv2.dilate(uncovered, np.ones((5, 5), np.uint8)) * np.float32(0.5))
    return found
