"""Enlighten Anything (arXiv 2306.10286) and its successor Wakeup-Darkness: SCI's losses, and regions that guide.

Neither sees a target. With a calibrator every stage of the cascade is judged (E10: SCI's weights), without one there is
a single stage, which is the published recipe. Region ids come from the dark picture alone (E6) and are painted with a
colour for each (E3) or, with ``colours: means``, each with its mean colour in the brightened dark picture (E5; of a
crop, in the crop). A batch without ids trains what the network does where regions are not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from networks.enlighten_anything import EnlightenAnything, published_region_map, region_map, region_means
from networks.sci import Stage
from networks.skf import brighten
from networks.wakeup_darkness import WakeupDarkness
from training.batches import PairBatch
from training.extras import Colours
from training.losses.sci import sci_loss
from training.recipe import Phase, Recipe, Strict
from training.systems.base import System, make_optimizer, options_of

Moving = Literal["all", "fusion", "enhancer"]


class Options(Strict):
    unknown: float = Field(0.0, ge=0, lt=1)
    """Share of pictures whose regions are hidden, so that the network also works where nobody segments."""
    train: Moving = "all"
    """Which weights move; the others keep their statistics too. ``enhancer``: all but the calibrator."""
    smooth_sigma: float = Field(10.0, gt=0)
    """Sigma of SCI's smoothness loss; 0.1 makes it follow edges (S2)."""
    colours: Colours = "hashed"
    """How regions are painted, in training and after it; the published layout has hashed colours alone."""


def region_ids(batch: PairBatch, unknown: float = 0.0) -> Tensor:
    """The region ids [n, h, w] of a batch: 0 everywhere where it has none, and in a random share of the pictures."""
    if batch.regions is None:
        return torch.zeros_like(batch.low[:, 0], dtype=torch.int64)
    hidden = torch.rand(len(batch.regions), 1, 1) < unknown
    return batch.regions.masked_fill(hidden.to(batch.regions.device), 0)


def start_like_sci(network: nn.Module) -> None:
    """SCI's initial weights for SCI's layers, the last one among them, so that training starts about where SCI does.

    The fusion keeps torch's: made small too, its regions would hardly count and hardly learn.
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and ".fuse." not in name:
            nn.init.normal_(module.weight, 0.0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class EnlightenAnythingSystem(System):
    network: EnlightenAnything

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(Options, recipe)
        if self.options.colours == "means" and self.network.layout == "published":
            raise ValueError("the published layout paints regions in hashed colours: options.colours cannot be means")
        start_like_sci(self.network)
        parts: dict[Moving, nn.Module] = {"fusion": self.network.enhance.fuse, "enhancer": self.network.enhance}
        self.moving = parts.get(self.options.train, self.network)
        self.network.requires_grad_(False)
        self.moving.requires_grad_(True)

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        return {"network": make_optimizer(self.moving.parameters(), phase.optimizer)}

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        if self.moving is not self.network:
            self.network.eval()  # batch statistics of what is frozen would move otherwise
            self.moving.train()
        ids = region_ids(batch, self.options.unknown)
        if self.network.layout == "published":
            regions = published_region_map(ids)
        else:
            means = self.options.colours == "means"
            regions = region_map(ids, region_means(ids, brighten(batch.low)) if means else None)
        stages = [Stage(*stage) for stage in self.network.unroll(batch.low, regions)]
        yield "network", sci_loss(stages, self.options.smooth_sigma)


class WakeupOptions(Strict):
    smooth_sigma: float = Field(10.0, gt=0)


class WakeupDarknessSystem(System):
    """The successor. Its loss on the depth map has nothing that could be trained and is left out; depth is not known
    here, so the map is zero, which is also what it is fed at run time."""

    network: WakeupDarkness

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(WakeupOptions, recipe)

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        regions = published_region_map(region_ids(batch))
        out = self.network(batch.low, regions, torch.zeros_like(batch.low))
        yield "network", sci_loss([Stage(batch.low, out.illumination, out.enhanced)], self.options.smooth_sigma)
