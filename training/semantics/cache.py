"""Reads what was precomputed about a picture; says what to run where it was not."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from training.semantics.files import GAMMA, digest, read_embedding, read_regions

_HELP = "run `python -m training semantics DATA --encoder E.onnx --decoder D.onnx --cache {folder}`"

_EMBEDDINGS, _REGIONS = r"[0-9a-f]{{12}}-g{:03d}", r"[0-9a-f]{12}-[0-9a-f]{12}-.+"
"""Names of folders; the first is for ``format`` with 100 times the gamma."""


class Semantics:
    """A cache folder. ``encoder`` and ``regions_of`` choose by the beginning of a folder's name where it holds several.

    Files are read anew on every call; a picture is known by its content.
    """

    def __init__(self, folder: Path, encoder: str = "", regions_of: str = "") -> None:
        self.folder = folder
        self._encoder = encoder
        self._regions_of = regions_of or encoder

    def embedding(self, path: Path, gamma: float = GAMMA) -> Tensor:
        """float32 [256, eh, ew] of a picture brightened by ``gamma`` (1: as it is).

        Raises ``ValueError`` naming the picture and the command to run where it is not there or damaged.
        """
        folder = self._only(_EMBEDDINGS.format(round(100 * gamma)), self._encoder, "embeddings")
        file = folder / f"{digest(path)}.npy"
        embedding = read_embedding(file) if file.is_file() else None
        if embedding is None:
            raise ValueError(self._missing("embedding", path, file))
        return torch.from_numpy(embedding).float()

    def regions(self, path: Path) -> Tensor:
        """uint8 [rh, rw] ids of a dark picture, 0 where there is none. Raises ``ValueError`` as ``embedding`` does."""
        folder = self._only(_REGIONS, self._regions_of, "regions")
        file = folder / f"{digest(path)}.png"
        ids = read_regions(file) if file.is_file() else None
        if ids is None:
            raise ValueError(self._missing("region map", path, file))
        return torch.tensor(ids)

    def knows(self, path: Path) -> bool:
        """Whether the embedding and the regions of a dark picture are there; a damaged file counts as being there."""
        name = digest(path)
        embeddings = self._only(_EMBEDDINGS.format(round(100 * GAMMA)), self._encoder, "embeddings")
        regions = self._only(_REGIONS, self._regions_of, "regions")
        return (embeddings / f"{name}.npy").is_file() and (regions / f"{name}.png").is_file()

    def _missing(self, what: str, path: Path, file: Path) -> str:
        state = "is damaged" if file.is_file() else "is not in the cache"
        return f"the {what} of {path} {state} ({file}); {_HELP.format(folder=self.folder)}"

    def _only(self, pattern: str, beginning: str, what: str) -> Path:
        """The one sub-folder whose name fits."""
        if not self.folder.is_dir():
            raise ValueError(f"{self.folder} is not a folder; {_HELP.format(folder=self.folder)}")
        found = [
            path
            for path in sorted(self.folder.iterdir())
            if path.is_dir() and path.name.startswith(beginning) and re.fullmatch(pattern, path.name)
        ]
        if not found:
            raise ValueError(f"{self.folder} holds no {what}; {_HELP.format(folder=self.folder)}")
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise ValueError(f"{self.folder} holds {what} of several models or options: {names}; name the one to use")
        return found[0]
