"""Which convention each figure of a table is: the same word means different numbers in different papers.

Between colour and grey SSIM of the same pictures there is more than between most methods. All figures are of 8-bit
codes, rounded and clipped, as they are of saved files in every published table.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from training.metrics.full_reference import psnr, psnr_y, ssim_gaussian, ssim_uniform, ssim_y

FULL_REFERENCE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "psnr": psnr,
    "ssim_uniform7": ssim_uniform,
    "ssim_gaussian11": ssim_gaussian,
    "psnr_y": psnr_y,
    "ssim_y": ssim_y,
}
"""Measures of codes 0..255 [n, 3, h, w] against their reference, by the name of their column."""

VARIANTS: dict[str, str] = {
    "psnr": "psnr_rgb: dB over all pixels and channels of 8-bit RGB, nothing cropped",
    "psnr_worst": "psnr_rgb of the worst picture",
    "ssim_uniform7": "ssim_uniform7_rgb: 7x7 uniform window, sample covariance, mean over RGB and the valid region "
    "(scikit-image's defaults; SKF's tables)",
    "ssim_gaussian11": "ssim_gauss11_rgb: 11x11 Gaussian of sigma 1.5, mean over RGB and the valid region",
    "psnr_y": "dB of OpenCV's 8-bit Y of YCrCb, cropped to multiples of 4 (Enlighten Anything's tables)",
    "ssim_y": "7x7 uniform window, OpenCV's 8-bit Y of YCrCb, cropped to multiples of 4 (Enlighten Anything's tables)",
    "lpips_alex": "LPIPS 0.1 with AlexNet, of 8-bit RGB; lower is better",
    "lpips_vgg": "LPIPS 0.1 with VGG16, of 8-bit RGB; lower is better",
    "niqe": "NIQE of the authors' release (blocks of 96, its pristine parameters, BT.601 luma); lower is better",
}
"""Column -> what it is; names before the colon are those of the literature."""
GT_MEAN = {
    "grey": "every result scaled to the grey mean of its reference first (grey over grey)",
    "llflow": "every result scaled to the grey mean of its reference first (grey over mean of all channels: LLFlow)",
}
