"""Metrics against hand-computed values and against torchmetrics, an implementation of other hands."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from training.metrics import (
    FULL_REFERENCE,
    VARIANTS,
    gt_mean,
    luma,
    psnr,
    psnr_y,
    ssim_gaussian,
    ssim_uniform,
    ssim_y,
)


def pictures(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    one = torch.nn.functional.interpolate(torch.rand(2, 3, 9, 8, generator=generator), (40, 37), mode="bilinear") * 255
    return one.round(), (one * 0.8 + 20 + 6 * torch.randn(one.shape, generator=generator)).clamp(0, 255).round()


def test_one_grey_level_everywhere_is_48_decibels() -> None:
    one = torch.randint(0, 255, (1, 3, 20, 20)).float()
    assert psnr(one, one + 1).item() == pytest.approx(48.13, abs=0.005)
    assert math.isinf(psnr(one, one).item())


@pytest.mark.parametrize("metric", [ssim_gaussian, ssim_uniform, ssim_y])
def test_ssim_is_one_for_the_same_picture_and_symmetric(metric: object) -> None:
    assert callable(metric)
    one, two = pictures()
    torch.testing.assert_close(metric(one, one), torch.ones(2))
    torch.testing.assert_close(metric(one, two), metric(two, one))
    assert (metric(one, two) < 0.99).all()


def test_gaussian_ssim_equals_torchmetrics_over_the_valid_region() -> None:
    one, two = pictures(1)
    found = structural_similarity_index_measure(
        one.double(), two.double(), data_range=255.0, sigma=1.5, reduction="none", return_full_image=True
    )
    # It pads by reflection and averages over everything; the valid region is what lies 5 pixels inside.
    expected = found[1][..., 5:-5, 5:-5].mean((1, 2, 3))
    torch.testing.assert_close(ssim_gaussian(one.double(), two.double()), expected, atol=1e-6, rtol=0)


def test_uniform_ssim_of_one_window_by_its_definition() -> None:
    one, two = (picture[:1, :, :7, :7].double() for picture in pictures(2))
    values = []
    for x, y in zip(one[0].flatten(1), two[0].flatten(1), strict=True):
        (vx, vxy), (_, vy) = torch.cov(torch.stack((x, y)))
        c1, c2 = 2.55**2, 7.65**2
        mx, my = x.mean(), y.mean()
        values.append((2 * mx * my + c1) * (2 * vxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
    torch.testing.assert_close(ssim_uniform(one, two)[0], torch.stack(values).mean())


def test_gt_mean_gives_the_grey_mean_of_the_reference() -> None:
    got, want = torch.full((1, 3, 8, 8), 40.0), torch.rand(1, 3, 8, 8) * 120
    grey = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
    levelled = gt_mean(got, want)
    assert (levelled * grey).sum(1).mean().item() == pytest.approx((want * grey).sum(1).mean().item(), rel=1e-5)


def test_gt_mean_as_llflow_has_it_brings_the_plain_mean_to_the_grey_mean() -> None:
    # Dark enough that nothing is clamped; coloured, so that the two means differ.
    got = torch.rand(1, 3, 8, 8) * torch.tensor([10.0, 40.0, 25.0])[None, :, None, None]
    want = torch.rand(1, 3, 8, 8) * torch.tensor([90.0, 60.0, 30.0])[None, :, None, None]
    grey = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
    levelled = gt_mean(got, want, plain=True)
    assert levelled.mean().item() == pytest.approx((want * grey).sum(1).mean().item(), rel=1e-5)
    assert not torch.allclose(levelled, gt_mean(got, want), rtol=1e-2)


def test_gt_mean_clamps_to_the_range() -> None:
    got, want = torch.tensor([10.0, 100.0]).repeat(1, 3, 4, 2), torch.full((1, 3, 4, 4), 200.0)
    assert gt_mean(got, want).max().item() == 255


def test_luma_is_that_of_opencv_to_the_code() -> None:
    cv2 = pytest.importorskip("cv2")
    rgb = np.random.default_rng(3).integers(0, 256, (64, 64, 3), np.uint8)
    expected = cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., 0]
    found = luma(torch.from_numpy(rgb).permute(2, 0, 1)[None].float())
    np.testing.assert_array_equal(found[0, 0].numpy(), expected)
    # Two whose weighted sum is just on either side of a half.
    two = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])[None, :, None]
    assert luma(two).flatten().tolist() == [0, 1]


def test_luma_figures_leave_out_what_exceeds_multiples_of_four() -> None:
    one = torch.full((1, 3, 18, 23), 100.0)
    spoilt = one.clone()
    spoilt[..., 16:, :], spoilt[..., 20:] = 0, 0
    assert math.isinf(psnr_y(one, spoilt).item())
    assert ssim_y(one, spoilt).item() == pytest.approx(1)
    brighter = one + 2
    assert psnr_y(one, brighter).item() == pytest.approx(20 * math.log10(255 / 2), abs=1e-4)
    assert not math.isinf(psnr(one, spoilt).item())


def test_every_column_says_which_convention_it_is() -> None:
    assert FULL_REFERENCE.keys() <= VARIANTS.keys()
    assert VARIANTS["psnr"].startswith("psnr_rgb")
    assert VARIANTS["ssim_uniform7"].startswith("ssim_uniform7_rgb")
    assert VARIANTS["ssim_gaussian11"].startswith("ssim_gauss11_rgb")


def test_pictures_smaller_than_the_window_are_refused() -> None:
    small = torch.zeros(1, 3, 10, 12)
    with pytest.raises(ValueError, match="SSIM needs 11x11 pixels, the picture has 12x10"):
        ssim_gaussian(small, small)
    assert ssim_uniform(small, small).item() == 1


@pytest.mark.parametrize("metric", [ssim_gaussian, ssim_uniform])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_ssim_is_the_same_under_mixed_precision(metric: Callable[..., torch.Tensor], kind: torch.dtype) -> None:
    torch.manual_seed(0)
    want = 0.8 + 0.02 * torch.rand(1, 3, 32, 32)
    got = want + 0.01 * torch.rand(1, 3, 32, 32)
    with torch.autocast("cpu", kind):
        mixed = metric(got, want, 1.0)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, metric(got, want, 1.0))
    assert metric(got.to(kind), want, 1.0).dtype == torch.float32
