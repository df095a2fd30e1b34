"""SCI's loss by its definition, and the guards of the curve loss: each term reacts to the fault it is there for."""

from __future__ import annotations

import pytest
import torch

from networks.colour import rgb_to_yuv
from networks.sci import SCI
from training.losses.curve import Weights, curve_loss, milky_blacks, responses
from training.losses.sci import illumination_smoothness, sci_loss, smoothness_weight
from training.samples import Batch

IDENTITY = torch.tensor([1.0, 0, 0] * 3)
ONES = Weights(charbonnier=1, decibel=1, structure=1, colour=1, smooth=1, steady=1)


def test_smoothness_weight_probe() -> None:
    assert smoothness_weight(torch.tensor(3.0), 10).item() == pytest.approx(0.985, abs=5e-4)
    assert smoothness_weight(torch.tensor(0.03), 0.1).item() == pytest.approx(0.2231, abs=1e-3)


def test_smoothness_of_a_constant_is_zero() -> None:
    assert illumination_smoothness(torch.rand(1, 3, 9, 9), torch.full((1, 3, 9, 9), 0.3)).item() == 0


def test_smoothness_counts_every_neighbour_pair_once_in_each_direction() -> None:
    torch.manual_seed(0)
    guide, light = torch.rand(2, 3, 8, 7).double(), torch.rand(2, 3, 8, 7).double()
    matrix = torch.tensor([[0.257, 0.564, 0.098], [-0.148, -0.291, 0.439], [0.439, -0.368, -0.071]]).double()
    colour = torch.einsum("kc,nchw->nkhw", matrix, guide)
    total = 0.0
    for down in range(-2, 3):
        for right in range(-2, 3):
            if (down, right) == (0, 0):
                continue
            terms = []
            for row in range(8):
                for col in range(7):
                    if 0 <= row + down < 8 and 0 <= col + right < 7:
                        apart = (colour[:, :, row, col] - colour[:, :, row + down, col + right]).square().sum(1)
                        change = (light[:, :, row, col] - light[:, :, row + down, col + right]).abs().sum(1)
                        terms.append(torch.exp(-apart / (2 * 0.3**2)) * change)
            total += torch.stack(terms).mean().item()
    assert illumination_smoothness(guide, light, 0.3).item() == pytest.approx(total, rel=1e-6)


def test_sci_loss_is_the_sum_over_its_stages() -> None:
    torch.manual_seed(1)
    stages = SCI().eval().unroll(torch.rand(1, 3, 10, 10))
    terms = sci_loss(stages)
    fidelity = sum(1.5 * (s.illumination - s.seen).square().mean() for s in stages)
    torch.testing.assert_close(terms["fidelity"], fidelity)
    torch.testing.assert_close(terms["smooth"], sum(illumination_smoothness(s.seen, s.illumination) for s in stages))


def batch(low: torch.Tensor, high: torch.Tensor, recordings: int = 1) -> Batch:
    kr, kb = torch.full((len(low), 1, 1), 0.299), torch.full((len(low), 1, 1), 0.114)
    planes = [rgb_to_yuv(picture, kr, kb) for picture in (low, high)]
    return Batch(planes[0], planes[0][:recordings], planes[0], planes[1], kr, kb)


def grids(*nodes: torch.Tensor) -> torch.Tensor:
    return torch.stack(nodes).view(len(nodes), 1, 1, 9).expand(-1, 2, 3, -1).contiguous()


def test_the_right_grid_costs_least_and_gradients_lead_to_it() -> None:
    torch.manual_seed(2)
    high = torch.rand(2, 3, 16, 24) * 0.8
    seen = batch(high, high)
    right = grids(IDENTITY, IDENTITY)
    wrong = (right + 0.1).requires_grad_()
    best = sum(curve_loss(right, right[:1], seen, Weights()).values())
    worse = torch.stack(list(curve_loss(wrong, wrong[:1], seen, Weights()).values())).sum()
    assert best < worse
    (slope,) = torch.autograd.grad(worse, wrong)
    assert ((slope * (right - wrong)).sum() < 0).item()


def test_a_tint_costs_more_in_the_dark() -> None:
    tint = IDENTITY.clone()
    tint[5] = 0.05
    costs = [
        curve_loss(grids(tint), grids(tint), batch(grey, grey), ONES)["colour"].item()
        for grey in (torch.full((1, 3, 16, 24), level) for level in (0.05, 0.9))
    ]
    assert costs[0] > 20 * costs[1] > 0


def test_a_step_in_the_grid_and_a_changed_recording_cost() -> None:
    flat = grids(IDENTITY)
    step = flat.clone()
    step[:, :, 1:, 2] += 0.2
    seen = batch(torch.rand(1, 3, 16, 24), torch.rand(1, 3, 16, 24))
    assert curve_loss(flat, flat, seen, ONES)["smooth"].item() == 0
    assert curve_loss(step, flat, seen, ONES)["smooth"].item() > 0.01
    assert curve_loss(flat, flat, seen, ONES)["steady"].item() == 0
    assert curve_loss(step, flat, seen, ONES)["steady"].item() > 0.01


def test_responses_do_not_see_what_the_curve_does_not_do() -> None:
    grid = grids(IDENTITY)
    assert responses(grid).shape == (1, 2, 3, 11)
    torch.testing.assert_close(responses(grid)[0, 0, 0, :5], torch.tensor([0.0, 0.03, 0.12, 0.4, 0.8]))


def test_no_second_recording_is_no_error() -> None:
    grid = grids(IDENTITY)
    seen = batch(torch.rand(1, 3, 16, 24), torch.rand(1, 3, 16, 24), recordings=0)
    assert curve_loss(grid, grid[:0], seen, ONES)["steady"].item() == 0


def test_milky_and_steep_blacks_cost_and_plain_curves_do_not() -> None:
    plain, milky, steep = IDENTITY.clone(), IDENTITY.clone(), IDENTITY.clone()
    milky[2], steep[1] = 0.3, 2.0
    assert milky_blacks(grids(plain)).item() == 0
    assert milky_blacks(grids(milky)).item() == pytest.approx(0.24)
    assert milky_blacks(grids(steep)).item() == pytest.approx(0.02 * 13)
