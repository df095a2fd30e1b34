"""SKF's semantic-guided adversarial loss (CVPR 2023, equations 11 to 15), least squares: real 1, fake 0 (K17).

Global: the whole picture joined with the class map before the soft-max. Local: one class of each picture, all else
black, namely the class that the discriminator judges most fake.

Faithful: equations 12 to 14; the local loss takes the arg-min over classes, real pictures give random crops.
Repaired: classes are hard, without their borders, and cover at least 1 % of the picture (K15; the released code takes
the soft maps of two classes that are the same by mistake). Both first layers of the discriminator see real and fake
(K16; the joined one is never trained in the released code). Real and fake share one class map, so that the
discriminator cannot tell them by the map.
Unknown: the size of the random crops, here half of each side. A crop has no black surroundings as a class patch has,
which is itself a way to tell them; `real="classes"` cuts the bright picture by the same class instead.

All functions take pictures [n, 3, h, w] in 0..1 and return unweighted terms; L_SA is the sum of global and local.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from networks.skf_discriminator import SKFDiscriminator
from training.losses.sch import without_borders

SMALLEST_SHARE = 0.01
SMALLEST_SIDE = 16

Real = Literal["crops", "classes"]


def class_masks(classes: Tensor, radius: int = 2) -> tuple[Tensor, Tensor]:
    """The patches of class maps [n, h, w]: masks [p, 1, h, w] (bool) and the picture [p] that each belongs to.

    One patch per class that covers at least 1 % of its picture once its borders are gone. A picture without any such
    class has itself as its only patch.
    """
    masks, owners = [], []
    for number, kept in enumerate(without_borders(classes, radius)):
        ids, sizes = kept[kept >= 0].unique(return_counts=True)
        large = ids[sizes >= SMALLEST_SHARE * kept.numel()]
        masks.append(kept == large[:, None, None] if len(large) else torch.ones_like(kept, dtype=torch.bool)[None])
        owners.append(torch.full((len(masks[-1]),), number, device=classes.device))
    return torch.cat(masks)[:, None], torch.cat(owners)


@torch.no_grad()
def worst_masks(discriminator: SKFDiscriminator, enhanced: Tensor, classes: Tensor, radius: int = 2) -> Tensor:
    """Per picture the mask [n, 1, h, w] of the class patch that the discriminator judges most fake (equation 12).

    Judged with the batch norm's running statistics: the verdict on a patch must not depend on the other patches.
    """
    masks, owners = class_masks(classes, radius)
    mode = discriminator.training
    discriminator.eval()
    verdicts = discriminator(enhanced[owners] * masks)
    discriminator.train(mode)
    chosen = [torch.where(owners == n, verdicts, torch.inf).argmin() for n in range(len(enhanced))]
    return masks[torch.stack(chosen)]


def random_crops(pictures: Tensor) -> Tensor:
    """A crop of each picture at a random place, half its height and width (at least 16; never more than it has).

    Draws from torch's global generator of the CPU.
    """
    height, width = pictures.shape[-2:]
    rows, cols = (min(side, max(SMALLEST_SIDE, side // 2)) for side in (height, width))
    top = torch.randint(height - rows + 1, (len(pictures),)).tolist()
    left = torch.randint(width - cols + 1, (len(pictures),)).tolist()
    crops = [picture[:, y : y + rows, x : x + cols] for picture, y, x in zip(pictures, top, left, strict=True)]
    return torch.stack(crops)


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """The module takes no gradient inside; what was trainable before is so again after."""
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trainable:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)


def generator_terms(
    discriminator: SKFDiscriminator, enhanced: Tensor, class_map: Tensor, worst: Tensor
) -> dict[str, Tensor]:
    """What the enhancer minimises: its pictures judged real. The gradient reaches `enhanced` alone.

    `class_map` [n, classes, h, w] before the soft-max; `worst` as `worst_masks` gives it.
    """
    with frozen(discriminator):
        return {
            "global": (discriminator(enhanced, class_map) - 1).square().mean(),
            "local": (discriminator(enhanced * worst) - 1).square().mean(),
        }


def discriminator_terms(
    discriminator: SKFDiscriminator,
    enhanced: Tensor,
    target: Tensor,
    class_map: Tensor,
    worst: Tensor,
    real: Real = "crops",
) -> dict[str, Tensor]:
    """What the discriminator minimises: bright pictures judged 1, enhanced ones 0, whole and in part.

    No gradient reaches `enhanced`.
    """
    enhanced = enhanced.detach()
    part = random_crops(target) if real == "crops" else target * worst
    judged = {
        "global": (discriminator(target, class_map), discriminator(enhanced, class_map)),
        "local": (discriminator(part), discriminator(enhanced * worst)),
    }
    return {name: (true - 1).square().mean() + fake.square().mean() for name, (true, fake) in judged.items()}
