"""What differs between the systems that can be trained: the network, its loss, its optimiser and its learning rate."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from networks.checkpoint import open_checkpoint
from networks.colour import yuv_to_rgb
from networks.curve import CurveNet
from networks.sci import SCI
from training.losses import curve_loss, sci_loss
from training.recipe import Recipe
from training.samples import Batch


def build_network(recipe: Recipe) -> nn.Module:
    """A fresh network of the recipe's system, initialised from its seed."""
    torch.manual_seed(recipe.seed)
    if recipe.system == "sci":
        return SCI()
    network = CurveNet()
    if recipe.start is not None:
        start = open_checkpoint(recipe.start).network
        if isinstance(start, SCI):
            network.illumination.load_state_dict(start.enhance.state_dict())
        else:
            network.load_state_dict(start.state_dict())
    return network


def network_loss(network: nn.Module, batch: Batch, recipe: Recipe) -> dict[str, Tensor]:
    """The weighted terms of the system's loss; their sum is minimised."""
    if isinstance(network, SCI):
        pictures = yuv_to_rgb(batch.thumbnail, batch.kr, batch.kb).clamp(0.0, 1.0)
        return sci_loss(network.unroll(pictures), recipe.smooth_sigma)
    size = len(batch.thumbnail)
    grid = network(torch.cat((batch.thumbnail, batch.other)))
    return curve_loss(grid[:size], grid[size:], batch, recipe.weights)


def build_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam for SCI, as published; AdamW for ``curve``."""
    kind = torch.optim.Adam if recipe.system == "sci" else torch.optim.AdamW
    return kind(network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Constant for SCI, as published; for ``curve`` a linear warm-up and half a cosine down to zero."""
    if recipe.system == "sci":
        return recipe.learning_rate
    rise = min(1.0, (step + 1) / (recipe.warm_up + 1))
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / recipe.steps))
