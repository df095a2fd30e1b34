"""Zero-DCE and Zero-DCE++ (CVPR 2020, TPAMI 2021), which never see a target: only what a good picture looks like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field
from torch import Tensor

from networks.zero_dce import ZeroDCE, ZeroDCEPlusPlus
from training.batches import PairBatch
from training.losses.zero_dce import WELL_EXPOSED, ColourForm, zero_dce_terms
from training.recipe import Recipe, Strict
from training.systems.base import System, options_of


class Options(Strict):
    """Weights of the four terms, as in the released code, and how two of them are meant."""

    smooth: float = Field(200.0, ge=0)
    """1600 for "++", which has one map in place of eight."""
    spatial: float = Field(1.0, ge=0)
    colour: float = Field(5.0, ge=0)
    exposure: float = Field(10.0, ge=0)
    level: float = Field(WELL_EXPOSED, gt=0, lt=1)
    """The gray that regions should have on average."""
    colour_form: ColourForm = "paper"
    """``code`` for fourth powers under a root, as released."""


class ZeroDCESystem(System):
    network: ZeroDCE | ZeroDCEPlusPlus

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        super().__init__(recipe, network_options)
        self.options = options_of(Options, recipe)

    def updates(self, batch: PairBatch, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        out = self.network(batch.low)
        terms = zero_dce_terms(batch.low, out.enhanced, out.curves, self.options.level, self.options.colour_form)
        yield "network", {name: getattr(self.options, name) * term for name, term in terms.items()}
