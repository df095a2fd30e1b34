"""A look at held-out pairs while a run goes on: PSNR and SSIM of the averaged weights, and a sheet of pictures.

The figures come from the torch twin and clean pictures; `python -m training evaluate` measures what ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from networks.colour import luma_weights, rgb_to_yuv, yuv_to_rgb
from networks.sci import SCI
from networks.tone_curve import apply_grid
from training.data import Pair, read_picture
from training.metrics import psnr, ssim_gaussian

_SHEET = 8


@torch.no_grad()
def enhance(network: nn.Module, picture: Tensor) -> Tensor:
    """[1, 3, h, w] R'G'B' in 0..1 -> the enhanced picture, through the torch twin (any even h, w)."""
    if isinstance(network, SCI):
        result: Tensor = network(picture)
        return result
    kr, kb = luma_weights("bt709", picture)
    planes = rgb_to_yuv(picture, kr, kb)
    grid = network(F.adaptive_avg_pool2d(planes, thumbnail_size(*picture.shape[-2:])))
    y, chroma = apply_grid(grid, planes[:, :1], F.avg_pool2d(planes[:, 1:], 2))
    full = F.interpolate(chroma, y.shape[-2:], mode="bilinear", align_corners=False)
    return yuv_to_rgb(torch.cat((y.clamp(0, 1), full), 1), kr, kb).clamp(0, 1)


def thumbnail_size(height: int, width: int, pixels: int = 36_864) -> tuple[int, int]:
    """Height and width in multiples of 8 with about ``pixels`` pixels in the aspect of the picture."""
    ratio = (width / height) ** 0.5
    side = pixels**0.5
    return max(8, round(side / ratio / 8) * 8), max(8, round(side * ratio / 8) * 8)


class Validation:
    """Held-out pairs in memory."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self.pairs = [(_tensor(pair.low), _tensor(pair.high)) for pair in pairs]

    def scores(self, network: nn.Module) -> dict[str, float]:
        """Mean PSNR and Gaussian SSIM on 8-bit R'G'B'."""
        network.eval()
        found = []
        for low, high in self.pairs:
            got = (enhance(network, low) * 255).round()
            found.append((psnr(got, high * 255).item(), ssim_gaussian(got, high * 255).item()))
        decibel, similarity = np.mean(found, 0)
        return {"psnr": float(decibel), "ssim_gaussian": float(similarity)}

    def sheet(self, network: nn.Module, target: Path) -> None:
        """Rows of input, result and target of pairs spread over the set."""
        network.eval()
        rows = []
        for low, high in self.pairs[:: max(1, len(self.pairs) // _SHEET)][:_SHEET]:
            row = torch.cat((low, enhance(network, low), high), 3)
            small = F.adaptive_avg_pool2d(row, (row.shape[2] // 2, row.shape[3] // 2))
            rows.append((small[0] * 255).round().byte().permute(1, 2, 0).numpy())
        widest = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
        Image.fromarray(np.concatenate(rows)).save(target)


def _tensor(path: Path) -> Tensor:
    picture = read_picture(path)
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    return torch.from_numpy(np.ascontiguousarray(even.transpose(2, 0, 1)))[None].float() / 255
