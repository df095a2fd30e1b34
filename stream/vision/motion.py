"""Where everything in a small picture was one picture earlier: dense optical flow with a confidence for every pixel.

One computation a frame serves the regions, the grid and the denoiser. The flow is OpenCV's DIS ("Fast Optical Flow
using Dense Inverse Search", Kroeger, Timofte, Dai, Van Gool, ECCV 2016) on 8-bit luma, blurred a little against noise
and begun at the flow of the frame before. Night pictures are noisy and DIS follows the noise, so its word is not taken
everywhere: the motion of the camera (``camera_motion``), which is exactly zero for a camera that stands still, explains
each pixel unless the flow explains its surroundings better by more than the noise could.

The confidence is exp(-e) with e, in pixels, the distance between a pixel and where the way there and back leads; the
backward flow has half the size. It falls, down to 0.3 of that, where the brightness differs by far more than the noise,
and is 0 outside of the picture before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stream.vision.camera_motion import CameraMotion, camera_motion, middle, warped
from stream.vision.opencv import looked_up, opencv, places

Floats = NDArray[np.float32]

_BLUR = 1.0
"""Standard deviation, in pixels, of the blur before everything else."""
_BOX = 5
"""Differences of brightness are compared as means over boxes of so many pixels a side."""
_MARGIN = 3.0
"""By how many variances of the noise the flow must explain a box better than the camera's motion does."""
_FAINTEST = 0.5
"""Variance, in codes squared, of what is taken for noise in noise-free pictures: what interpolation leaves."""
_DOUBTFUL = 9.0
"""Difference squared over the variance of noise in it beyond which confidence falls."""
_NARROW = 32
"""Pixels; below, DIS has no levels to work on."""
_UNLIKE = np.float32(0.3)
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
        self._forward.setVariationalRefinementIterations(2)
        self._backward: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._backward.setFinestScale(1)
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
        back: Floats = self._backward.calc(before.half_codes, now.half_codes, None)
        self._flow = flow
        half = camera_motion(now.half, before.half, flow[::2, ::2] * np.float32(0.5), self._camera)
        self._camera = half
        chosen, rest, noise = _choose(now.full, before.full, flow, half.scaled(2))
        back, _, _ = _choose(before.half, now.half, back, half.inverse())
        there = places(now.shape) + chosen
        seen = np.square(_DOUBTFUL / np.maximum(rest / noise, _DOUBTFUL))
        confidence = _agreement(chosen, back) * (_UNLIKE + (1 - _UNLIKE) * seen)
        h, w = now.shape
        inside = opencv().inRange(there, (-0.5, -0.5), (w - 0.5, h - 0.5))
        confidence[inside == 0] = 0
        return Motion(chosen, confidence)


class _Picture:
    """A picture as the steps need it: blurred, as codes and as float, in full and half size."""

    def __init__(self, luma: Floats) -> None:
        inside = np.fmin(np.fmax(luma, np.float32(0)), np.float32(1))
        cv2 = opencv()
        codes = (inside * np.float32(255) + np.float32(0.5)).astype(np.uint8)
        self.codes = cv2.GaussianBlur(codes, (0, 0), _BLUR)
        self.full: Floats = self.codes.astype(np.float32)
        h, w = luma.shape
        self.half: Floats = cv2.resize(self.full, (w // 2, h // 2), interpolation=cv2.INTER_AREA)
        self.half_codes = self.half.astype(np.uint8)

    @property
    def shape(self) -> tuple[int, int]:
        return self.full.shape[0], self.full.shape[1]


def _choose(now: Floats, before: Floats, flow: Floats, camera: CameraMotion) -> tuple[Floats, Floats, float]:
    """The flow, but the camera's motion where that is as good; the squared difference left; and the noise in it."""
    h, w = now.shape
    cv2 = opencv()
    there = places((h, w)) + flow
    with_flow = _unexplained(now, looked_up(before, there))
    with_camera = _unexplained(now, warped(before, camera))
    least = np.minimum(with_flow[::4, ::4], with_camera[::4, ::4])
    noise = max(middle(least, 1 / 3), _FAINTEST)
    follows = with_camera <= with_flow + np.float32(_MARGIN / 2 * noise)
    chosen, rest = flow.copy(), with_flow
    cv2.copyTo(camera.flow((h, w)), follows.view(np.uint8), chosen)
    cv2.copyTo(with_camera, follows.view(np.uint8), rest)
    return chosen, rest, noise


def _unexplained(now: Floats, before: Floats) -> Floats:
    """Mean squared difference around each pixel, but for a change of the brightness of all."""
    difference = now - before
    difference -= middle(difference[::4, ::4])
    cv2 = opencv()
    squares: Floats = cv2.sqrBoxFilter(difference, cv2.CV_32F, (_BOX, _BOX), borderType=cv2.BORDER_REPLICATE)
    return squares


def _agreement(flow: Floats, back: Floats) -> Floats:
    """exp(-distance between a pixel and where the way there and back leads): [h, w], from ``back`` of half the size."""
    h, w = back.shape[:2]
    cv2 = opencv()
    half = flow[::2, ::2] * np.float32(0.5)
    way_back = cv2.remap(back, places((h, w)) + half, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    off = half + way_back
    agreement: Floats = cv2.exp(cv2.magnitude(off[..., 0], off[..., 1]) * np.float32(-2))
    full: Floats = cv2.resize(agreement, (flow.shape[1], flow.shape[0]), interpolation=cv2.INTER_LINEAR)
    return full
