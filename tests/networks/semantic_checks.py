"""Knowledge for tests, and the check that a network with semantic modules uses it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from networks.skf import Knowledge


def knowledge(channels: Sequence[int], height: int, width: int, seed: int = 0) -> Knowledge:
    """Random knowledge of a picture of this size; another ``seed`` is another scene."""
    generator = torch.Generator().manual_seed(seed)
    features = tuple(
        torch.randn(1, c, -(-height // (4 * 2**i)), -(-width // (4 * 2**i)), generator=generator)
        for i, c in enumerate(channels)
    )
    return Knowledge(features, torch.randn(1, 5, height, width, generator=generator))


def check_knowledge_counts(network: nn.Module, image: Tensor, channels: Sequence[int]) -> None:
    """Gradient reaches every feature that the network was told, and another scene gives another picture."""
    height, width = image.shape[-2:]
    known = knowledge(channels, height, width)
    for feature in known.features:
        feature.requires_grad_()
    out = network(image, known).raw
    out.square().mean().backward()
    for feature in known.features:
        assert feature.grad is not None
        assert feature.grad.abs().sum() > 0
    assert (network(image, knowledge(channels, height, width, seed=1)).raw - out).abs().max() > 1e-5
