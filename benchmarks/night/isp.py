"""From sensor codes to the planes of a video: black level, white balance, tone curve, BT.709 limited range, 4:2:0.

All of it acts on single samples, so it is tabulated over the sensor's codes. The tone curve is a power with a straight
toe, joined where both have the same value. Chroma is the mean of 2x2 pixels.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.night.clip import Bytes, Floats
from benchmarks.night.levels import Degradation
from benchmarks.night.noise import light_of_codes
from engines.colour import Colour
from engines.planes import Planes

BT709 = Colour("bt709", full_range=False)
_TO_YUV = np.array([[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]])
_SCALES = np.array([219.0, 224.0, 224.0])
_OFFSETS = np.array([16.0, 128.0, 128.0])


def tone(light: Floats, gamma: float, toe: float) -> Floats:
    """Light 0..1 -> signal 0..1; ``toe`` is the light below which the curve is straight."""
    light = np.clip(light, 0, 1)
    slope = toe ** (1 / gamma - 1)
    return np.asarray(np.where(light < toe, slope * light, np.maximum(light, toe) ** (1 / gamma)), np.float32)


@lru_cache(maxsize=8)
def _tables(camera: Degradation) -> tuple[Floats, ...]:
    """Signal 0..1 of each sensor code, for red, green, blue."""
    light = light_of_codes(camera.bits) + np.float32(camera.black)
    return tuple(tone(light * np.float32(gain), camera.gamma, camera.toe) for gain in camera.gains)


def develop(codes: NDArray[np.uint16], camera: Degradation) -> Planes:
    """Sensor codes [H, W, 3], H and W even -> 8-bit planes."""
    rgb = np.empty(codes.shape, np.float32)
    for channel, table in enumerate(_tables(camera)):
        np.take(table, codes[..., channel], out=rgb[..., channel])
    matrix = np.column_stack([_TO_YUV * _SCALES[:, None], _OFFSETS])
    yuv = np.asarray(cv2.transform(rgb, matrix), np.float32)
    height, width = codes.shape[:2]
    small = np.asarray(cv2.resize(yuv, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.float32)
    return Planes(_rounded(yuv[..., 0]), _rounded(small[..., 1]), _rounded(small[..., 2]), BT709)


def to_rgb(planes: Planes) -> Bytes:
    """R'G'B' [H, W, 3] of BT.709 limited planes, chroma interpolated; what a player shows."""
    size = (planes.width, planes.height)
    chroma = [cv2.resize(np.ascontiguousarray(p), size, interpolation=cv2.INTER_LINEAR) for p in (planes.u, planes.v)]
    yuv = np.stack([planes.y, *chroma], -1).astype(np.float32)
    inverse = np.linalg.inv(_TO_YUV) / _SCALES
    rgb = np.asarray(cv2.transform(yuv, 255 * np.column_stack([inverse, -inverse @ _OFFSETS])), np.float32)
    return _rounded(np.clip(rgb, 0, 255))


def _rounded(plane: Floats) -> Bytes:
    return np.asarray(np.rint(plane).astype(np.uint8))
