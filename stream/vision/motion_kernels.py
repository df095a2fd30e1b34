"""The loops of motion over small pictures, compiled: fits of the camera's motion, and the last step to full size.

A motion of the camera is float64 [3, 2] as in ``camera_motion``. Pictures are float32 [h, w] in codes.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from engines.compiled import compiled

_PICTURE = nb.float32[:, ::1]
_VECTORS = nb.float32[:, :, ::1]
_MATRIX = nb.float64[:, ::1]


@compiled(nb.void(_MATRIX, _MATRIX))
def solve(a, b):  # type: ignore[no-untyped-def]
    """Solves a x = b for a symmetric positive definite ``a`` [n, n]; ``b`` [n, m] becomes x, ``a`` is used up."""
    n = a.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            share = a[i, k] / a[k, k]
            a[i] -= share * a[k]
            b[i] -= share * b[k]
    for k in range(n - 1, -1, -1):
        for i in range(k + 1, n):
            b[k] -= a[k, i] * b[i]
        b[k] /= a[k, k]


@compiled(_MATRIX(_MATRIX, _MATRIX, _MATRIX))
def stepped(motion, normal, wish):  # type: ignore[no-untyped-def]
    """``motion`` [3, 2] and the step that solves ``normal`` [6, 6], a little damped, for ``wish`` [6, 1]."""
    damped, step = normal.copy(), wish.copy()
    for k in range(6):
        damped[k, k] += 1e-4 * normal[k, k] + 1e-6
    solve(damped, step)
    found = motion.copy()
    for k in range(6):
        found[k // 2, k % 2] += step[k, 0]
    return found


@compiled(_MATRIX(_VECTORS, _PICTURE, _MATRIX, nb.int64, nb.int64))
def fitted(flow, now, start, every, fits):  # type: ignore[no-untyped-def]
    """The affine motion that most of ``flow`` agrees with: reweighted least squares over one vector in ``every``²."""
    h, w = now.shape
    motion, spread = start.copy(), 2.0
    for _ in range(fits):
        normal, wish = 1e-9 * np.eye(3), np.zeros((3, 2))
        for i in range(every // 2, h - 1, every):
            for j in range(every // 2, w - 1, every):
                x, y = j - (w - 1) / 2, i - (h - 1) / 2
                gx, gy = (now[i, j + 1] - now[i, j - 1]) / 2, (now[i + 1, j] - now[i - 1, j]) / 2
                off_x = flow[i, j, 0] - (motion[0, 0] + motion[1, 0] * x + motion[2, 0] * y)
                off_y = flow[i, j, 1] - (motion[0, 1] + motion[1, 1] * x + motion[2, 1] * y)
                doubt = 1 + (off_x * off_x + off_y * off_y) / (spread * spread)
                # Textured places count more.
                weight = (min(gx * gx + gy * gy, 100) + 0.01) / (doubt * doubt)
                basis = (1.0, x, y)
                for k in range(3):
                    for m in range(3):
                        normal[k, m] += weight * basis[k] * basis[m]
                    wish[k, 0] += weight * basis[k] * flow[i, j, 0]
                    wish[k, 1] += weight * basis[k] * flow[i, j, 1]
        solve(normal, wish)
        motion[:] = wish
        spread = max(spread / 2, 0.3)
    return motion


@compiled(nb.void(_PICTURE, _PICTURE, _PICTURE, nb.float32, nb.float32, nb.int64, _MATRIX, _MATRIX))
def normal_equations(now, change, around, most, noise, margin, normal, wish):  # type: ignore[no-untyped-def]
    """Of the step [6] of the motion that explains ``change``, on every other row and ``margin`` away from the edges.

    Pixels where ``around`` is above ``most`` do not count, others by how little they change over ``noise``. The slope
    of the brightness for the motion's six numbers is its gradient times 1, x, y; in a row y stays the same.
    """
    h, w = now.shape
    soft = np.float32(0.25) / (noise * noise)
    half, middle = np.float32(0.5), np.float32((w - 1) / 2)
    normal[:], wish[:] = 0, 0
    sums, basis = np.zeros((5, 3)), np.zeros((3, 3))
    for i in range(margin + margin % 2, h - margin, 2):
        xx, xx1, xx2 = np.float32(0), np.float32(0), np.float32(0)
        xy, xy1, xy2 = np.float32(0), np.float32(0), np.float32(0)
        yy, yy1, yy2 = np.float32(0), np.float32(0), np.float32(0)
        cx, cx1, cy, cy1 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for j in range(margin, w - margin):
            off, x = change[i, j], np.float32(j) - middle
            doubt = np.float32(1) + off * off * soft
            weight = np.float32(1) / (doubt * doubt) if around[i, j] <= most else np.float32(0)
            gx, gy = (now[i, j + 1] - now[i, j - 1]) * half, (now[i + 1, j] - now[i - 1, j]) * half
            wx, wy = weight * gx, weight * gy
            a, b, c, d, e = wx * gx, wx * gy, wy * gy, wx * off, wy * off
            xx, xx1, xx2 = xx + a, xx1 + a * x, xx2 + a * x * x
            xy, xy1, xy2 = xy + b, xy1 + b * x, xy2 + b * x * x
            yy, yy1, yy2 = yy + c, yy1 + c * x, yy2 + c * x * x
            cx, cx1, cy, cy1 = cx + d, cx1 + d * x, cy + e, cy1 + e * x
        y = np.float32(i - (h - 1) / 2)
        sums[0], sums[1], sums[2] = (xx, xx1, xx2), (xy, xy1, xy2), (yy, yy1, yy2)
        sums[3], sums[4] = (cx, cx1, y * cx), (cy, cy1, y * cy)
        for pair in range(3):
            s, s1, s2 = sums[pair]
            basis[0], basis[1], basis[2] = (s, s1, s * y), (s1, s2, s1 * y), (s * y, s1 * y, s * y * y)
            for k in range(3):
                for m in range(3):
                    # Rows and columns are numbered as the motion [3, 2] is laid out: 2 k for dx, 2 k + 1 for dy.
                    if pair == 1:
                        normal[2 * k, 2 * m + 1] += basis[k, m]
                        normal[2 * k + 1, 2 * m] += basis[k, m]
                    else:
                        normal[2 * k + pair // 2, 2 * m + pair // 2] += basis[k, m]
        for k in range(3):
            wish[2 * k, 0] += sums[3, k]
            wish[2 * k + 1, 0] += sums[4, k]


@compiled(nb.void(_PICTURE, _MATRIX, _PICTURE))
def expected_change(now, motion, out):  # type: ignore[no-untyped-def]
    """How a motion changes the brightness, by its slope; zero at the picture's edges.

    The slope says what a pixel's step changes, and nothing of longer ones: those count as one pixel.
    """
    h, w = now.shape
    out[:] = 0
    for i in range(1, h - 1):
        y = np.float32(i - (h - 1) / 2)
        dx, right_x = np.float32(motion[0, 0] + motion[2, 0] * y), np.float32(motion[1, 0])
        dy, right_y = np.float32(motion[0, 1] + motion[2, 1] * y), np.float32(motion[1, 1])
        for j in range(1, w - 1):
            x = np.float32(j) - np.float32((w - 1) / 2)
            across, down = dx + right_x * x, dy + right_y * x
            step = np.float32(0.5) / max(np.sqrt(across * across + down * down), np.float32(1))
            slope = (now[i, j + 1] - now[i, j - 1]) * across + (now[i + 1, j] - now[i - 1, j]) * down
            out[i, j] = step * slope


@compiled(nb.void(_VECTORS, _PICTURE, _PICTURE, nb.float32, _MATRIX))
def choose(flow, with_flow, with_camera, worse, camera):  # type: ignore[no-untyped-def]
    """Puts the camera's motion into ``flow`` where what it leaves is at most ``worse`` above what the flow leaves.

    ``with_flow`` becomes what the choice leaves.
    """
    h, w = with_flow.shape
    for i in range(h):
        y = i - (h - 1) / 2
        dx, right_x = np.float32(camera[0, 0] + camera[2, 0] * y), np.float32(camera[1, 0])
        dy, right_y = np.float32(camera[0, 1] + camera[2, 1] * y), np.float32(camera[1, 1])
        for j in range(w):
            if with_camera[i, j] <= with_flow[i, j] + worse:
                x = np.float32(j) - np.float32((w - 1) / 2)
                flow[i, j, 0] = dx + right_x * x
                flow[i, j, 1] = dy + right_y * x
                with_flow[i, j] = with_camera[i, j]


@compiled(nb.void(_VECTORS, _PICTURE, _PICTURE, nb.float32, nb.float32, _VECTORS, _PICTURE))
def doubled(flow, agreement, rest, doubtful, unlike, full, confidence):  # type: ignore[no-untyped-def]
    """Motion and confidence [h, w] from those of half the size, each pixel as its block of 2x2.

    ``rest`` is the difference squared that the flow leaves: above ``doubtful`` the confidence falls towards ``unlike``
    of the ``agreement``. Where the flow leads outside it is 0.
    """
    rows, columns = agreement.shape
    h, w = confidence.shape
    across, down, trusts = np.empty(columns, np.float32), np.empty(columns, np.float32), np.empty(columns, np.float32)
    half, one = np.float32(0.5), np.float32(1)
    middle_x, middle_y = np.float32(columns / 2), np.float32(rows / 2)
    for y in range(rows):
        from_middle = np.float32(y) + half - middle_y
        for j in range(columns):
            dx, dy = flow[y, j, 0], flow[y, j, 1]
            off_x, off_y = abs(np.float32(np.int32(j)) + dx + half - middle_x), abs(from_middle + dy)
            seen = min(doubtful / max(rest[y, j], np.float32(1e-6)), one)
            trust = agreement[y, j] * (unlike + (one - unlike) * seen * seen)
            trusts[j] = trust if off_x <= middle_x and off_y <= middle_y else np.float32(0)
            across[j], down[j] = dx + dx, dy + dy
        for i in range(2 * y, h if y == rows - 1 else 2 * y + 2):
            for j in range(columns):
                for x in range(2 * j, 2 * j + 2):
                    full[i, x, 0], full[i, x, 1], confidence[i, x] = across[j], down[j], trusts[j]
            for x in range(2 * columns, w):
                full[i, x], confidence[i, x] = full[i, x - 1], confidence[i, x - 1]
