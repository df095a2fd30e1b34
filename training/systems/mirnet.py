"""MIRNet-v2 (TPAMI 2022): mean absolute error, on mixed pictures and on crops that grow while batches shrink.

The recipe's phases are ``steady`` and ``annealed``, after the two halves of its learning rate; `Options.growth` divides
a phase into parts, which share optimiser and schedule. Samples are drawn with the phase's crop and batch and cut down
to those of the part.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from networks.mirnet import MIRNet
from training.batches import PairBatch
from training.recipe import Recipe, Strict
from training.systems.base import System, options_of
from training.systems.skf import check_phases


class Part(Strict):
    """Crop and batch up to step ``until`` of a phase."""

    until: int = Field(gt=0)
    crop: int = Field(gt=0)
    batch: int = Field(gt=0)


class Options(Strict):
    mixed: float = Field(default=0.5, ge=0, le=1)
    """Share of the steps whose samples are mixed with each other (mix-up); published: every other step, at random."""
    mixed_beta: float = Field(default=1.2, gt=0)
    """Both parameters of the Beta distribution that says how much of the other sample is in it."""
    growth: dict[str, tuple[Part, ...]] = Field(default={})
    """Parts of a phase, by its name; what follows the last one is as the phase says."""


class MIRNetSystem(System):
    network: MIRNet

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(Options, recipe)
        check_phases(recipe, ("steady", "annealed"))

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        low, high = self._cut(batch, step, phase)
        if torch.rand(()) < self.options.mixed:
            low, high = mixed(low, high, self.options.mixed_beta)
        yield "network", {"l1": F.l1_loss(self.network(low).raw, high)}

    def _cut(self, batch: PairBatch, step: int, phase: str) -> tuple[Tensor, Tensor]:
        """The samples of the part that ``step`` belongs to."""
        for part in self.options.growth.get(phase, ()):
            if step < part.until:
                cut = (slice(part.batch), slice(None), slice(part.crop), slice(part.crop))
                return batch.low[cut], batch.high[cut]
        return batch.low, batch.high


def mixed(low: Tensor, high: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """Every sample [n, 3, h, w] mixed with another of the batch, dark and bright alike; one share for all.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization" (ICLR 2018). Draws from torch's generator of the CPU.
    """
    share = torch.distributions.Beta(beta, beta).sample().item()
    other = torch.randperm(len(low)).to(low.device)
    return share * low + (1 - share) * low[other], share * high + (1 - share) * high[other]
