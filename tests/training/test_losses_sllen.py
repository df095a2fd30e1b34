"""The losses of the SLLEN-style network, and its night: darker, by its formula, with noise."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.losses.sllen import darken, enhancement_terms, segmentation_loss
from training.metrics import ssim_gaussian


def test_a_perfect_picture_costs_nothing() -> None:
    picture = torch.rand(2, 3, 24, 24)
    terms = enhancement_terms(picture, picture)
    assert terms["l1"].item() == 0
    assert terms["structure"].item() == pytest.approx(0, abs=1e-6)


def test_l1_and_structure_of_a_brighter_picture() -> None:
    torch.manual_seed(0)
    want = torch.rand(2, 3, 24, 24) * 0.5
    got = want + 0.25
    terms = enhancement_terms(got, want)
    assert terms["l1"].item() == pytest.approx(0.25, rel=1e-5)
    assert terms["structure"].item() == pytest.approx(1 - ssim_gaussian(got * 255, want * 255).mean().item(), rel=1e-4)


def test_cross_entropy_of_even_logits_is_the_log_of_the_number_of_classes() -> None:
    labels = torch.randint(0, 7, (2, 5, 6))
    assert segmentation_loss(torch.zeros(2, 7, 5, 6), labels).item() == pytest.approx(math.log(7), rel=1e-5)


@pytest.mark.parametrize("none", [-1, 255])
def test_pixels_without_label_do_not_count(none: int) -> None:
    torch.manual_seed(1)
    logits, labels = torch.randn(1, 4, 6, 6), torch.randint(0, 4, (1, 6, 6))
    whole = segmentation_loss(logits[..., :3], labels[..., :3])
    labels[..., 3:] = none
    torch.testing.assert_close(segmentation_loss(logits, labels), whole)


def test_no_label_at_all_is_zero_and_not_nan() -> None:
    logits = torch.randn(1, 4, 6, 6, requires_grad=True)
    loss = segmentation_loss(logits, torch.full((1, 6, 6), 255))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@given(level=st.floats(0.05, 1.0), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_the_night_lies_between_its_extremes(level: float, seed: int) -> None:
    torch.manual_seed(seed)
    dark = darken(torch.full((4, 3, 8, 8), level), noise=0.0)
    assert dark.max() <= level**1.5 + 1e-6
    assert dark.min() >= 0.5 * (0.9 * level) ** 5 - 1e-6
    assert (dark == dark[:, :1, :1, :1]).all()  # one curve a picture


def test_every_picture_gets_its_own_night_with_noise() -> None:
    torch.manual_seed(3)
    dark = darken(torch.full((6, 3, 32, 32), 0.8), noise=0.05)
    assert dark.mean((1, 2, 3)).std() > 0.01
    spread = dark.std((1, 2, 3))
    assert spread.max() <= 0.06
    assert spread.min() != spread.max()
    assert dark.min() >= 0
    assert dark.max() <= 1
