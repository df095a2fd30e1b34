"""The inputs that a network takes beside its picture, from the cache of semantics; zeros where nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from networks.enlighten_anything import hashed_colours
from training.semantics import Semantics

UNKNOWN = {"embedding": (1, 256, 16, 16), "regions": (1, 4, 64, 64), "depth": (1, 3, 64, 64)}
"""Shapes of the zeros that stand for what is not known."""


def extra_inputs(
    names: Sequence[str], cache: Semantics | None, picture: Path, regions_of: Path | None = None
) -> tuple[Tensor, ...]:
    """The named inputs for a dark picture; ``regions_of``: another picture whose region map is taken instead."""
    found = []
    for name in names:
        if cache is None or name not in ("embedding", "regions"):
            found.append(torch.zeros(UNKNOWN[name]))
        elif name == "embedding":
            found.append(cache.embedding(picture)[None])
        else:
            found.append(painted(cache.regions(regions_of or picture).long()[None]))
    return tuple(found)


def painted(ids: Tensor) -> Tensor:
    """Region ids [n, h, w], 0 where there is none -> colours and validity [n, 4, h, w], zeros outside."""
    inside = (ids > 0).unsqueeze(1).float()
    return torch.cat((hashed_colours(ids) * inside, inside), 1)
