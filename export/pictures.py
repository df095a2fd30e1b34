"""Photographs for the parity check, reduced to thumbnails."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_MOST = 40


def read_pictures(folder: Path) -> list[NDArray[np.float32]]:
    """Up to 40 pictures spread over ``folder``, as R'G'B' [3, 192, 192] in 0..1. ``ValueError`` if there are none."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise ValueError(f"{folder} holds no .jpg or .png")
    pictures = []
    for path in paths[:: -(-len(paths) // _MOST)]:
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0)).reformat(192, 192, "rgb24")
        pictures.append((frame.to_ndarray().transpose(2, 0, 1) / 255).astype(np.float32))
    return pictures
