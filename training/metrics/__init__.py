"""Measures of enhanced pictures, each convention under its own name."""

from training.metrics.full_reference import gt_mean, psnr, ssim_gaussian, ssim_uniform

__all__ = ["gt_mean", "psnr", "ssim_gaussian", "ssim_uniform"]
