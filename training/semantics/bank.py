"""The embedding bank that SKF trains with, fitted once on the embeddings of the dark training pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from networks.embedding_bank import EmbeddingBank
from training.semantics.cache import Semantics
from training.semantics.files import GAMMA

FILE = "bank.pt"


def fit_bank(
    semantics: Semantics,
    pictures: Sequence[Path],
    classes: int = 32,
    channels: tuple[int, ...] = (48, 96, 192),
    vectors: int = 200_000,
    seed: int = 0,
) -> EmbeddingBank:
    """A bank over the embeddings of dark ``pictures``: about ``vectors`` cells, as many of each, drawn by ``seed``."""
    if not pictures:
        raise ValueError("no pictures to fit a bank on")
    rng = np.random.default_rng(seed)
    drawn = []
    for path in pictures:
        cells = semantics.embedding(path, GAMMA).flatten(1)
        count = min(cells.shape[1], max(1, vectors // len(pictures)))
        drawn.append(cells[:, torch.from_numpy(rng.choice(cells.shape[1], count, replace=False))])
    embeddings = torch.cat(drawn, dim=1)
    bank = EmbeddingBank(embeddings.shape[0], classes, channels)
    bank.fit(embeddings[None, :, None], seed=seed)
    return bank


def save_bank(bank: EmbeddingBank, path: Path) -> None:
    """State and arguments, in a file that `load_bank` opens without running code."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    torch.save(bank.saved(), part)
    part.replace(path)


def load_bank(path: Path) -> EmbeddingBank:
    """The bank in a file or in a cache folder. Raises ``ValueError`` naming a file that is none."""
    file = path / FILE if path.is_dir() else path
    try:
        return EmbeddingBank.restored(torch.load(file, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{file} is no embedding bank: {error}") from error
