"""Selective kernel feature fusion (SKFF), the attention with which MIRNet and HWMNet merge parallel streams.

Paper: Zamir et al., "Learning Enriched Features for Real Image Restoration and Enhancement" (ECCV 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SKFF(nn.Module):
    """Weights streams of equal shape (N, channels, H, W) per channel, with a soft-max over the streams, and adds them.

    `activation` follows the eight-fold squeeze: leaky ReLU in MIRNet, PReLU in HWMNet. No bias.
    """

    def __init__(self, channels: int, streams: int, activation: nn.Module) -> None:
        super().__init__()
        squeezed = max(channels // 8, 4)
        self.squeeze = nn.Sequential(nn.Conv2d(channels, squeezed, 1, bias=False), activation)
        self.expand = nn.ModuleList(nn.Conv2d(squeezed, channels, 1, bias=False) for _ in range(streams))

    def forward(self, streams: Sequence[Tensor]) -> Tensor:
        stack = torch.stack(list(streams), dim=1)
        pooled = self.squeeze(stack.sum(dim=1).mean(dim=(2, 3), keepdim=True))
        weights = torch.stack([expand(pooled) for expand in self.expand], dim=1).softmax(dim=1)
        return (stack * weights).sum(dim=1)
