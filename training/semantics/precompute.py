"""Fills a semantics cache for a data set: embeddings of both pictures of a pair, regions of the dark one, the bank.

Regions and the bank come from the dark picture, brightened by one fixed curve in training and after it: a map made from
the bright target would tell the network what it is to find (Enlighten Anything's published code validates on those). A
run may be stopped at any time; the next goes on, and computes damaged files again.

What is stored has no padding, which the mask decoder needs: pictures that are not square are encoded again where their
embedding is there but their regions are not. So regions do not depend on what was there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import Progress

from engines.sam.automatic import AutomaticOptions, find_regions
from engines.sam.image_encoder import CELL, SIDE, Encoded, ImageEncoder, embedding_size
from engines.sam.mask_decoder import MaskDecoder, mask_size
from training.data import Pair, Subject, read_picture
from training.semantics import files
from training.semantics.bank import FILE, fit_bank, save_bank
from training.semantics.cache import Semantics

DARK_REGIONS = AutomaticOptions(side=12, iou=0.8, stability=0.7)
"""Looser than what suits large models in daylight: small decoders are less sure in brightened noise."""


@dataclass(frozen=True, slots=True)
class Done:
    """How many files a run computed; the others were there."""

    embeddings: int
    regions: int


def brightened(picture: NDArray[np.uint8], gamma: float) -> NDArray[np.uint8]:
    """The picture as SAM sees it: clipped to 1e-4 .. 1, to the power of ``gamma``, in 8 bits."""
    if gamma == 1:
        return picture
    levels = np.rint(255 * np.clip(np.arange(256) / 255, 1e-4, 1) ** gamma).astype(np.uint8)
    out: NDArray[np.uint8] = levels[picture]
    return out


def fill_cache(
    subjects: Sequence[Subject],
    cache: Path,
    encoder: Path,
    decoder: Path | None = None,
    options: AutomaticOptions = DARK_REGIONS,
    threads: int = 1,
    progress: bool = True,
) -> Done:
    """Embeddings of all dark (brightened) and bright pictures and, with a decoder, regions of the dark ones."""
    dark, bright = _dark(subjects), _unique(one.high for one in subjects if isinstance(one, Pair))
    work = _Work(cache, encoder, decoder, options, threads)
    tasks = [("dark", dark, work.dark), ("bright", bright, work.bright)]
    embeddings = regions = 0
    with Progress(disable=not progress) as bar:
        for name, paths, compute in tasks:
            for path in bar.track(paths, description=name):
                done = compute(path)
                embeddings, regions = embeddings + done.embeddings, regions + done.regions
    return Done(embeddings, regions)


class _Work:
    """Both models, opened when a file is first missing, and the folders they write to."""

    def __init__(
        self, cache: Path, encoder: Path, decoder: Path | None, options: AutomaticOptions, threads: int
    ) -> None:
        self.cache, self.options, self.threads = cache, options, threads
        self.encoder_path, self.decoder_path = encoder, decoder
        self._encoder: ImageEncoder | None = None
        self._decoder = MaskDecoder(decoder, threads) if decoder else None

    def dark(self, path: Path) -> Done:
        """Embedding and regions of a dark picture."""
        known, encoded = self._embed(path, files.GAMMA)
        if self._decoder is None or self.decoder_path is None:
            return Done(int(encoded is not None), 0)
        folder = files.region_folder(self.cache, self.encoder_path, self.decoder_path, files.GAMMA, self.options)
        target = folder / f"{files.digest(path)}.png"
        size = picture_size(path)
        ids = files.read_regions(target) if target.is_file() else None
        if ids is not None and ids.shape == mask_size(size):
            return Done(int(encoded is not None), 0)
        if known.shape[1:] == (SIDE // CELL, SIDE // CELL):
            whole = Encoded(known.astype(np.float32), size)
        else:
            whole = encoded or self._encode(path, files.GAMMA)
        files.write_regions(target, find_regions(self._decoder, whole, self.options))
        return Done(int(encoded is not None), 1)

    def bright(self, path: Path) -> Done:
        """Embedding of a bright picture."""
        return Done(int(self._embed(path, 1.0)[1] is not None), 0)

    def _embed(self, path: Path, gamma: float) -> tuple[files.Embedding, Encoded | None]:
        """The embedding as it is stored and, where it had to be computed, with its padding too."""
        target = files.embedding_folder(self.cache, self.encoder_path, gamma) / f"{files.digest(path)}.npy"
        known = files.read_embedding(target) if target.is_file() else None
        if known is not None and known.shape[1:] == embedding_size(picture_size(path)):
            return known, None
        encoded = self._encode(path, gamma)
        stored = encoded.embedding.astype(np.float16)
        files.write_embedding(target, stored)
        return stored, encoded

    def _encode(self, path: Path, gamma: float) -> Encoded:
        if self._encoder is None:
            self._encoder = ImageEncoder(self.encoder_path, self.threads)
        return self._encoder.encode(brightened(read_picture(path), gamma))


def picture_size(path: Path) -> tuple[int, int]:
    """(h, w) without decoding the picture."""
    with Image.open(path) as picture:
        return picture.height, picture.width


def ensure_bank(subjects: Sequence[Subject], cache: Path, encoder: Path) -> bool:
    """Fits ``bank.pt`` on the dark pictures, whose embeddings must be there; False where there is one already."""
    if (cache / FILE).is_file():
        return False
    semantics = Semantics(cache, files.digest(encoder)[:12])
    save_bank(fit_bank(semantics, _dark(subjects)), cache / FILE)
    return True


def _dark(subjects: Sequence[Subject]) -> list[Path]:
    return _unique(one.low if isinstance(one, Pair) else one for one in subjects)


def _unique(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))
