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
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

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

    def flow(self, shape: tuple[int, int]) -> Floats:
        """The motion of every pixel: [h, w, 2]."""
        h, w = shape
        x, y = np.arange(w) - (w - 1) / 2, np.arange(h) - (h - 1) / 2
        flow = np.empty((h, w, 2), np.float32)
        for axis in range(2):
            shift, right, down = self.motion[:, axis]
            np.add((shift + right * x).astype(np.float32), (down * y).astype(np.float32)[:, None], out=flow[..., axis])
        return flow

    def matrix(self, shape: tuple[int, int]) -> NDArray[np.float64]:
        """[2, 3]: place in the picture before = matrix @ (x, y, 1)."""
        h, w = shape
        linear = np.eye(2) + self.motion[1:].T
        centre = np.array([(w - 1) / 2, (h - 1) / 2])
        return np.column_stack([linear, self.motion[0] + centre - linear @ centre])

    def inverse(self) -> CameraMotion:
        """The way back: from the picture before to this one."""
        linear = np.linalg.inv(np.eye(2) + self.motion[1:].T)
        return CameraMotion(np.vstack([-linear @ self.motion[0], (linear - np.eye(2)).T]))

    def scaled(self, factor: float) -> CameraMotion:
        """The same motion in a picture ``factor`` times the size."""
        return CameraMotion(self.motion * np.array([[factor], [1.0], [1.0]]))

    def farthest(self, shape: tuple[int, int]) -> float:
        """The longest motion of any pixel, in pixels; it is found in a corner."""
        h, w = shape
        corners = np.array([[1.0, x * (w - 1) / 2, y * (h - 1) / 2] for x in (-1, 1) for y in (-1, 1)])
        return float(np.hypot(*(corners @ self.motion).T).max())


def camera_motion(now: Floats, before: Floats, flow: Floats, start: CameraMotion) -> CameraMotion:
    """The camera's motion from brightness ``now`` and ``before`` [h, w] in codes, little noise in it, and their flow.

    ``flow`` [h, w, 2] in pixels need not be right everywhere; ``start`` is a guess, the last one. Sides of 16 at least.
    """
    shape = now.shape[0], now.shape[1]
    gradients = _gradient(now)
    camera = _fitted(flow, gradients, start)
    slopes, edges = _slopes(gradients), _edges(shape, camera)
    normal, noise = np.zeros((6, 6)), _FAINTEST
    for refinement in range(_REFINEMENTS):
        change = _change(now, warped(before, camera))
        noise = max(1.4826 * middle(np.abs(change[::4, ::4])), _FAINTEST)
        weights = 1 / np.square(1 + np.square(change * np.float32(0.5 / noise)))
        if refinement:
            # Whole neighbourhoods that do not follow are objects of their own, whatever single pixels look like.
            box = _around(change)
            weights[box > max(_UNEXPLAINED * noise * noise, middle(box[::4, ::4], _FOLLOWING))] = 0
        weighted = slopes * (weights * edges)[::2].ravel()
        # Not as a product of matrices, which would be no faster for so few, and might start the threads of a BLAS.
        normal = np.einsum("ik,jk->ij", weighted, slopes).astype(np.float64)
        wish = np.einsum("ik,k->i", weighted, change[::2].ravel())
        ridge = 1e-4 * np.diag(np.diag(normal)) + 1e-6 * np.eye(6)
        camera = CameraMotion(camera.motion + np.linalg.solve(normal + ridge, wish).reshape(3, 2))
    motion = camera.motion.ravel()
    evidence = motion @ normal @ motion / (2 * noise * noise)
    reach = camera.farthest(shape)
    if not np.isfinite(reach) or evidence < _SIGNIFICANT or reach < _LEAST_PIXELS or reach > max(shape):
        return CameraMotion.none()
    return camera if _seen(now, before, camera, gradients, noise) else CameraMotion.none()


def _seen(now: Floats, before: Floats, camera: CameraMotion, gradients: tuple[Floats, Floats], noise: float) -> bool:
    """Whether the motion explains the picture where it should be visible, and not only an object.

    It should be where it changes the brightness by more than the noise; there it must explain what a still camera
    does not, on half of these places at least.
    """
    shape = now.shape[0], now.shape[1]
    # The slope of the brightness says what a pixel's step changes, and nothing of longer ones.
    flow = camera.flow(shape) / np.float32(max(camera.farthest(shape), 1.0))
    expected = _around(gradients[0] * flow[..., 0] + gradients[1] * flow[..., 1])
    gain = _around(_change(now, before)) - _around(_change(now, warped(before, camera)))
    visible = expected > noise * noise
    return bool(2 * np.count_nonzero(gain[visible] > expected[visible] / 2) >= np.count_nonzero(visible))


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


def _gradient(picture: Floats) -> tuple[Floats, Floats]:
    """Central differences, zero at the edges."""
    x, y = np.zeros_like(picture), np.zeros_like(picture)
    np.multiply(picture[:, 2:] - picture[:, :-2], np.float32(0.5), out=x[:, 1:-1])
    np.multiply(picture[2:] - picture[:-2], np.float32(0.5), out=y[1:-1])
    return x, y


def _fitted(flow: Floats, gradients: tuple[Floats, Floats], start: CameraMotion) -> CameraMotion:
    """The affine motion that most of the flow agrees with; textured places count more."""
    places = slice(_EVERY // 2, None, _EVERY)
    vectors = flow[places, places].reshape(-1, 2).astype(np.float64)
    basis = _basis((flow.shape[0], flow.shape[1]))
    strength = gradients[0][places, places] ** 2 + gradients[1][places, places] ** 2
    texture = np.minimum(strength, 100).ravel().astype(np.float64) + 0.01
    motion, spread = start.motion, 2.0
    for _ in range(_FITS):
        away = vectors - basis @ motion
        weighted = basis * (texture / (1 + (away * away).sum(axis=1) / spread**2) ** 2)[:, None]
        motion = np.linalg.solve(weighted.T @ basis + 1e-9 * np.eye(3), weighted.T @ vectors)
        spread = max(spread / 2, 0.3)
    return CameraMotion(motion)


@lru_cache(maxsize=8)
def _basis(shape: tuple[int, int]) -> NDArray[np.float64]:
    h, w = shape
    y, x = np.mgrid[_EVERY // 2 : h : _EVERY, _EVERY // 2 : w : _EVERY].reshape(2, -1)
    return np.column_stack([np.ones(x.size), x - (w - 1) / 2, y - (h - 1) / 2])


def _slopes(gradients: tuple[Floats, Floats]) -> Floats:
    """How the brightness changes with each of the six numbers of a motion, on every other row: [6, pixels]."""
    h, w = gradients[0].shape
    x = (np.arange(w, dtype=np.float32) - np.float32((w - 1) / 2))[None]
    y = (np.arange(h, dtype=np.float32) - np.float32((h - 1) / 2))[::2, None]
    slopes = np.empty((3, 2, y.size, w), np.float32)
    for axis, gradient in enumerate(gradients):
        slopes[0, axis] = gradient[::2]
        np.multiply(slopes[0, axis], x, out=slopes[1, axis])
        np.multiply(slopes[0, axis], y, out=slopes[2, axis])
    return slopes.reshape(6, -1)


def _edges(shape: tuple[int, int], camera: CameraMotion) -> Floats:
    """1, but 0 in the border that the motion may carry out of the picture before; never more than a quarter."""
    h, w = shape
    margin = min(int(min(camera.farthest(shape), h + w)), min(h, w) // 4) + 1
    edges = np.zeros((h, w), np.float32)
    edges[margin:-margin, margin:-margin] = 1
    return edges
