"""A contact sheet of a night clip: a few moments, and for each what is dark, what is true, and how it moves."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from benchmarks.night.clip import Bytes, Floats, NightClip
from benchmarks.night.isp import to_rgb
from engines.planes import Planes

_WIDTH = 320
_FASTEST = 8.0
"""Pixels a frame shown in the strongest colour."""


def contact_sheet(clip: NightClip, moments: int = 4) -> Bytes:
    """R'G'B' picture: rows are moments; columns: as decoded, its levels stretched, target, motion, objects."""
    chosen = np.unique(np.linspace(0, len(clip) - 1, moments + 1).round().astype(int)[1:])
    rows = []
    for t in chosen:
        shown = to_rgb(clip.dark[t])
        cells = [shown, stretched(clip.dark[t]), clip.clean[t], flow_colours(clip.flow[t]), _objects(clip, t)]
        rows.append(np.concatenate([_small(cell) for cell in cells], 1))
    title = f"{clip.name}: frames {', '.join(map(str, chosen))}; dark, levels stretched, target, motion, objects"
    return np.concatenate([_caption(title, rows[0].shape[1]), *rows])


def stretched(planes: Planes) -> Bytes:
    """R'G'B' with everything multiplied so that the brightest twentieth is white: shows what noise there is."""
    rgb = to_rgb(planes).astype(np.float32)
    return np.asarray(np.clip(rgb * (255 / max(float(np.quantile(rgb, 0.95)), 8.0)), 0, 255).astype(np.uint8))


def flow_colours(flow: Floats) -> Bytes:
    """Direction as hue, speed as saturation; white: no motion."""
    speed, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    hsv = np.full((*speed.shape, 3), 255, np.uint8)
    hsv[..., 0] = (angle / 2).astype(np.uint8) % 180
    hsv[..., 1] = np.clip(255 * speed / _FASTEST, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def _objects(clip: NightClip, t: int) -> Bytes:
    """Objects in colours; what was not visible a frame before, black."""
    palette = np.array([(205, 205, 205), (214, 84, 64), (58, 120, 200), (76, 164, 92), (222, 176, 60)], np.uint8)
    shown = palette[np.where(clip.masks[t] > 0, 1 + (clip.masks[t] - 1) % 4, 0)]
    shown[~clip.visible[t]] = 0
    return np.asarray(shown)


def _small(picture: Bytes) -> Bytes:
    height = round(picture.shape[0] * _WIDTH / picture.shape[1])
    return np.asarray(cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA))


def _caption(text: str, width: int) -> Bytes:
    strip = np.full((22, width, 3), 255, np.uint8)
    cv2.putText(strip, text, (4, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return strip


def stacked(sheets: Sequence[Bytes]) -> Bytes:
    """Sheets of the same width one below the other."""
    return np.concatenate(list(sheets))
