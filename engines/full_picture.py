"""Mode ``full``: the network redraws the picture at its full size, in place of a thumbnail and a tone-curve grid.

It shows what a network itself can do, detail and denoising included, and costs what the network costs on every pixel.
"""

from __future__ import annotations

import os

import numpy as np

from engines.bundle import CARD_FILE, Bundle, Card, available_bundles
from engines.curve.grid import Floats
from engines.errors import BundleError
from engines.network_inputs import Extra
from engines.picture_network import PictureNetwork
from engines.planes import Bytes

TILE = 512
"""Default side of tiles: a network with 64 channels at full size then holds 67 MB a layer, whatever the picture."""
_ROWS_AT_ONCE = 64


def open_full(bundle: Bundle, device: str = "cpu", threads: int | None = None, tile: int = TILE) -> PictureNetwork:
    """The network of a bundle for pictures at full size, on ``threads`` threads (None = all cores of this process).

    Raises ``BundleError`` for a bundle that draws no pictures, ``ModelError`` or ``DeviceError``.
    """
    if bundle.card.kind != "picture":
        able = ", ".join(_picture_bundles()) or "none is installed"
        raise BundleError(
            f"mode full needs a network that draws pictures, and bundle '{bundle.card.name}' (kind {bundle.card.kind}) "
            f"predicts tone curves from a thumbnail. Use mode fused with it, or a bundle of kind picture: {able}"
        )
    return PictureNetwork(bundle, device, threads or _usable_cores(), tile)


def redraw(rgb: Bytes, network: PictureNetwork, strength: float = 1.0, extra: Extra | None = None) -> Bytes:
    """The picture as the network draws it, uint8 [height, width, 3] like ``rgb``; ``strength`` 0..1 blends.

    Raises ``NotFiniteError`` if the network gives NaN or infinity.
    """
    after = network(np.ascontiguousarray(np.moveaxis(rgb, 2, 0), np.float32) * np.float32(1 / 255), extra)
    return _blended(rgb, after, strength)


def _blended(rgb: Bytes, after: Floats, strength: float) -> Bytes:
    out = np.empty_like(rgb)
    for first in range(0, rgb.shape[0], _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        change = np.moveaxis(after[:, rows], 0, 2) * np.float32(255) - rgb[rows]
        out[rows] = np.clip(np.floor(rgb[rows] + np.float32(strength) * change + np.float32(0.5)), 0, 255)
    return out


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _picture_bundles() -> list[str]:
    names = []
    for name, folder in available_bundles().items():
        try:
            card = Card.from_json((folder / CARD_FILE).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, BundleError):
            continue
        if card.kind == "picture":
            names.append(name)
    return names
