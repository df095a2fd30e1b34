"""SKF's semantic-guided colour histogram loss (CVPR 2023, equations 6 to 10).

Each class of the segmentation has a histogram per colour channel, differentiable with respect to the picture: a value
x adds s(a(x - edge)) - s(a(x - next edge)) to every bin, s the logistic function, a = 400. The loss is the distance of
the enhanced picture's histograms to those of the bright one, mean over the bins, summed over classes and channels.

Faithful: 256 bins of width 1/256 and the mean over bins, as released (K10; the paper prints bins of 1/255 and a sum).
One class map cuts both pictures (K13 says which).
Repaired, each with a switch: the outermost bins are open, so that black keeps its mass (K11: with closed bins a black
pixel counts half); pixels near a class border are left out, as the paper says and no released file does (K9; the radius
is not in the paper); the sum is divided by what does not depend on the size of the picture or on how many classes the
bank has (K12).

A value reaches hardly further than ten bins (2e-7 of its mass lies beyond), so 21 contributions per value are added
into a table [n, classes, 3, 256] instead of 256 planes per class; only the values themselves are kept for the gradient.
The loss is small in value (at most 2/256 per picture and channel) and steep in gradient: judge its weight by gradients.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F

BINS = 256
ALPHA = 400.0
REACH = 10

Normaliser = Literal["present", "classes", "pixels"]


class _SoftHistogram(torch.autograd.Function):
    """Values [m, 3] and the histogram rows they belong to [m, 3] -> table [rows, 256]."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, rows: Tensor, count: int, open_bins: bool) -> Tensor:
        ctx.save_for_backward(values, rows)
        ctx.open_bins = open_bins  # type: ignore[attr-defined]
        table = values.new_zeros(count * BINS)
        own = _own_bin(values)
        above = _beyond(values, own - REACH, open_bins)
        for offset in range(-REACH, REACH + 1):
            lower, above = above, _beyond(values, own + offset + 1, open_bins)
            place, inside = _place(rows, own + offset)
            table.index_add_(0, place.flatten(), ((lower - above) * inside).flatten())
        return table.view(count, BINS)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        values, rows = ctx.saved_tensors  # type: ignore[attr-defined]
        open_bins: bool = ctx.open_bins  # type: ignore[attr-defined]
        flat = gradient.reshape(-1)
        own = _own_bin(values)
        above = _slope(values, own - REACH, open_bins)
        total = torch.zeros_like(values)
        for offset in range(-REACH, REACH + 1):
            lower, above = above, _slope(values, own + offset + 1, open_bins)
            place, inside = _place(rows, own + offset)
            total += (lower - above) * inside * flat[place]
        return total, None, None, None


def _own_bin(values: Tensor) -> Tensor:
    return (values * BINS).floor().long().clamp(0, BINS - 1)


def _place(rows: Tensor, bins: Tensor) -> tuple[Tensor, Tensor]:
    """Where in the flat table a contribution goes, and 0 where its bin does not exist."""
    kept = bins.clamp(0, BINS - 1)
    return rows * BINS + kept, kept == bins


def _beyond(values: Tensor, edge: Tensor, open_bins: bool) -> Tensor:
    """How much of each value lies above the edge (number 0 to 256, others outside)."""
    share = torch.sigmoid(ALPHA * (values - edge / BINS))
    if open_bins:
        share = share.masked_fill(edge <= 0, 1.0).masked_fill(edge >= BINS, 0.0)
    return share


def _slope(values: Tensor, edge: Tensor, open_bins: bool) -> Tensor:
    """The derivative of `_beyond` by the value."""
    share = torch.sigmoid(ALPHA * (values - edge / BINS))
    slope = ALPHA * share * (1 - share)
    return slope.masked_fill((edge <= 0) | (edge >= BINS), 0.0) if open_bins else slope


def class_histograms(picture: Tensor, classes: Tensor, count: int, *, open_bins: bool = True) -> Tensor:
    """Soft histograms [n, count, 3, 256] of a picture [n, 3, h, w] in 0..1, in pixels per bin.

    `classes` [n, h, w], int64: the class of each pixel, below `count`; negative leaves the pixel out. With `open_bins`
    the first and last bin reach to infinity and each pixel has mass 1. Always computed in float32 or finer.
    """
    if classes.shape != (len(picture), *picture.shape[-2:]):
        raise ValueError(f"class map {tuple(classes.shape)} does not fit the picture {tuple(picture.shape)}")
    if picture.dtype in (torch.float16, torch.bfloat16):
        picture = picture.float()
    counted = classes >= 0
    owner = torch.arange(len(picture), device=picture.device)[:, None, None] * count + classes
    rows = 3 * owner[counted][:, None] + torch.arange(3, device=picture.device)
    values = picture.movedim(1, -1)[counted]
    table: Tensor = _SoftHistogram.apply(values, rows, len(picture) * count * 3, open_bins)  # type: ignore[no-untyped-call]
    return table.view(len(picture), count, 3, BINS)


def without_borders(classes: Tensor, radius: int = 2) -> Tensor:
    """The class map [n, h, w] with -1 where another class lies within `radius` pixels (a square window; K9).

    The edge of the picture is no border of a class. Radius 0 leaves the map as it is.
    """
    if radius == 0:
        return classes
    ids, window = classes[:, None].float(), 2 * radius + 1
    highest = F.max_pool2d(ids, window, 1, radius)
    lowest = -F.max_pool2d(-ids, window, 1, radius)
    return torch.where((highest == lowest)[:, 0], classes, -1)


def sch_loss(
    enhanced: Tensor,
    target: Tensor,
    classes: Tensor,
    count: int,
    *,
    open_bins: bool = True,
    radius: int = 2,
    normaliser: Normaliser = "present",
    class_weights: Tensor | None = None,
) -> Tensor:
    """Distance of the histograms of two pictures [n, 3, h, w] in 0..1, class by class; a scalar.

    `classes` [n, h, w] cuts both pictures; `class_weights` [count] weighs its classes. `normaliser`: "present" divides
    by n*h*w*3 and, per picture, by the number of classes in it, so that the loss of a batch is the mean of its
    pictures'; "classes" by n*count*h*w*3 (released with DRBN), "pixels" by n*h*w (released with SNR-LLIE-Net, LLFlow).
    Parity with the released code: `open_bins=False, radius=0` and one of the latter two.
    """
    kept = without_borders(classes, radius)
    found = class_histograms(enhanced, kept, count, open_bins=open_bins)
    with torch.no_grad():
        wanted = class_histograms(target, kept, count, open_bins=open_bins)
    distance = (found - wanted).abs().mean(3).sum(2)
    if class_weights is not None:
        distance = distance * class_weights
    pictures, height, width = classes.shape
    if normaliser == "present":
        present = (wanted.sum((2, 3)) > 0).sum(1, keepdim=True).clamp(min=1)
        distance = distance / (3 * present)
    elif normaliser == "classes":
        distance = distance / (3 * count)
    return distance.sum() / (pictures * height * width)
