"""The network of a live run, loaded beside the first connection, and warm before the first frame.

A few made-up frames go through the enhancement, so that no real one waits for what is loaded lazily.
"""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import Future
from fractions import Fraction

import av
import numpy as np

from engines.colour import Colour
from engines.errors import EngineError
from stream.background import in_background
from stream.live.enhancing import Network
from stream.media import Frame, planes_of
from stream.settings import Settings
from stream.telemetry import Telemetry

_SIZE = 256, 144
_FRAMES = 4
_DARK, _NOISE = 30, 6


def load_in_background(settings: Settings) -> Future[Network]:
    """The network of the settings, loaded by a thread that the interpreter waits for at its end."""

    def load() -> Network:
        from engines.bundle import load_bundle
        from stream.vision.modes import open_mode

        network = open_mode(load_bundle(settings.model), settings)
        warm_up(network, settings)
        return network

    return in_background(load)


def warm_up(network: Network, settings: Settings) -> None:
    """Loads kernels, OpenCV and whatever the network prepares at its first run. What fails here fails later, or not."""
    enhance = network.enhancer(settings, Telemetry(), None)
    random = np.random.default_rng(0)
    with contextlib.suppress(EngineError):
        for number in range(_FRAMES):
            enhance(_noisy_night(number, random))
    enhance.close()


def _noisy_night(number: int, random: np.random.Generator) -> Frame:
    """Noise that is worth denoising, so that the denoiser and the motion it needs are loaded too."""
    picture = av.VideoFrame(*_SIZE, "yuv420p")
    for index, plane in enumerate(picture.planes):
        codes = random.normal(128 if index else _DARK, _NOISE, plane.buffer_size)
        plane.update(codes.clip(16, 235).astype(np.uint8).tobytes())
    planes = planes_of(picture, Colour())
    return Frame(picture, planes, number, Fraction(1, 25), number, time.monotonic(), duration=1, key_frame=not number)
