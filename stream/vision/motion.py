"""Where everything in a small picture was one picture earlier: dense optical flow with a confidence for every pixel.

One computation a frame serves the regions, the grid and the denoiser. The flow is OpenCV's DIS ("Fast Optical Flow
using Dense Inverse Search", Kroeger, Timofte, Dai, Van Gool, ECCV 2016) on 8-bit luma, blurred a little against noise
and begun at the flow of the frame before. Everything happens at half the picture's size: DIS looks at nothing finer
than a quarter in any case. The result has the full size, in blocks of 2x2. Night pictures are noisy and DIS follows the
noise, so its word is not taken everywhere: the motion of the camera (``camera_motion``), which is exactly zero for a
camera that stands still, explains each pixel unless the flow explains its surroundings better by more than the noise
could.

The confidence is exp(-e) with e, in pixels, the distance between a pixel and where the way there and back leads. It
falls, down to 0.3 of that, where the brightness differs by far more than the noise,
and is 0 outside of the picture before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.vision.camera_motion import CameraMotion, camera_motion, middle, warped
from stream.vision.motion_kernels import choose, doubled
from stream.vision.opencv import looked_up, opencv, places

Floats = NDArray[np.float32]

_BLUR = 0.55
"""Standard deviation, in pixels of half the size, of the blur before everything else."""
_BOX = 5
"""Differences of brightness are compared as means over boxes of so many pixels of half the size a side."""
_MARGIN = 1.8
"""By how many variances of the noise the flow must explain a box better than the camera's motion does."""
_FAINTEST = 0.5
"""Variance, in codes squared, of what is taken for noise in noise-free pictures: what interpolation leaves."""
_DOUBTFUL = 9.0
"""Difference squared over the variance of noise in it beyond which confidence falls."""
_NARROW = 32
"""Pixels; below, DIS has no levels to work on."""
_UNLIKE = 0.3
"""What is left of the confidence where the picture looks quite different from where the flow leads."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Motion from one picture back to the one before, both [h, w]."""

    flow: Floats
    """[h, w, 2] as (dx, dy) in pixels: what is at x now was at x + flow(x) before."""
    confidence: Floats
    """[h, w] in 0..1; 0 where it was outside or hidden, or nothing is known."""

    @staticmethod
    def still(h: int, w: int) -> Motion:
        """Nothing moved, for certain."""
        return Motion(np.zeros((h, w, 2), np.float32), np.ones((h, w), np.float32))


class MotionSource(Protocol):
    """What estimates motion: ``MotionEstimator`` on the CPU, or another with the same meaning on other hardware."""

    def step(self, luma: Floats) -> Motion | None: ...

    def reset(self) -> None: ...


class MotionEstimator:
    """Call ``step`` with the pictures of one video, in order."""

    def __init__(self) -> None:
        cv2 = opencv()
        self._forward: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._forward.setFinestScale(1)
        self._forward.setVariationalRefinementIterations(2)
        self._backward: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._backward.setFinestScale(1)
        self._backward.setVariationalRefinementIterations(0)
        self._last: _Picture | None = None
        self._flow: Floats | None = None
        self._camera = CameraMotion.none()

    def reset(self) -> None:
        """Forget the last picture: the next one is a first one."""
        self._last = self._flow = None
        self._camera = CameraMotion.none()

    def step(self, luma: Floats) -> Motion | None:
        """The motion since the last picture, from enhanced luma [h, w] in 0..1 (outside is clipped).

        None for the first picture, where the size is another than before, and for pictures too narrow for a flow.
        """
        if min(luma.shape) < _NARROW:
            return None
        now, before = _Picture(luma), self._last
        if before is None or before.shape != now.shape:
            self.reset()
            self._last = now
            return None
        self._last = now
        guess = None if self._flow is None else self._flow.copy()
        flow: Floats = self._forward.calc(now.codes, before.codes, guess)
        back: Floats = self._backward.calc(before.codes, now.codes, None)
        self._flow = flow
        self._camera = camera_motion(now.half, before.half, flow, self._camera)
        chosen, rest, noise = _choose(now.half, before.half, flow, self._camera)
        back, _, _ = _choose(before.half, now.half, back, self._camera.inverse())
        motion = Motion(np.empty((*now.shape, 2), np.float32), np.empty(now.shape, np.float32))
        agreement = _agreement(chosen, back)
        doubled(chosen, agreement, rest, _DOUBTFUL * noise, _UNLIKE, motion.flow, motion.confidence)
        return motion


class _Picture:
    """A picture as the steps need it: of half the size, blurred, in codes as float and as integers."""

    def __init__(self, luma: Floats) -> None:
        cv2 = opencv()
        self.shape = luma.shape[0], luma.shape[1]
        half = cv2.resize(luma, (self.shape[1] // 2, self.shape[0] // 2), interpolation=cv2.INTER_AREA)
        half = np.fmin(np.fmax(half, np.float32(0)), np.float32(1)) * np.float32(255)
        self.half: Floats = cv2.GaussianBlur(half, (3, 3), _BLUR)
        self.codes = cv2.convertScaleAbs(self.half)


def _choose(now: Floats, before: Floats, flow: Floats, camera: CameraMotion) -> tuple[Floats, Floats, float]:
    """The flow, but the camera's motion where that is as good; the squared difference left; and the noise in it."""
    rest = _unexplained(now, looked_up(before, places((now.shape[0], now.shape[1])) + flow))
    with_camera = _unexplained(now, warped(before, camera))
    noise = max(middle(np.minimum(rest[::4, ::4], with_camera[::4, ::4]), 1 / 3), _FAINTEST)
    chosen = flow.copy()
    choose(chosen, rest, with_camera, _MARGIN / 2 * noise, camera.motion)
    return chosen, rest, noise


def _unexplained(now: Floats, before: Floats) -> Floats:
    """Mean squared difference around each pixel, but for a change of the brightness of all."""
    difference = now - before
    difference -= middle(difference[::4, ::4])
    cv2 = opencv()
    squares: Floats = cv2.sqrBoxFilter(difference, cv2.CV_32F, (_BOX, _BOX), borderType=cv2.BORDER_REPLICATE)
    return squares


def _agreement(flow: Floats, back: Floats) -> Floats:
    """exp(-e), e in pixels of the full size between a pixel and where the way there and back leads: [h, w]."""
    cv2 = opencv()
    off = looked_up(back, places((flow.shape[0], flow.shape[1])) + flow)
    off += flow
    agreement: Floats = cv2.exp(cv2.magnitude(off[..., 0], off[..., 1]) * np.float32(-2))
    return agreement
