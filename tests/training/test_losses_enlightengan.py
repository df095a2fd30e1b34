"""EnlightenGAN's losses: who wins what at which scores, and patches from where they are said to be."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.losses.enlightengan import (
    content_distance,
    cut,
    least_squares_discriminator,
    least_squares_generator,
    random_corners,
    relativistic_discriminator,
    relativistic_generator,
)


def test_least_squares_at_known_scores() -> None:
    real, fake = torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.5])
    assert least_squares_discriminator(real, fake).item() == pytest.approx(0.125 + 0.125)
    assert least_squares_generator(fake).item() == pytest.approx((1 + 0.25) / 2)


def test_relativistic_losses_compare_with_the_mean_of_the_others() -> None:
    real, fake = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 1.0])
    assert relativistic_discriminator(real, fake).item() == pytest.approx(((1 - 0) ** 2 + 1) / 2 + 1)
    assert relativistic_generator(real, fake).item() == pytest.approx(4 + (2**2 + 0) / 2)


def test_what_both_pay_when_real_ones_score_one_more() -> None:
    real, fake = torch.full((2, 1, 3, 3), 7.0), torch.full((2, 1, 4, 4), 6.0)
    assert relativistic_discriminator(real, fake).item() == 0 + 1  # fakes one below real ones count too
    assert relativistic_generator(real, fake).item() == 5


@given(shift=st.floats(-50, 50))
@settings(max_examples=25, deadline=None)
def test_only_differences_of_scores_count(shift: float) -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 1, 5, 5).double(), torch.randn(2, 1, 5, 5).double()
    torch.testing.assert_close(
        relativistic_generator(real + shift, fake + shift), relativistic_generator(real, fake), rtol=1e-9, atol=1e-9
    )


def test_content_does_not_see_brightness_and_contrast_of_a_channel() -> None:
    torch.manual_seed(1)
    feature = torch.randn(2, 4, 6, 6)
    gains, offsets = torch.rand(2, 4, 1, 1) + 0.5, torch.randn(2, 4, 1, 1)
    assert content_distance(feature, gains * feature + offsets).item() == pytest.approx(0, abs=1e-4)
    assert content_distance(feature, feature.flip(3)).item() > 0.5


def test_patches_are_cut_where_the_corners_say() -> None:
    pictures = torch.arange(2 * 3 * 20 * 30.0).view(2, 3, 20, 30)
    corners = torch.tensor([[[0, 0], [4, 14]], [[12, 22], [1, 2]]])
    patches = cut(pictures, corners, 8)
    assert patches.shape == (4, 3, 8, 8)
    assert torch.equal(patches[1], pictures[1, :, 4:12, 14:22])
    assert torch.equal(patches[2], pictures[0, :, 12:20, 22:30])


@given(height=st.integers(8, 40), width=st.integers(8, 40))
@settings(max_examples=25, deadline=None)
def test_corners_always_fit_and_reach_every_place(height: int, width: int) -> None:
    corners = random_corners(400, 2, height, width, 8)
    assert corners.shape == (400, 2, 2)
    assert corners.min() >= 0
    assert (corners[..., 0] <= height - 8).all()
    assert (corners[..., 1] <= width - 8).all()


def test_both_ends_are_drawn() -> None:
    torch.manual_seed(2)
    found = {tuple(corner) for corner in random_corners(100, 1, 9, 9, 8)[:, 0].tolist()}
    assert found == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_a_picture_smaller_than_a_patch_is_told() -> None:
    with pytest.raises(ValueError, match="32x32 do not fit into pictures of 31x64"):
        random_corners(1, 1, 31, 64, 32)
