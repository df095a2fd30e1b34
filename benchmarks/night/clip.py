"""What the night-video generator hands over: a dark clip, and the truth about it.

Indices: t is the frame, y and x are pixels of the full picture; sizes are even. Arrays are read-only by agreement.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.planes import Planes

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class NightClip:
    """Dark frames as a decoder would give them, and what a perfect enhancer, flow and segmenter would say.

    ``clean`` is the same scene in even light at normalised exposure, without noise, flicker or colour cast: the target.
    It changes by motion alone, so ``clean[t-1]`` sampled at ``x + flow[t]`` is ``clean[t]`` wherever ``visible[t]``.
    Metrics of stability leave out the frames in ``cuts``.
    """

    name: str
    scenario: str
    level: str
    seed: int
    fps: int
    dark: list[Planes]
    """n frames, 8-bit 4:2:0, BT.709, limited range; decoded from ``encoded`` where there is such a file."""
    quiet: list[Planes]
    """n frames: the dark ones without noise and not encoded; flicker and exposure hunting are in them."""
    clean: Bytes
    """[n, H, W, 3] R'G'B' 0..255, sRGB."""
    flow: Floats
    """[n, H, W, 2] (dx, dy) in pixels: what is at x now was at x + flow one frame ago; 0 in frame 0 and at cuts."""
    visible: Flags
    """[n, H, W] False where the frame before did not show it: occluded, outside, at a cut, in frame 0."""
    masks: Bytes
    """[n, H, W] 0 background; 1, 2, ... one number for each moving object, the same in all frames."""
    cuts: tuple[int, ...]
    """Numbers of the frames that begin another scene, rising; frame 0 is not among them."""
    noise: tuple[float, float]
    """(A, B): in linear light after exposure, full well = 1, before white balance, variance = A * light + B^2."""
    exposure: float
    """Light of the dark clip over that of the clean one, lamps left out, on log-average (1/12 at level mid)."""
    encoded: Path | None
    """The H.264 file that ``dark`` was decoded from; None: never compressed."""
    motion_known: bool = True
    """False for clips made from moving pictures: then ``flow``, ``visible`` and ``masks`` know only what was added."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return int(self.clean.shape[2]), int(self.clean.shape[1])

    def __len__(self) -> int:
        return len(self.dark)
