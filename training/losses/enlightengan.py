"""The losses of EnlightenGAN (TIP 2021): two discriminators that compare with bright pictures of other places.

Whole pictures by relativistic-average least squares, patches by plain least squares, both as in the paper (sums of a
real and a fake half; the released code halves some of them, which a weight can do). Real is 1, fake is 0. What keeps
the content, features of VGG16 with instance normalisation, is in `training.losses.perceptual`; `content_distance` is a
stand-in for it that needs no weights of others.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """The fake scores should exceed the mean real one by 1, the real scores equal the mean fake one. Any shapes."""
    return (fake - real.mean() - 1).square().mean() + (real - fake.mean()).square().mean()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """The same with the sides exchanged."""
    return relativistic_generator(fake, real)


def least_squares_generator(fake: Tensor) -> Tensor:
    """Scores of fakes should be 1."""
    return (fake - 1).square().mean()


def least_squares_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """Scores of real ones should be 1, of fakes 0."""
    return (real - 1).square().mean() + fake.square().mean()


def content_distance(before: Tensor, after: Tensor) -> Tensor:
    """Mean squared distance of pictures [n, c, h, w], every channel of each brought to mean 0 and variance 1.

    It is 2 - 2 * correlation: more light or contrast costs nothing, other structure does. Not from the paper.
    """
    return F.mse_loss(F.instance_norm(after), F.instance_norm(before))


def random_corners(count: int, pictures: int, height: int, width: int, size: int) -> Tensor:
    """Top left corners [count, pictures, 2] of patches that fit; drawn from torch's generator.

    Raises ``ValueError`` where a patch is larger than the picture.
    """
    if size > min(height, width):
        raise ValueError(f"patches of {size}x{size} do not fit into pictures of {height}x{width}: take a larger crop")
    top = torch.randint(height - size + 1, (count, pictures))
    left = torch.randint(width - size + 1, (count, pictures))
    return torch.stack((top, left), -1)


def cut(pictures: Tensor, corners: Tensor, size: int) -> Tensor:
    """The patches at ``corners`` [count, n, 2] of pictures [n, c, h, w] -> [count * n, c, size, size]."""
    return torch.stack(
        [
            pictures[number, :, top : top + size, left : left + size]
            for row in corners.tolist()
            for number, (top, left) in enumerate(row)
        ]
    )
