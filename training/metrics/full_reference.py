"""PSNR and SSIM as the low-light literature computes them, each variant under its own name.

All take 8-bit-like pictures [n, 3, h, w] and a data range, and give one value per picture. ``ssim_uniform`` is the
7x7 window with sample covariance that scikit-image has by default; ``ssim_gaussian`` is Wang et al. 2004, an 11x11
Gaussian of sigma 1.5, over the valid region. PSNR is over all pixels and channels, nothing cropped.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from networks.colour import luma_weights


def psnr(got: Tensor, want: Tensor, data_range: float = 255.0) -> Tensor:
    """Peak signal-to-noise ratio in dB, [n]; infinite for identical pictures."""
    return 10 * torch.log10(data_range**2 / (got - want).square().mean((1, 2, 3)))


def _ssim(got: Tensor, want: Tensor, window: Tensor, bias: float, data_range: float) -> Tensor:
    side = window.shape[-1]
    if min(got.shape[-2:]) < side:
        raise ValueError(f"SSIM needs {side}x{side} pixels, the picture has {got.shape[-1]}x{got.shape[-2]}")
    # Variances are small differences of large numbers: in the half precision of autocast they would be noise.
    with torch.autocast(got.device.type, enabled=False):
        return _similarity(got.to(window.dtype), want.to(window.dtype), window, bias, data_range)


def _similarity(got: Tensor, want: Tensor, window: Tensor, bias: float, data_range: float) -> Tensor:
    channels = got.shape[1]
    kernel = window.expand(channels, 1, -1, -1)

    def local(picture: Tensor) -> Tensor:
        return F.conv2d(picture, kernel, groups=channels)

    mean_got, mean_want = local(got), local(want)
    var_got = bias * (local(got * got) - mean_got**2)
    var_want = bias * (local(want * want) - mean_want**2)
    covariance = bias * (local(got * want) - mean_got * mean_want)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    similar = (2 * mean_got * mean_want + c1) * (2 * covariance + c2)
    return (similar / ((mean_got**2 + mean_want**2 + c1) * (var_got + var_want + c2))).mean((1, 2, 3))


def ssim_uniform(got: Tensor, want: Tensor, data_range: float = 255.0) -> Tensor:
    """SSIM with a uniform 7x7 window and sample covariance, mean over channels and the valid region, [n]."""
    kind = torch.promote_types(got.dtype, torch.float32)
    window = torch.full((1, 1, 7, 7), 1 / 49, dtype=kind, device=got.device)
    return _ssim(got, want, window, 49 / 48, data_range)


def ssim_gaussian(got: Tensor, want: Tensor, data_range: float = 255.0) -> Tensor:
    """SSIM with an 11x11 Gaussian window of sigma 1.5, mean over channels and the valid region, [n]."""
    kind = torch.promote_types(got.dtype, torch.float32)
    line = torch.exp(-((torch.arange(11, dtype=kind, device=got.device) - 5) ** 2) / (2 * 1.5**2))
    line = line / line.sum()
    return _ssim(got, want, (line[:, None] * line)[None, None], 1.0, data_range)


def luma(picture: Tensor) -> Tensor:
    """Y of OpenCV's YCrCb of 8-bit RGB codes, itself an 8-bit code: [n, 3, h, w] -> [n, 1, h, w], exact."""
    red, green, blue = picture.round().long().unbind(1)
    return ((4899 * red + 9617 * green + 1868 * blue + 8192) >> 14)[:, None].to(picture.dtype)


def _luma_in_fours(picture: Tensor) -> Tensor:
    height, width = (size // 4 * 4 for size in picture.shape[-2:])
    return luma(picture[..., :height, :width])


def psnr_y(got: Tensor, want: Tensor) -> Tensor:
    """PSNR of 8-bit luma, [n], as Enlighten Anything measures: right and bottom cropped to multiples of 4."""
    return psnr(_luma_in_fours(got), _luma_in_fours(want))


def ssim_y(got: Tensor, want: Tensor) -> Tensor:
    """SSIM with the uniform 7x7 window of 8-bit luma, [n], cropped as in ``psnr_y``."""
    return ssim_uniform(_luma_in_fours(got), _luma_in_fours(want))


def gt_mean(got: Tensor, want: Tensor, data_range: float = 255.0, plain: bool = False) -> Tensor:
    """``got`` scaled to the grey mean of the reference. Needs the reference: for tables, never for enhancement.

    ``plain``: what is brought to it is the mean over all channels, as LLFlow does, not the grey mean of ``got``.
    """
    kr, kb = luma_weights("bt601", got)

    def grey(picture: Tensor) -> Tensor:
        red, green, blue = picture.unbind(1)
        return (kr * red + (1 - kr - kb) * green + kb * blue).mean((1, 2))[:, None, None, None]

    level = got.mean((1, 2, 3), keepdim=True) if plain else grey(got)
    return (got * grey(want) / level.clamp(min=1e-6)).clamp(0, data_range)
