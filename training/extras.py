"""The inputs that a network takes beside its picture, from the cache of semantics; zeros where nothing is known.

Regions are painted as the recipe's ``options.colours`` say: ``hashed`` (default), a colour for each id that stays the
same in every run (E3), or ``means``, the mean colour of each region in the brightened dark picture (E5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from engines.curve.grid import grid_shape
from networks.enlighten_anything import hashed_colours, region_means
from networks.skf import brighten
from training.curve_regions import NOTHING, RegionBook, region_weights
from training.data import read_picture
from training.semantics import Semantics

Colours = Literal["hashed", "means"]

UNKNOWN = {"embedding": (1, 256, 16, 16), "regions": (1, 4, 64, 64), "depth": (1, 3, 64, 64)}
"""Shapes of the zeros that stand for what is not known."""


def colours_of(recipe: Mapping[str, Any] | None) -> Colours:
    """How a recipe, as a mapping, wants regions to be painted; hashed where it does not say or is not known."""
    options = (recipe or {}).get("options") or {}
    return "means" if options.get("colours") == "means" else "hashed"


def extra_inputs(
    names: Sequence[str],
    cache: Semantics | None,
    picture: Path,
    regions_of: Path | None = None,
    colours: Colours = "hashed",
    size: tuple[int, int] = (144, 256),
) -> tuple[Tensor, ...]:
    """The named inputs for a dark picture of ``size`` (h, w) in pixels.

    ``regions_of``: another picture whose regions are taken instead.
    """
    found = []
    for name in names:
        if name in ("region_weights", "region_features"):
            rows, cols = grid_shape(size[1], size[0])
            scene = RegionBook(cache).of(regions_of or picture) if cache is not None else NOTHING
            weights = region_weights(scene.ids, rows, cols)
            weights[0] *= float(cache is not None)
            found.append((weights if name == "region_weights" else scene.features)[None])
        elif cache is None or name not in ("embedding", "regions"):
            found.append(torch.zeros(UNKNOWN[name]))
        elif name == "embedding":
            found.append(cache.embedding(picture)[None])
        else:
            ids = cache.regions(regions_of or picture).long()[None]
            found.append(painted(ids, _picture(picture) if colours == "means" else None))
    return tuple(found)


def painted(ids: Tensor, picture: Tensor | None = None) -> Tensor:
    """Region ids [n, h, w], 0 where there is none -> colours and validity [n, 4, h, w], zeros outside.

    With the dark ``picture`` [n, 3, ph, pw] the colours are means of the brightened one, and the map has its size.
    """
    if picture is None:
        colours = hashed_colours(ids)
    else:
        ids = F.interpolate(ids[:, None].float(), picture.shape[-2:], mode="nearest-exact")[:, 0].long()
        colours = region_means(ids, brighten(picture))
    inside = (ids > 0).unsqueeze(1).float()
    return torch.cat((colours * inside, inside), 1)


def _picture(path: Path) -> Tensor:
    return torch.tensor(read_picture(path)).movedim(-1, 0)[None].float() / 255
