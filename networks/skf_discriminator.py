"""The discriminator of SKF's semantic-aware adversarial loss (CVPR 2023, equations 11 to 15; released with DRBN-SKF).

A row of 3x3 convolutions halves the picture four times and ends in one probability of being a normal-light picture.
It has two first layers: one for a plain picture or patch (the local loss), one for a picture joined with the bank's
class map (the global loss). Layers, also the padding around the last 1x1 convolution, are as released. The released
training builds it anew in every epoch and never trains the joined first layer (K16); a trainer should.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SKFDiscriminator(nn.Module):
    """4 725 377 parameters by default. Any picture from 16 x 16 up."""

    def __init__(self, classes: int = 59, channels: int = 64) -> None:
        super().__init__()
        c = channels
        self.plain = nn.Conv2d(3, c, 3, padding=1)
        self.joined = nn.Conv2d(3 + classes, c, 3, padding=1)
        steps = [(c, c, 2), (c, 2 * c, 1), (2 * c, 2 * c, 2), (2 * c, 4 * c, 1), (4 * c, 4 * c, 2)]
        steps += [(4 * c, 8 * c, 1), (8 * c, 8 * c, 2)]
        self.body = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU())
                for inputs, outputs, stride in steps
            )
        )
        self.last = nn.Conv2d(8 * c, 1, 1, padding=1)

    def forward(self, picture: Tensor, class_map: Tensor | None = None) -> Tensor:
        """Picture (N, 3, H, W) in 0..1, for the global loss with its class map (N, classes, H, W) -> (N,) in 0..1."""
        first = self.plain(picture) if class_map is None else self.joined(torch.cat([picture, class_map], dim=1))
        return torch.sigmoid(self.last(self.body(F.relu(first))).mean(dim=(1, 2, 3)))
