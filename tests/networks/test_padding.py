"""Padding to a multiple and cropping back."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from networks.padding import crop_like, pad_to_multiple


@pytest.mark.parametrize(("size", "padded"), [((1, 1), (8, 8)), ((8, 16), (8, 16)), ((9, 15), (16, 16))])
def test_next_multiple_and_back(size: tuple[int, int], padded: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    out = pad_to_multiple(image, 8)
    assert tuple(out.shape[-2:]) == padded
    assert torch.equal(crop_like(out, image), image)


def test_the_border_is_repeated_on_the_right_and_at_the_bottom() -> None:
    image = torch.arange(6.0).view(1, 1, 2, 3)
    expected = torch.tensor([[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]], dtype=torch.float32)
    assert torch.equal(pad_to_multiple(image, 4)[0, 0], expected)


def test_gradients_pass_once() -> None:
    image = torch.rand(1, 1, 5, 7, requires_grad=True)
    crop_like(pad_to_multiple(image, 4), image).sum().backward()
    assert image.grad is not None
    assert torch.equal(image.grad, torch.ones_like(image))


def test_sizes_stay_free_in_an_exported_graph() -> None:
    """Halving and doubling between padding and cropping must not pin height and width to some multiple."""

    class Halves(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            padded = pad_to_multiple(image, 16)
            deep = F.avg_pool2d(F.pixel_unshuffle(padded, 2), 2)
            return crop_like(padded + F.pixel_shuffle(F.interpolate(deep, scale_factor=2.0), 2), image)

    free = {2: torch.export.Dim("height", min=16, max=2048), 3: torch.export.Dim("width", min=16, max=2048)}
    program = torch.export.export(Halves(), (torch.rand(1, 3, 40, 56),), dynamic_shapes=(free,))
    for size in ((16, 16), (33, 47), (64, 100)):
        image = torch.rand(1, 3, *size)
        torch.testing.assert_close(program.module()(image), Halves()(image))
