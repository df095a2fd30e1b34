"""Wakeup-Darkness: sizes, gradients, and that regions and depth both count."""

import pytest
import torch

from networks.wakeup_darkness import GatedResidualBlock, WakeupDarkness


@pytest.mark.parametrize("size", [(64, 64), (100, 150), (37, 51)])
def test_forward_and_backward(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = WakeupDarkness()
    picture = torch.rand(2, 3, *size)
    regions, depth = torch.rand(2, 3, 20, 30, requires_grad=True), torch.rand(2, 3, *size, requires_grad=True)
    out = network(picture, regions, depth)
    assert out.enhanced.shape == out.illumination.shape == picture.shape
    assert out.illumination.min() >= 1e-4
    assert out.enhanced.max() <= 1
    out.illumination.square().sum().backward()
    assert regions.grad is not None
    assert regions.grad.any()
    assert depth.grad is not None
    assert depth.grad.any()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_regions_and_depth_change_the_picture() -> None:
    torch.manual_seed(0)
    network = WakeupDarkness().eval()
    picture, regions, depth = torch.rand(3, 1, 3, 24, 32).unbind()
    out = network(picture, regions, depth).illumination
    assert (network(picture, regions.flip(1), depth).illumination - out).abs().max() > 1e-6
    assert (network(picture, regions, depth.flip(3)).illumination - out).abs().max() > 1e-6


def test_a_closed_gate_leaves_the_input() -> None:
    block = GatedResidualBlock(3)
    torch.nn.init.zeros_(block.gate[0].weight)  # type: ignore[arg-type]
    torch.nn.init.constant_(block.gate[0].bias, -50.0)  # type: ignore[arg-type]
    x = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(block(x), x)
