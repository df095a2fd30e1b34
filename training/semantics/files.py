"""Files of the semantics cache, named by content, so that a picture may move or be renamed and stays known.

    FOLDER/ENCODER-g045/PICTURE.npy                     embedding of the brightened dark picture, float16 [256, eh, ew]
    FOLDER/ENCODER-g100/PICTURE.npy                     embedding of a bright picture as it is
    FOLDER/ENCODER-DECODER-g045-OPTIONS/PICTURE.png     region ids, 0 where there is none
    FOLDER/bank.pt                                      the embedding bank fitted on the training pictures

ENCODER and DECODER are the first 12 digits of the SHA-256 of the model file, PICTURE all 64 of the picture file. Files
are written beside their place and renamed into it, so a run that was killed leaves none that is half written.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engines.sam.automatic import AutomaticOptions

GAMMA = 0.45
"""How dark pictures are brightened before SAM sees them; bright ones have 1."""

Embedding = NDArray[np.float16]
Ids = NDArray[np.uint8]


def digest(path: Path) -> str:
    """SHA-256 of a file, read again only when its size or time of change differ."""
    state = path.stat()
    return _digest(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=65536)
def _digest(path: Path, size: int, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def embedding_folder(cache: Path, encoder: Path, gamma: float) -> Path:
    return cache / f"{digest(encoder)[:12]}-g{round(100 * gamma):03d}"


def region_folder(cache: Path, encoder: Path, decoder: Path, gamma: float, options: AutomaticOptions) -> Path:
    """Every option is in the name, because each changes the regions."""
    words = f"n{options.side}-i{options.iou:g}-s{options.stability:g}-o{options.overlap:g}"
    folder = embedding_folder(cache, encoder, gamma).name
    encoder_name, gamma_name = folder.split("-")
    areas = f"a{options.smallest:g}-{options.largest:g}"
    return cache / f"{encoder_name}-{digest(decoder)[:12]}-{gamma_name}-{words}-{areas}-m{options.most}"


def read_embedding(path: Path) -> Embedding | None:
    """float16 [256, eh, ew], or None if the file is not a whole and finite one."""
    try:
        embedding = np.load(path, allow_pickle=False)
    except (ValueError, EOFError):
        return None
    good = isinstance(embedding, np.ndarray) and embedding.dtype == np.float16 and embedding.ndim == 3
    return embedding if good and embedding.size and np.isfinite(embedding).all() else None


def read_regions(path: Path) -> Ids | None:
    """uint8 [rh, rw], or None if the file is not a whole map of ids."""
    try:
        with Image.open(path) as picture:
            return np.asarray(picture) if picture.mode == "L" else None
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError):
        return None


def write_embedding(path: Path, embedding: Embedding) -> None:
    _write(path, lambda file: np.save(file, embedding))


def write_regions(path: Path, ids: Ids) -> None:
    _write(path, lambda file: Image.fromarray(ids).save(file, "PNG"))


def _write(path: Path, save: Callable[[BinaryIO], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            save(file)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
