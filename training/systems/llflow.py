"""LLFlow-S and -L (AAAI 2022), also guided by SKF: the likelihood of the bright picture, given the dark one.

SKF here is SE and SCH: no enhanced picture exists while the likelihood is trained, so there is no SA (K18). SCH
compares the latent, rearranged to a picture, with the predicted colour map, which is what the prior pulls it to.

The activation norms set themselves from the first batch; the trainer's moving average copies the network after the
first step, so it starts with them. Everything is computed in float32, also where the recipe asks for half precision:
scales reach down to 1e-4 and determinants are sums over all pixels (the published training ran in mixed precision).
The weight decay of the recipe acts on the encoder (RRDB) alone, as published.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from networks.llflow import SCALE, LLFlow, LLFlowEncoding
from training.batches import PairBatch
from training.losses.llflow import latent_picture, likelihood
from training.recipe import Phase, Recipe, Strict
from training.systems.base import make_optimizer, options_of
from training.systems.skf import SKFOptions, SKFSystem, check_phases


class Options(Strict):
    of_target: float = Field(default=0.2, ge=0, le=1)
    """Share of the steps whose prior is the colour map of the bright picture instead of the predicted one."""
    skf: SKFOptions = SKFOptions()


class LLFlowSystem(SKFSystem):
    network: LLFlow

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        self.options = options_of(Options, recipe)
        if recipe.semantics.sa:
            raise ValueError(f"{recipe.system} has no SA loss, its training makes no picture: set semantics.sa to 0")
        if self.options.skf.class_map == "output":
            raise ValueError(f"{recipe.system} makes no picture in training: options.skf.class_map cannot be output")
        super().__init__(recipe, network_options, self.options.skf)
        check_phases(recipe, ("likelihood",))
        crop = recipe.phases["likelihood"].crop
        if crop is None or crop % SCALE:
            raise ValueError(f"{recipe.system} is trained on crops of a multiple of {SCALE} pixels, not {crop}")

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        encoder = set(self.network.encoder.parameters())
        others = [parameter for parameter in self.network.parameters() if parameter not in encoder]
        groups: list[dict[str, Any]] = [
            {"params": list(self.network.encoder.parameters())},
            {"params": others, "weight_decay": 0.0},
        ]
        return {"network": make_optimizer(groups, phase.optimizer)}

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        with torch.autocast(batch.low.device.type, enabled=False):
            noise = torch.rand_like(batch.high)
            encoding = self.network.encode(batch.high, batch.low, batch.knowledge, noise)
            of_target = bool(torch.rand(()) < self.options.of_target)
            terms = {"bits": likelihood(encoding, batch.high, of_target)}
            if self.guides(phase) and step % self.semantics.sch_every == 0:
                terms |= self._histograms(encoding, batch)
                self.compare(("bits",), terms, step)
        yield "network", terms

    def _histograms(self, encoding: LLFlowEncoding, batch: PairBatch) -> dict[str, Tensor]:
        """SCH between latent and colour map. Its target takes no gradient, so each is the other's target once.

        Both terms have the same value; their gradient together is that of one of them with both sides free.
        """
        known = self._known(batch)
        count, classes, weight = known.logits.shape[1], known.classes, self.semantics.sch
        latent, colours = latent_picture(encoding), encoding.colours
        return {
            "sch": weight * self._sch(latent, colours, count, classes),
            "sch_colours": weight * self._sch(colours, latent, count, classes),
        }
