"""The four losses of Zero-DCE by their definitions, on pictures whose losses can be worked out by hand."""

from __future__ import annotations

import pytest
import torch

from training.losses.zero_dce import (
    ColourForm,
    colour_constancy,
    curve_smoothness,
    exposure,
    spatial_consistency,
    zero_dce_terms,
)


def test_constant_curves_are_smooth() -> None:
    assert curve_smoothness(torch.full((2, 24, 9, 7), 0.4)).item() == 0


def test_smoothness_of_a_ramp_is_its_slope_counted_as_published() -> None:
    """Every step right is 0.1: 0.01 a place, summed over 24 channels, twice; the same for any size and batch."""
    ramp = 0.1 * torch.arange(7.0).expand(3, 24, 5, 7)
    assert curve_smoothness(ramp).item() == pytest.approx(2 * 24 * 0.01, rel=1e-5)
    assert curve_smoothness(ramp.transpose(2, 3)).item() == pytest.approx(2 * 24 * 0.01, rel=1e-5)


def test_smoothness_takes_maps_of_a_single_row() -> None:
    assert curve_smoothness(torch.rand(1, 3, 1, 1)).item() == 0


def test_spatial_consistency_by_its_sum_over_neighbours() -> None:
    torch.manual_seed(0)
    before, after = torch.rand(2, 3, 12, 20).double(), torch.rand(2, 3, 12, 20).double()

    def regions(picture: torch.Tensor) -> torch.Tensor:
        return picture.mean(1).unflatten(2, (5, 4)).unflatten(1, (3, 4)).mean((2, 4))

    old, new = regions(before), regions(after)
    total = 0.0
    for number in range(2):
        for row in range(3):
            for column in range(5):
                for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                    y, x = row + down, column + right
                    inside = 0 <= y < 3 and 0 <= x < 5
                    step_old = old[number, row, column] - (old[number, y, x] if inside else 0)
                    step_new = new[number, row, column] - (new[number, y, x] if inside else 0)
                    total += (step_new - step_old).square().item()
    assert spatial_consistency(after, before).item() == pytest.approx(total / 30, rel=1e-9)


def test_spatial_consistency_of_more_light_everywhere_counts_only_at_the_border() -> None:
    """Of 5 x 5 regions, 16 touch the border, four of them twice: 20 steps of 0.3 to what counts as zero."""
    before = torch.rand(1, 3, 20, 20) * 0.5
    assert spatial_consistency(before + 0.3, before).item() == pytest.approx(20 * 0.09 / 25, rel=1e-4)


@pytest.mark.parametrize(("form", "expected"), [("paper", 0.04 + 0.01 + 0.01), ("code", (0.0016 + 2e-4) ** 0.5)])
def test_colour_constancy_in_both_forms(form: ColourForm, expected: float) -> None:
    means = torch.tensor([0.2, 0.3, 0.4]).view(1, 3, 1, 1)
    tinted = means + 0.1 * torch.tensor([1.0, -1.0]).repeat(8).view(1, 1, 4, 4)
    assert colour_constancy(tinted, form).item() == pytest.approx(expected, rel=1e-4)
    both = torch.cat((tinted, torch.full((1, 3, 4, 4), 0.5)))
    assert colour_constancy(both, form).item() == pytest.approx(expected / 2, rel=1e-4)


@pytest.mark.parametrize("form", ["paper", "code"])
def test_colour_constancy_of_gray_is_zero_with_a_finite_gradient(form: ColourForm) -> None:
    gray = torch.full((2, 3, 8, 8), 0.4, requires_grad=True)
    loss = colour_constancy(gray, form)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert gray.grad is not None
    assert torch.isfinite(gray.grad).all()


def test_exposure_is_the_squared_distance_of_region_means() -> None:
    picture = torch.zeros(1, 3, 16, 32)
    picture[..., 16:] = 0.6
    assert exposure(picture).item() == pytest.approx(0.18, rel=1e-5)
    assert exposure(picture, level=0.3).item() == pytest.approx(0.09, rel=1e-5)


def test_a_texture_with_the_right_mean_is_well_exposed() -> None:
    checks = 0.6 + 0.3 * torch.tensor([1.0, -1.0]).repeat(16).expand(1, 3, 32, 32)
    assert exposure(checks).item() == pytest.approx(0, abs=1e-10)


def test_the_terms_pass_their_settings_on() -> None:
    torch.manual_seed(1)
    dark, bright, curves = torch.rand(1, 3, 32, 32) * 0.2, torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32)
    bright[:, 0] *= 0.5
    terms = zero_dce_terms(dark, bright, curves, level=0.4, colour="code")
    assert list(terms) == ["smooth", "spatial", "colour", "exposure"]
    assert terms["exposure"] == exposure(bright, 0.4)
    assert terms["colour"] == colour_constancy(bright, "code") != colour_constancy(bright, "paper")
