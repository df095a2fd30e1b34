"""RetinexNet's losses on pictures whose answer is known."""

from __future__ import annotations

import math

import pytest
import torch

from training.losses.retinexnet import (
    decomposition_terms,
    differences,
    edge_aware_smoothness,
    grey,
    relighting_terms,
)


def test_a_constant_illumination_is_smooth_whatever_the_reflectance() -> None:
    assert edge_aware_smoothness(torch.full((2, 1, 9, 8), 0.3), torch.rand(2, 3, 9, 8)).item() == 0


def test_a_step_costs_its_height_where_the_reflectance_is_flat_and_less_at_an_edge() -> None:
    light = torch.zeros(1, 1, 6, 10)
    light[..., 5:] = 0.5
    flat = torch.full((1, 3, 6, 10), 0.7)
    assert edge_aware_smoothness(light, flat).item() == pytest.approx(0.5 / 9)  # one of nine differences to the right
    edge = flat.clone()
    edge[..., 5:] = 0.1
    # The edge of 0.6 lies in the middle of a window three wide.
    assert edge_aware_smoothness(light, edge).item() == pytest.approx(0.5 / 9 * math.exp(-10 * 0.2), rel=1e-5)
    down = edge_aware_smoothness(light.transpose(2, 3), edge.transpose(2, 3))
    assert down.item() == pytest.approx(0.5 / 9 * math.exp(-10 * 0.2), rel=1e-5)


def test_an_edge_far_from_the_step_forgives_nothing() -> None:
    light = torch.zeros(1, 1, 6, 12)
    light[..., 9:] = 0.5
    reflectance = torch.full((1, 3, 6, 12), 0.7)
    reflectance[..., 3:] = 0.1
    assert edge_aware_smoothness(light, reflectance).item() == pytest.approx(0.5 / 11)


def test_a_perfect_decomposition_costs_nothing() -> None:
    reflectance, i_l, i_h = torch.rand(2, 3, 8, 8), torch.full((2, 1, 8, 8), 0.1), torch.full((2, 1, 8, 8), 0.9)
    terms = decomposition_terms(reflectance * i_l, reflectance * i_h, (reflectance, i_l), (reflectance, i_h))
    assert set(terms) == {"reconstruction", "exchange", "smooth", "similarity"}
    assert all(term.item() == pytest.approx(0, abs=1e-7) for term in terms.values())


def test_every_term_of_the_decomposition_is_a_mean_absolute_difference() -> None:
    def full(channels: int, value: float) -> torch.Tensor:
        return torch.full((1, channels, 4, 4), value)

    dark, bright = (full(3, 0.5), full(1, 0.2)), (full(3, 0.8), full(1, 0.9))
    terms = decomposition_terms(full(3, 0.3), full(3, 0.6), dark, bright)
    found = {name: term.item() for name, term in terms.items()}
    assert found["reconstruction"] == pytest.approx(0.2 + 0.12)
    assert found["exchange"] == pytest.approx(0.14 + 0.15)
    assert found["similarity"] == pytest.approx(0.3)
    assert found["smooth"] == 0


def test_similarity_pulls_the_dark_reflectance_alone_unless_told_otherwise() -> None:
    for detach in (True, False):
        r_l, r_h = (torch.rand(1, 3, 4, 4, requires_grad=True) for _ in range(2))
        light = torch.ones(1, 1, 4, 4)
        picture = torch.rand(1, 3, 4, 4)
        decomposition_terms(picture, picture, (r_l, light), (r_h, light), detach)["similarity"].backward()
        assert r_l.grad is not None
        assert (r_h.grad is None) == detach


def test_relighting_compares_the_product_with_the_bright_picture() -> None:
    reflectance = torch.rand(1, 3, 8, 8)
    relit = torch.full((1, 1, 8, 8), 0.5)
    terms = relighting_terms(0.5 * reflectance + 0.1, reflectance, relit)
    assert terms["reconstruction"].item() == pytest.approx(0.1)
    assert terms["smooth"].item() == 0


def test_grey_and_differences() -> None:
    picture = torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1).expand(1, 3, 3, 4)
    assert grey(picture)[0, 0, 0, 0].item() == pytest.approx(0.299 + 0.587 / 2 + 0.114 / 4)
    ramp = torch.arange(12.0).view(1, 1, 3, 4)
    right, down = differences(ramp)
    assert right.shape == (1, 1, 3, 3)
    assert down.shape == (1, 1, 2, 4)
    assert (right == 1).all()
    assert (down == 4).all()
