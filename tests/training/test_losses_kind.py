"""The losses of KinD and KinD++ on maps whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.losses.kind import (
    adjustment_terms,
    brightening,
    decomposition_terms,
    gradient_distance,
    gradients,
    restoration_terms,
    restoration_terms_plus,
    shared_structure,
    unexplained_structure,
)
from training.metrics import ssim_gaussian


def step(height: float, at: int = 5) -> Tensor:
    """A map [1, 1, 6, 10] with one edge to the right."""
    light = torch.zeros(1, 1, 6, 10)
    light[..., at:] = height
    return light


def spot(height: float) -> Tensor:
    """A map of 0.5 with a spot that is brighter or darker."""
    light = torch.full((1, 1, 6, 10), 0.5)
    light[..., 2:4, 3:7] += height
    return light


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(1, 20))
def test_gradients_do_not_depend_on_the_strength_of_the_map(seed: int, gain: float) -> None:
    light = 0.2 + torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for signed in (False, True):
        for first, second in zip(gradients(light, signed), gradients(gain * light, signed), strict=True):
            assert first.shape == light.shape
            assert first.min() >= 0
            assert first.max() < 1
            torch.testing.assert_close(first, second, rtol=0, atol=1e-3)


def test_a_nearly_flat_map_keeps_small_gradients() -> None:
    """The border of zeros is the highest edge."""
    right, down = gradients(0.5 + 0.001 * spot(0.5))
    assert right[..., :-1].max() < 2e-3
    assert down[..., :-1, :].max() < 2e-3
    assert right[..., -1].min() > 0.99
    assert down[..., -1, :].min() > 0.99


def test_signed_gradients_tell_rising_from_falling_edges() -> None:
    assert gradient_distance(spot(0.3), spot(-0.3)).item() == pytest.approx(0, abs=1e-6)
    assert gradient_distance(spot(0.3), spot(-0.3), signed=True).item() > 0.05


# A step between columns 4 and 5 has two edges in each of the six rows, the border's among them, and in the last row
# five of ten places to the border below.
EDGES = 2 / 10 + 5 / 60


def test_shared_edges_cost_little_and_edges_in_one_illumination_more() -> None:
    both = shared_structure(step(0.2), step(0.6)).item()
    assert both == pytest.approx(2 * math.exp(-20) * EDGES, rel=2e-2)
    alone = shared_structure(step(0.2), torch.zeros(1, 1, 6, 10)).item()
    assert alone == pytest.approx(math.exp(-10) * EDGES, rel=2e-2)
    assert alone > both


def test_an_edge_of_the_illumination_is_free_only_where_the_picture_has_it() -> None:
    picture = step(0.4).expand(1, 3, 6, 10)
    assert unexplained_structure(step(0.8), picture).item() == pytest.approx(EDGES, rel=1e-2)
    elsewhere = unexplained_structure(step(0.8, at=2), picture).item()
    # One edge per row and three places of the last row are not the picture's, and count against 0.01.
    assert elsewhere == pytest.approx(100 / 10 + 1 / 10 + (3 * 100 + 5) / 60, rel=1e-2)


def test_a_perfect_decomposition_costs_only_what_structure_costs() -> None:
    reflectance, i_l, i_h = torch.rand(1, 3, 6, 10), 0.1 + step(0.1), 0.5 + step(0.4)
    terms = decomposition_terms(reflectance * i_l, reflectance * i_h, (reflectance, i_l), (reflectance, i_h))
    assert set(terms) == {"reconstruction", "similarity", "shared", "unexplained"}
    assert terms["reconstruction"].item() == pytest.approx(0, abs=1e-7)
    assert terms["similarity"].item() == 0
    assert terms["shared"].item() == pytest.approx(shared_structure(i_l, i_h).item())


def test_restoration_wants_the_bright_reflectance_with_more_contrast() -> None:
    torch.manual_seed(0)
    bright = torch.rand(1, 3, 16, 16)
    terms = restoration_terms(bright**1.2, bright)
    assert set(terms) == {"square", "structure", "gradient"}
    assert all(term.item() == pytest.approx(0, abs=1e-6) for term in terms.values())
    plus = restoration_terms_plus((0.99 * bright) ** 1.2, bright)
    assert set(plus) == {"square", "structure"}
    assert all(term.item() == pytest.approx(0, abs=1e-6) for term in plus.values())


def test_restoration_terms_have_known_values() -> None:
    torch.manual_seed(0)
    bright, got = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    terms = restoration_terms(got, bright)
    assert terms["square"].item() == pytest.approx((got - bright**1.2).square().mean().item())
    assert terms["structure"].item() == pytest.approx(1 - ssim_gaussian(got, bright**1.2, 1.0).item(), abs=1e-6)
    assert terms["gradient"].item() > 0.01


def test_adjustment_compares_levels_and_edges() -> None:
    level = torch.full((1, 1, 6, 10), 0.4)
    terms = adjustment_terms(level + 0.1, level)
    assert terms["square"].item() == pytest.approx(0.01)
    assert terms["gradient"].item() == pytest.approx(0, abs=1e-6)
    assert adjustment_terms(step(0.5), step(0.5, at=2))["gradient"].item() == pytest.approx(2 / 10 + 3 / 60, rel=1e-2)


def test_the_ratio_of_light_is_one_number_per_picture() -> None:
    dark = torch.tensor([0.1, 0.2]).view(2, 1, 1, 1).expand(2, 1, 4, 4)
    bright = torch.full((2, 1, 4, 4), 0.8)
    assert brightening(dark, bright).tolist() == pytest.approx([8, 4], rel=1e-3)


def test_terms_have_finite_gradients_on_flat_maps() -> None:
    light = torch.full((1, 1, 12, 12), 0.5, requires_grad=True)
    picture = torch.full((1, 3, 12, 12), 0.5)
    total = (
        shared_structure(light, light)
        + unexplained_structure(light, picture)
        + gradient_distance(light, torch.zeros(1, 1, 12, 12))
    )
    total.backward()
    assert light.grad is not None
    assert torch.isfinite(light.grad).all()
