"""The bridge: finds the grid that best maps a thumbnail to its enhanced version, so that any network drives the same
pass.

Per node, weighted least squares over the pixels under its tent, ridged towards the fit of the whole picture in the
metric of the data (so many extra observations per observation, drawn from everywhere): this fills directions that a
flat cell does not see and does not bias a curve that is the same everywhere. It is solved for the difference to the
identity, so an unchanged thumbnail gives the exact identity whatever the rounding.
"""

from __future__ import annotations

import numpy as np

from engines.curve.grid import COEFFICIENTS, SLOPE_AT_BLACK, SLOPE_AT_WHITE, CurveGrid, Doubles
from engines.curve.moments import moments
from engines.errors import NotFiniteError
from engines.thumbnail import Thumbnail

RIDGE = 1e-3
TOWARDS_IDENTITY = 1e-8
"""Felt only by black and constant cells: they get the identity plus the offset that they need."""

_DIAGONAL = [0, 3, 5]


def fit(before: Thumbnail, after: Thumbnail, ridge: float = RIDGE) -> CurveGrid:
    """The monotone grid that turns ``before`` into ``after``, both [h, w]; one node per 8x8 pixels.

    Raises ``NotFiniteError`` if ``after`` holds NaN or infinity: keep the previous grid then.
    """
    matrix, right = moments(before, after)
    if not np.isfinite(right).all():
        raise NotFiniteError("the network gave NaN or infinity for this picture; keep the previous grid")
    count = matrix[0, 5]
    share = count * (ridge / count.sum())
    ridged = matrix + share * matrix.sum(axis=(2, 3), keepdims=True)
    ridged[:, _DIAGONAL] += count * TOWARDS_IDENTITY
    theta = _solve(ridged, right + share * right.sum(axis=(2, 3), keepdims=True))
    theta[:, 0] += 1
    _make_monotone(theta[0], ridged[0], matrix[0], right[0])
    return CurveGrid(theta.reshape(COEFFICIENTS, *count.shape).transpose(1, 2, 0).astype(np.float32))


def _solve(m: Doubles, r: Doubles) -> Doubles:
    """Solves symmetric 3x3 systems [..., 6 (upper triangle), rows, cols] by LDL', stable where cofactors cancel."""
    m00, m01, m02, m11, m12, m22 = np.moveaxis(m, -3, 0)
    r0, r1, r2 = np.moveaxis(r, -3, 0)
    l1, l2 = m01 / m00, m02 / m00
    d1 = m11 - l1 * m01
    e = m12 - l1 * m02
    l3 = e / d1
    d2 = m22 - l2 * m02 - l3 * e
    z1 = r1 - l1 * r0
    x2 = (r2 - l2 * r0 - l3 * z1) / d2
    x1 = z1 / d1 - l3 * x2
    return np.stack([r0 / m00 - l1 * x1 - l2 * x2, x1, x2], axis=-3)


def _make_monotone(theta: Doubles, ridged: Doubles, matrix: Doubles, right: Doubles) -> None:
    """Re-solves, in place, the luma curves that fall somewhere under the constraint that they just do not.

    On the face ``a = -z*s`` two unknowns are left. The slope comes from the ridged sums, the offset from the cell's
    own, so its mean brightness is kept; clipping a and s would shift it. Where no face helps, the curve is constant.
    """
    a, s, b = theta
    falls_white, falls_black = a + SLOPE_AT_WHITE * s < 0, a + SLOPE_AT_BLACK * s < 0
    todo = falls_white | falls_black
    if not todo.any():
        return
    m, raw, r = ridged[:, todo], matrix[:, todo], right[:, todo]
    y, root, count = raw[2], raw[4], raw[5]
    mean_target = (r[2] + y) / count
    slope_a, slope_s = np.zeros_like(y), np.zeros_like(y)
    open_ = np.ones(y.shape, dtype=bool)
    for z, falls, sign in ((SLOPE_AT_WHITE, falls_white[todo], 1), (SLOPE_AT_BLACK, falls_black[todo], -1)):
        curved = _on_face(m, r, z)
        use = open_ & falls & (sign * curved > 0)
        slope_a[use], slope_s[use] = -z * curved[use], curved[use]
        open_ &= ~use
    a[todo], s[todo] = slope_a, slope_s
    b[todo] = mean_target - (slope_a * y + slope_s * root) / count


def _on_face(m: Doubles, r: Doubles, z: float) -> Doubles:
    """The best ``s`` of the curves ``s*(sqrt(y) - z*y) + b``."""
    m00, m01, m02, m11, m12, m22 = m
    target_y, target_root, target_one = r[0] + m00, r[1] + m01, r[2] + m02
    ff = m11 - 2 * z * m01 + z * z * m00
    f1 = m12 - z * m02
    s: Doubles = (target_root - z * target_y - f1 / m22 * target_one) / (ff - f1 / m22 * f1)
    return s
