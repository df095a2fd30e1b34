"""Photographs for the parity check, reduced to small pictures."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_MOST = 40


def read_pictures(folder: Path, size: tuple[int, int] = (192, 192), most: int = _MOST) -> list[NDArray[np.float32]]:
    """Up to ``most`` pictures spread over ``folder``, R'G'B' [3, *size] in 0..1. ``ValueError`` if there are none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise ValueError(f"{folder} holds no .jpg or .png")
    pictures = []
    for path in paths[:: -(-len(paths) // most)]:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0)).reformat(size[1], size[0], "rgb24")
        pictures.append((frame.to_ndarray().transpose(2, 0, 1) / 255).astype(np.float32))
    return pictures
