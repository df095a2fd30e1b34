"""How the camera moved between two small pictures: the affine motion that most of the picture follows.

Where a picture has no texture its optical flow is chance, and noise shakes it everywhere. What most of the picture does
is known far better than any single vector: an affine motion has six numbers and thousands of pixels to find them. It is
first fitted to the dense flow by iteratively reweighted least squares, then refined on the brightness itself by
Gauss-Newton steps (Lucas and Kanade 1981, with the robust weights of Black and Anandan 1996), so that moving objects
count little. A motion that the noise of the pictures could have made alone is no motion: exactly zero. So is one that
explains an object only, and not most of the places where it should be visible.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray

from stream.vision.motion_kernels import expected_change, fitted, normal_equations, stepped
from stream.vision.opencv import opencv

Floats = NDArray[np.float32]

_EVERY = 8
"""The fit looks at one vector of the flow in 8x8."""
_FITS, _REFINEMENTS = 4, 3
_LEAST_PIXELS = 0.03
"""A motion that stays below this everywhere in the picture is none."""
_SIGNIFICANT = 60.0
"""Squared motion over its variance from which it counts. Noise alone gives about 6 times the number of pixels that
share their noise through the blur; on still pictures with noise it stayed below 30."""
_UNEXPLAINED = 4.0
"""Mean square of the change around a pixel, over the variance of the noise, from which the pixel does not follow."""
_FOLLOWING = 0.7
"""At least this share of the picture is asked where the camera went."""
_CLEARLY, _AGAINST = 3.0, 0.4
"""Variances of the noise by which one motion explains a place clearly better than another; and how many places may
speak for a still camera for each one that speaks against it. In pans past people and vans it stayed below 0.31."""
_ANY = 1e30
_FAINTEST = 0.3
"""Noise of the pictures in codes is taken to be at least this: they were rounded."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraMotion:
    """``motion`` float64 [3, 2]: shift at the picture's centre, and its change per pixel to the right and down.

    All in pixels of the picture: what is at (x, y) now was at (x, y) + (1, x - cx, y - cy) @ motion before.
    """

    motion: NDArray[np.float64]

    @staticmethod
    def none() -> CameraMotion:
        return CameraMotion(np.zeros((3, 2)))

    @property
    def still(self) -> bool:
        return not self.motion.any()

    def matrix(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """[2, 3]: place in the picture before = matrix @ (x, y, 1)."""
        cx, cy = (shape[1] - 1) / 2, (shape[0] - 1) / 2
        (dx, dy), (dx_x, dy_x), (dx_y, dy_y) = self.motion.tolist()
        return np.array([[1 + dx_x, dx_y, dx - dx_x * cx - dx_y * cy], [dy_x, 1 + dy_y, dy - dy_x * cx - dy_y * cy]])

    def inverse(self) -> CameraMotion:
        """The way back: from the picture before to this one."""
        linear = np.linalg.inv(np.eye(2) + self.motion[1:].T)
        return CameraMotion(np.ascontiguousarray(np.vstack([-linear @ self.motion[0], (linear - np.eye(2)).T])))

    def farthest(self, shape: tuple[int, int]) -> float:
        """The longest motion of any pixel, in pixels; it is found in a corner."""
        x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
        (dx, dy), (dx_x, dy_x), (dx_y, dy_y) = self.motion.tolist()
        return max(
            hypot(dx + side * dx_x * x + end * dx_y * y, dy + side * dy_x * x + end * dy_y * y)
            for side in (-1, 1)
            for end in (-1, 1)
        )


def camera_motion(now: Floats, before: Floats, flow: Floats, start: CameraMotion) -> CameraMotion:
    """The camera's motion from brightness ``now`` and ``before`` [h, w] in codes, little noise in it, and their flow.

    ``flow`` [h, w, 2] in pixels need not be right everywhere; ``start`` is a guess, the last one. Sides of 16 at least.
    """
    shape = now.shape[0], now.shape[1]
    camera = CameraMotion(fitted(flow, now, start.motion, _EVERY, _FITS))
    margin = _margin(shape, camera)
    normal, wish = np.zeros((6, 6)), np.zeros((6, 1))
    for refinement in range(_REFINEMENTS):
        change = _change(now, warped(before, camera))
        noise = max(1.4826 * middle(np.abs(change[::4, ::4])), _FAINTEST)
        around, most = change, _ANY
        if refinement:
            # Whole neighbourhoods that do not follow are objects of their own, whatever single pixels look like.
            around = _around(change)
            most = max(_UNEXPLAINED * noise * noise, middle(around[::4, ::4], _FOLLOWING))
        normal_equations(now, change, around, most, noise, margin, normal, wish)
        camera = CameraMotion(stepped(camera.motion, normal, wish))
    motion = camera.motion.ravel()
    evidence = motion @ normal @ motion / (2 * noise * noise)
    reach = camera.farthest(shape)
    if not np.isfinite(reach) or evidence < _SIGNIFICANT or reach < _LEAST_PIXELS or reach > max(shape):
        return CameraMotion.none()
    return camera if _seen(now, before, camera, around, noise) else CameraMotion.none()


def _seen(now: Floats, before: Floats, camera: CameraMotion, left: Floats, noise: float) -> bool:
    """Whether the motion explains the picture where it should be visible, and not only an object.

    It should be where it changes the brightness by more than the noise; there it must explain what a still camera
    does not, on half of these places at least. And a still camera must not explain clearly better what many others
    show. ``left`` is the mean square of the change that the motion leaves.
    """
    slope = np.empty_like(now)
    expected_change(now, camera.motion, slope)
    expected = _around(slope)[::2]
    still = _change(now, before)
    gain = _around(still)[::2] - left[::2]
    visible = expected > noise * noise
    explained = visible & (gain > expected * np.float32(0.5))
    clearly = _CLEARLY * min(noise, max(1.4826 * middle(np.abs(still[::4, ::4])), _FAINTEST)) ** 2
    better, worse = np.count_nonzero(gain > clearly), np.count_nonzero(gain < -clearly)
    return bool(2 * np.count_nonzero(explained) >= np.count_nonzero(visible) and worse <= _AGAINST * better)


def _change(now: Floats, before: Floats) -> Floats:
    """The difference, but for a change of the brightness of all."""
    change = now - before
    change -= middle(change[::4, ::4])
    return change


def _around(values: Floats) -> Floats:
    """Means of the squares over 9x9."""
    cv2 = opencv()
    means: Floats = cv2.sqrBoxFilter(values, cv2.CV_32F, (9, 9), borderType=cv2.BORDER_REPLICATE)
    return means


def warped(before: Floats, camera: CameraMotion) -> Floats:
    """The picture before as it would look now if all of it followed the camera: [h, w], edges repeated."""
    if camera.still:
        return before
    h, w = before.shape
    cv2 = opencv()
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    now: Floats = cv2.warpAffine(before, camera.matrix((h, w)), (w, h), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return now


def middle(values: Floats, share: float = 0.5) -> float:
    """The value that ``share`` of the values lie below; on so few values faster than ``np.quantile``."""
    place = int(values.size * share)
    return float(np.partition(values, place, axis=None)[place])


def _margin(shape: tuple[int, int], camera: CameraMotion) -> int:
    """The border that the motion may carry out of the picture before, in pixels; never more than a quarter."""
    h, w = shape
    return min(int(min(camera.farthest(shape), h + w)), min(h, w) // 4) + 1
