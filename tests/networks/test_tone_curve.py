"""The differentiable twin against the NumPy definition that ships, and its gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engines.colour import Colour
from engines.curve.grid import CurveGrid
from engines.curve.reference import apply
from engines.planes import Planes
from networks.tone_curve import apply_grid, safe_sqrt


def random_grid(rng: np.random.Generator, rows: int, cols: int) -> np.ndarray:
    grid = rng.normal(0, 0.15, (rows, cols, 9)) + np.array([0.6, 0.4, 0, 1, 0, 0, 1, 0, 0])
    return grid.astype(np.float32)


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize(("height", "width"), [(64, 96), (50, 34)])
def test_twin_agrees_with_the_reference_within_half_a_code_of_rounding(
    full_range: bool, height: int, width: int
) -> None:
    rng = np.random.default_rng(5)
    colour = Colour("bt709", full_range)
    low, high = colour.luma_limits
    y = rng.integers(low, high + 1, (height, width), dtype=np.uint8)
    y[:4] = low
    u, v = rng.integers(*colour.chroma_limits, (2, height // 2, width // 2), dtype=np.uint8)
    nodes = random_grid(rng, 5, 7)
    expected = apply(Planes(y, u, v, colour), CurveGrid(nodes))

    luma = torch.from_numpy((y - float(low)) / colour.luma_range)[None, None].float()
    chroma = torch.from_numpy((np.stack((u, v)) - 128.0) / colour.chroma_range)[None].float()
    got_y, got_chroma = apply_grid(torch.from_numpy(nodes)[None], luma, chroma)
    found = (got_y[0, 0].numpy() * colour.luma_range + low).clip(*colour.luma_limits)
    assert np.abs(found - expected.y).max() <= 0.51
    tints = (got_chroma[0].numpy() * colour.chroma_range + 128).clip(*colour.chroma_limits)
    assert np.abs(tints - np.stack((expected.u, expected.v))).max() <= 0.51


def test_the_root_is_exact_on_every_code_and_its_slope_is_finite() -> None:
    y = (torch.arange(256) / 255).requires_grad_()
    root = safe_sqrt(y)
    torch.testing.assert_close(root.detach(), (torch.arange(256) / 255).sqrt(), rtol=1e-6, atol=0)
    root.sum().backward()
    assert y.grad is not None
    assert torch.isfinite(y.grad).all()


def test_gradients_reach_every_coefficient_even_on_black() -> None:
    grid = torch.from_numpy(random_grid(np.random.default_rng(6), 2, 3))[None].requires_grad_()
    y = torch.rand(1, 1, 16, 24)
    y[..., :8] = 0
    out_y, out_chroma = apply_grid(grid, y, torch.rand(1, 2, 8, 12) - 0.5)
    (out_y.sum() + out_chroma.sum()).backward()
    assert grid.grad is not None
    assert torch.isfinite(grid.grad).all()
    assert (grid.grad.abs().amax((0, 1, 2)) > 0).all()


def test_nodes_hold_at_cell_centres_and_outside_the_outermost() -> None:
    nodes = torch.zeros(1, 1, 2, 9)
    nodes[0, 0, :, 2] = torch.tensor([0.2, 0.6])
    out, _ = apply_grid(nodes, torch.zeros(1, 1, 4, 8), torch.zeros(1, 2, 4, 8))
    torch.testing.assert_close(out[0, 0, 0], torch.tensor([0.2, 0.2, 0.25, 0.35, 0.45, 0.55, 0.6, 0.6]))
