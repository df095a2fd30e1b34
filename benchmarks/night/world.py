"""The standing part of a scene: a picture wide enough for the camera's whole path, and the light that falls on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from benchmarks.night.clip import Bytes, Floats
from benchmarks.night.light import LAMP_COLOUR, Lamp, add_lamp, add_window

LOG_MEAN = 0.18
HIGHLIGHTS = 0.99
WIDENED = 1.5
"""A squarish photograph is drawn out by at most this before it is mirrored to fill the width."""

_CODES = np.arange(256) / 255
TO_LINEAR: Floats = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(slots=True)
class World:
    """``pictures``: the target's R'G'B' in world pixels, one for all frames or one for each; ``maps``: see ``light``.

    World point (left, top) is the corner of pixel [0, 0].
    """

    pictures: list[Bytes]
    maps: Floats
    left: int
    top: int
    posts: list[Lamp] = field(default_factory=list)

    def picture(self, t: int) -> Bytes:
        return self.pictures[min(t, len(self.pictures) - 1)]

    def add(self, lamp: Lamp) -> None:
        """Puts a lamp on a post, in world pixels, into light and target."""
        here = Lamp(lamp.x - self.left, lamp.y - self.top, lamp.core, lamp.power)
        shown = add_lamp(self.maps, here)[..., None] * np.asarray(LAMP_COLOUR, np.float32)
        for i, picture in enumerate(self.pictures):
            post = picture.copy()
            foot = (round(here.x), min(round(here.y + 24 * here.core), picture.shape[0] - 1))
            width = max(1, round(0.5 * here.core))
            cv2.line(post, (round(here.x), round(here.y)), foot, (38, 36, 36), width, cv2.LINE_AA)
            self.pictures[i] = signal(np.minimum(linear(post) * (1 - shown) + shown, 1))
        self.posts.append(lamp)

    def open(self, box: tuple[float, float, float, float], brightness: float, blur: float) -> None:
        """A window or door to somewhere bright, in world pixels; what is seen through it is pale, in the target too."""
        left, top, right, bottom = box
        here = (left - self.left, top - self.top, right - self.left, bottom - self.top)
        haze = 0.4 * add_window(self.maps, here, brightness, blur)[..., None]
        self.pictures = [signal(linear(picture) * (1 - haze) + haze) for picture in self.pictures]


def linear(picture: Bytes) -> Floats:
    """sRGB codes -> linear light 0..1 (IEC 61966-2-1)."""
    return np.asarray(cv2.LUT(picture, TO_LINEAR), np.float32)


def signal(light: Floats) -> Bytes:
    """Linear light -> sRGB codes."""
    light = np.clip(light, 0, 1)
    shown = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.power(np.maximum(light, 1e-6), 1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * shown).astype(np.uint8))


def normal_exposure(light: Floats) -> float:
    """Factor that brings the log-mean of luminance to 0.18, less if highlights would be lost.

    The brightest hundredth of the pixels may clip, no more, unless it does already.
    """
    luminance = light @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    mean = float(np.exp(np.log(luminance + 1e-3).mean()))
    return min(LOG_MEAN / mean, 1 / max(float(np.quantile(luminance, HIGHLIGHTS)), 1e-3))


def covering(picture: Bytes, width: int, height: int) -> Bytes:
    """The picture at ``width`` x ``height``: scaled to the height, drawn out a little, then cropped or mirrored."""
    h, w = picture.shape[:2]
    scale = height / h
    stretch = min(WIDENED, max(1.0, width / (w * scale))) if w < 1.4 * h else 1.0
    across = max(round(w * scale * stretch), 2)
    shrinks = scale < 1 and scale * stretch < 1.2
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    picture = np.asarray(cv2.resize(picture, (across, height), interpolation=how), np.uint8)
    if across >= width:
        start = (across - width) // 2
        return np.ascontiguousarray(picture[:, start : start + width])
    left = (width - across) // 2
    return np.asarray(cv2.copyMakeBorder(picture, 0, 0, left, width - across - left, cv2.BORDER_REFLECT))


def build(pictures: list[Bytes], view: tuple[int, int, int, int], maps: Floats) -> World:
    """A world for a camera that sees ``view`` (left, top, right, bottom); one exposure for all pictures."""
    left, top, right, bottom = view
    gain = 0.0
    done = []
    for picture in pictures:
        light = linear(covering(picture, right - left, bottom - top))
        gain = gain or normal_exposure(light)
        done.append(signal(light * np.float32(gain)))
    return World(done, maps, left, top)
