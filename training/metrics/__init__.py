"""Measures of enhanced pictures, each convention under its own name (``variants``)."""

from training.metrics.full_reference import gt_mean, luma, psnr, psnr_y, ssim_gaussian, ssim_uniform, ssim_y
from training.metrics.lpips import LPIPS, WeightsMissingError
from training.metrics.niqe import niqe
from training.metrics.variants import FULL_REFERENCE, GT_MEAN, VARIANTS

__all__ = [
    "FULL_REFERENCE",
    "GT_MEAN",
    "LPIPS",
    "VARIANTS",
    "WeightsMissingError",
    "gt_mean",
    "luma",
    "niqe",
    "psnr",
    "psnr_y",
    "ssim_gaussian",
    "ssim_uniform",
    "ssim_y",
]
