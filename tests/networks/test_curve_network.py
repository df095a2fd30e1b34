"""The grid network: an untrained head is SCI, every emitted curve rises, any thumbnail size works."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from networks.colour import luma_weights, yuv_to_rgb
from networks.curve import CurveNet, curve_from_slopes


def thumbnail(height: int, width: int, seed: int, brightness: float = 0.4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    y = torch.rand(1, 1, height, width, generator=generator) * brightness
    chroma = (torch.rand(1, 2, height, width, generator=generator) - 0.5) * 0.3 * brightness
    return torch.cat((y, chroma), 1)


def shaken(seed: int, spread: float) -> CurveNet:
    """A network with a head as far from zero as training could ever push it."""
    torch.manual_seed(seed)
    network = CurveNet().eval()
    torch.nn.init.normal_(network.head.weight, 0, spread)
    torch.nn.init.normal_(network.head.bias, 0, spread)
    return network


def test_it_is_small() -> None:
    assert sum(parameter.numel() for parameter in CurveNet().parameters()) <= 400_000


def test_an_untrained_head_is_sci_with_its_gain_pooled_to_the_grid() -> None:
    torch.manual_seed(0)
    network = CurveNet().eval()
    seen = thumbnail(48, 64, 1)
    with torch.no_grad():
        grid = network(seen)[0]
        kr, kb = luma_weights("bt709", seen)
        quarter = yuv_to_rgb(F.avg_pool2d(seen, 4), kr, kb).clamp(0, 1)
        red, green, blue = network.illumination(quarter)[0]
        gain = F.avg_pool2d((1 / (kr * red + (1 - kr - kb) * green + kb * blue))[None], 2)[0]
    a, s, b, cu, du, eu, cv, dv, ev = grid.unbind(-1)
    for found in (a, cu, cv):
        torch.testing.assert_close(found, gain)
    for found in (s, b, du, eu, dv, ev):
        torch.testing.assert_close(found, torch.zeros_like(gain), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("height", "width"), [(144, 256), (192, 192), (256, 144), (16, 8), (8, 8), (104, 344)])
def test_any_multiple_of_eight_gives_a_node_per_cell(height: int, width: int) -> None:
    with torch.no_grad():
        grid = shaken(0, 0.1)(thumbnail(height, width, 2))
    assert grid.shape == (1, height // 8, width // 8, 9)
    assert torch.isfinite(grid).all()


@given(st.floats(0, 100), st.floats(0, 1000), st.sampled_from([255, 219]))
def test_a_curve_with_two_slopes_rises_over_all_codes(at_white: float, at_black: float, codes: int) -> None:
    slopes = torch.tensor([at_white, at_black], dtype=torch.float64)
    a, s = (value.item() for value in curve_from_slopes(slopes[0], slopes[1]))
    y = np.arange(codes + 1) / codes
    assert (np.diff(a * y + s * np.sqrt(y)) >= -1e-9).all()
    assert a + s / 2 == pytest.approx(at_white, abs=1e-6)
    assert a + 16 * s == pytest.approx(at_black, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 20), st.floats(0, 1))
def test_every_curve_the_network_can_emit_is_monotone(seed: int, spread: float, brightness: float) -> None:
    with torch.no_grad():
        grid = shaken(seed, spread)(thumbnail(32, 40, seed, brightness))
    a, s = grid[..., 0], grid[..., 1]
    assert (a + s / 2 >= 0).all()
    assert (a + 16 * s >= 0).all()


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_pictures_give_finite_grids_and_gradients(level: float) -> None:
    network = shaken(3, 0.1).train()
    seen = torch.zeros(2, 3, 32, 32)
    seen[:, 0] = level
    grid = network(seen)
    grid.square().mean().backward()
    assert torch.isfinite(grid).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())
