"""A look at held-out pairs while a run goes on: PSNR and SSIM of the averaged weights, and a sheet of pictures.

The figures come from torch and clean pictures; `python -m training evaluate` measures what ships.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from networks.colour import luma_weights, rgb_to_yuv, yuv_to_rgb
from networks.curve import CELL, CurveNet
from networks.systems import Inference
from networks.tone_curve import apply_grid
from training.curve_regions import RegionBook, SceneRegions, region_weights
from training.data import read_picture
from training.extras import colours_of, extra_inputs
from training.feed import open_cache, pairs_of, shuffled
from training.metrics import psnr, ssim_gaussian
from training.recipe import Recipe

_SHEET = 8


@torch.no_grad()
def enhance(network: CurveNet, picture: Tensor, regions: SceneRegions | None = None) -> Tensor:
    """[1, 3, h, w] R'G'B' in 0..1 -> enhanced through the thumbnail and the grid in torch (any even h, w)."""
    kr, kb = luma_weights("bt709", picture)
    planes = rgb_to_yuv(picture, kr, kb)
    height, width = thumbnail_size(*picture.shape[-2:])
    known = []
    if regions is not None:
        known = [region_weights(regions.ids, height // CELL, width // CELL)[None], regions.features[None]]
    grid = network(F.adaptive_avg_pool2d(planes, (height, width)), *known)
    y, chroma = apply_grid(grid, planes[:, :1], F.avg_pool2d(planes[:, 1:], 2))
    full = F.interpolate(chroma, y.shape[-2:], mode="bilinear", align_corners=False)
    return yuv_to_rgb(torch.cat((y.clamp(0, 1), full), 1), kr, kb).clamp(0, 1)


def thumbnail_size(height: int, width: int, pixels: int = 36_864) -> tuple[int, int]:
    """Height and width in multiples of 8 with about ``pixels`` pixels in the aspect of the picture."""
    ratio = (width / height) ** 0.5
    side = pixels**0.5
    return max(8, round(side / ratio / 8) * 8), max(8, round(side * ratio / 8) * 8)


class Validation:
    """Held-out pairs in memory, with what the recipe's cache knows about them."""

    def __init__(self, recipe: Recipe, bank: nn.Module | None) -> None:
        """The recipe has a ``validation``; ``bank`` is what guides its network."""
        assert recipe.validation is not None
        self.recipe = recipe
        # A copy: the feed's bank stays where batches are made while this one follows the network to its device.
        self.bank = copy.deepcopy(bank) if recipe.semantics.se else None
        self.pairs = pairs_of(recipe.validation)
        longest = recipe.validation.longest
        self.pictures = [(_tensor(pair.low, longest), _tensor(pair.high, longest)) for pair in self.pairs]
        self.cache = open_cache(recipe.semantics)
        self.book = RegionBook(self.cache) if self.cache is not None else None

    @torch.no_grad()
    def enhance(self, network: nn.Module, number: int) -> Tensor:
        """What the network makes of a pair's dark picture, through the form that is exported."""
        network.eval()
        low = self.pictures[number][0]
        pair = self.pairs[number]
        regions_of = shuffled(self.pairs, pair) if self.recipe.semantics.regions == "shuffled" else pair
        if isinstance(network, CurveNet):
            told = self.book.of(regions_of.low) if self.book is not None and network.regions is not None else None
            return enhance(network, low, told)
        device = next(network.parameters()).device
        whole = Inference(self.recipe.system, network, self.bank).to(device)
        colours = colours_of({"options": self.recipe.options})
        extra = extra_inputs(whole.extra, self.cache, pair.low, regions_of.low, colours)
        result: Tensor = whole(low.to(device), *(tensor.to(device) for tensor in extra)).cpu()
        return result

    def scores(self, network: nn.Module) -> dict[str, float]:
        """Mean PSNR and Gaussian SSIM on 8-bit R'G'B'."""
        found = []
        for number, (_, high) in enumerate(self.pictures):
            got = (self.enhance(network, number) * 255).round()
            found.append((psnr(got, high * 255).item(), ssim_gaussian(got, high * 255).item()))
        decibel, similarity = np.mean(found, 0)
        return {"psnr": float(decibel), "ssim_gaussian": float(similarity)}

    def sheet(self, network: nn.Module, target: Path) -> None:
        """Rows of input, result and target of pairs spread over the set."""
        rows = []
        for number in list(range(0, len(self.pairs), max(1, len(self.pairs) // _SHEET)))[:_SHEET]:
            low, high = self.pictures[number]
            row = torch.cat((low, self.enhance(network, number), high), 3)
            small = F.adaptive_avg_pool2d(row, (row.shape[2] // 2, row.shape[3] // 2))
            rows.append((small[0] * 255).round().byte().permute(1, 2, 0).numpy())
        widest = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, widest - row.shape[1]), (0, 0))) for row in rows]
        Image.fromarray(np.concatenate(rows)).save(target)


def _tensor(path: Path, longest: int | None) -> Tensor:
    picture = read_picture(path, longest=longest)
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    return torch.from_numpy(np.ascontiguousarray(even.transpose(2, 0, 1)))[None].float() / 255
