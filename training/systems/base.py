"""What every trainable system has: a network, what helps to train it, optimisers and the updates of a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from networks.checkpoint import open_checkpoint
from networks.systems import build
from training.feed import Batches, Feed
from training.recipe import OptimizerSettings, Phase, Recipe, Strict

OptionsType = TypeVar("OptionsType", bound=Strict)


class System(ABC):
    """A network under training.

    ``network`` is what is averaged and exported, ``helpers`` (discriminators and the like) are trained and saved with
    it, ``figures`` are what a step found out beside its losses, for the log alone. A subclass says which losses move
    which weights.
    """

    def __init__(self, recipe: Recipe, network_options: dict[str, Any]) -> None:
        """``network_options``: those of the recipe, and what SE modules need where it asks for them."""
        self.recipe = recipe
        self.network = build(recipe.system, network_options)
        self.helpers = nn.ModuleDict()
        self.figures: dict[str, float] = {}

    def optimizers(self, name: str, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        """Fresh optimisers for a phase; the trainer scales their learning rates by the phase's schedule."""
        return {"network": make_optimizer(self.network.parameters(), phase.optimizer)}

    @abstractmethod
    def updates(self, batch: Any, step: int, phase: str) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yields (name of an optimiser, weighted loss terms), one by one.

        The trainer sums the terms, backpropagates, clips and steps that optimiser before it asks for the next: what a
        later update computes sees the moved weights. ``step`` counts within the phase.
        """

    def start_from(self, checkpoint: Path) -> None:
        """Begin with the weights of a checkpoint whose names and shapes match.

        Raises ``ValueError`` where none does.
        """
        copy_matching(self.network, checkpoint)

    def feed(self, bank: nn.Module | None) -> Batches:
        """Where the batches come from; ``bank`` is what the recipe's ``semantics`` name."""
        return Feed(self.recipe, bank)


def make_optimizer(
    parameters: Iterable[nn.Parameter] | Iterable[dict[str, Any]], settings: OptimizerSettings, rate: float = 1.0
) -> torch.optim.Optimizer:
    """Adam or AdamW over parameters or groups of them, the learning rate multiplied by ``rate``."""
    kind = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate * settings.learning_rate, betas=settings.betas, weight_decay=settings.weight_decay)


def options_of(kind: type[OptionsType], recipe: Recipe) -> OptionsType:
    """The recipe's ``options``, checked. Raises ``ValueError`` naming the recipe and the entries that are wrong."""
    try:
        return kind.model_validate(recipe.options)
    except ValidationError as error:
        wrong = "; ".join(f"options.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"recipe {recipe.name or recipe.system}: {wrong}") from error


def copy_matching(network: nn.Module, path: Path) -> list[str]:
    """Copy the weights whose names and shapes match from a checkpoint, published SCI ones among them; their names.

    The successor is an enhancer alone: there names match without ``enhance``. Raises ``ValueError`` where none does.
    """
    found = open_checkpoint(path).network.state_dict()
    found |= {name.removeprefix("enhance."): value for name, value in found.items()}
    wanted = network.state_dict()
    matching = {name: value for name, value in found.items() if name in wanted and wanted[name].shape == value.shape}
    if not matching:
        raise ValueError(f"{path} has no weights that fit into {type(network).__name__}")
    network.load_state_dict(matching, strict=False)
    return sorted(matching)
