"""What the temporal denoiser does with an enhanced picture, in plain NumPy; the compiled pass agrees within one code.

Everything is decided per site, the 2x2 luma pixels over one chroma sample. Differences to the moved previous output
are averaged over 3x3 sites with the weights 1 2 1, once as they are (a coherent change shows long before it exceeds
the noise) and once absolute (texture that does not fit). Weights are 128ths.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.curve.grid import CurveGrid, Doubles, Floats, tents_at
from engines.curve.reference import luma_under_chroma
from engines.curve.temporal_fetch import TAPS
from engines.planes import Bytes, Planes

Whole = NDArray[np.int64]
_ROW, _COLUMN, _PLANE = 37345, 49472, 21845


@dataclass(frozen=True, eq=False)
class Past:
    """The previous output and what leads into it.

    ``moves`` [bh, bw, 2] in quarter luma pixels; ``trust`` [bh, bw], what each block must at least take of the new
    picture; ``weights`` [ceil(height/2), ceil(width/2)], what its sites ask for.
    """

    output: Planes
    moves: NDArray[np.int16]
    trust: Bytes
    weights: Bytes


def denoise(
    enhanced: Planes, planes: Planes, grid: CurveGrid, past: Past | None, rule: Floats, dither: int
) -> tuple[Planes, Bytes]:
    """The output and the weights that its sites ask for next; ``rule`` as ``engines.curve.temporal.rule`` gives it."""
    chroma_shape = enhanced.u.shape
    if past is None:
        old, least = enhanced, np.full(chroma_shape, 128.0)
    else:
        old, least = _moved(past)
    new = [plane.astype(np.int64) for plane in (enhanced.y, enhanced.u, enhanced.v)]
    before = [plane.astype(np.int64) for plane in (old.y, old.u, old.v)]
    y, u, v = (n - b for n, b in zip(new, before, strict=True))
    noise, chroma_noise = _noise(planes, grid, rule)

    def strength(difference: Doubles, noise: Doubles, first: int) -> Doubles:
        changed: Doubles = np.clip((difference / np.sqrt(noise**2 + rule[4]) - rule[first]) * rule[first + 1], 0, 128)
        return changed

    apart, shift = _around(_over_sites(np.abs(y))) / 64, np.abs(_around(_over_sites(y))) / 64
    weight = np.maximum(np.maximum(strength(apart, noise, 5), strength(shift, noise, 7)), least)
    chroma_weight = strength(_around(np.abs(u) + np.abs(v)) / 32, chroma_noise, 5)
    chroma_weight = np.maximum(np.maximum(weight, rule[10]), chroma_weight)
    asked = np.floor(np.maximum(128 * weight / (128 + weight), rule[10]) + 0.5).astype(np.uint8)

    share = np.floor(np.clip((weight - 32) * 4 / 3, 0, 128) * rule[11] + 0.5).astype(np.int64)
    amount = rule[11]
    luma_k, chroma_k = (
        np.floor(128.5 - amount * (128 - k)).astype(np.int64) for k in (np.maximum(weight, rule[9]), chroma_weight)
    )
    reach, chroma_reach = (np.minimum(n * rule[12], 60).astype(np.int64) for n in (noise, chroma_noise))
    shape = enhanced.y.shape
    out = [
        _mixed(
            _smooth(new[0], _spread(share, shape), _spread(reach, shape)), before[0], _spread(luma_k, shape), dither
        ),
        *(_mixed(_smooth(new[q], share, chroma_reach), before[q], chroma_k, dither + q * _PLANE) for q in (1, 2)),
    ]
    return Planes(out[0], out[1], out[2], enhanced.colour), asked


def _moved(past: Past) -> tuple[Planes, Doubles]:
    """The previous output where it is now, and the least weight of the new picture at every site."""
    output = past.output
    planes = [
        _fetched(plane, past.moves, block, bits)
        for plane, block, bits in ((output.y, 16, 2), (output.u, 8, 3), (output.v, 8, 3))
    ]
    rows, cols = np.indices(output.u.shape)
    moves = past.moves[rows // 8, cols // 8].astype(np.int64) + 4 >> 3
    r, c = rows + moves[..., 1], cols + moves[..., 0]
    r_in, c_in = np.clip(r, 0, output.u.shape[0] - 1), np.clip(c, 0, output.u.shape[1] - 1)
    kept = np.maximum(past.weights[r_in, c_in], past.trust[rows // 8, cols // 8])
    least = np.where((r != r_in) | (c != c_in), 128.0, kept)
    return Planes(planes[0], planes[1], planes[2], output.colour), least


def _fetched(plane: Bytes, moves: NDArray[np.int16], block: int, bits: int) -> Bytes:
    """A plane where it is now, by 4x4 taps; ``moves`` are in units of 1/2^bits samples, borders repeat."""
    rows, cols = np.indices(plane.shape)
    d = moves[rows // block, cols // block].astype(np.int64)
    whole, eighths = d >> bits, (d & (1 << bits) - 1) << 3 - bits
    taps, codes = TAPS.astype(np.int64), plane.astype(np.int64)
    total = np.zeros(plane.shape, np.int64)
    for i in range(4):
        r = np.clip(rows + whole[..., 1] + i - 1, 0, plane.shape[0] - 1)
        for j in range(4):
            c = np.clip(cols + whole[..., 0] + j - 1, 0, plane.shape[1] - 1)
            total += codes[r, c] * taps[eighths[..., 1], i] * taps[eighths[..., 0], j]
    fetched: Bytes = np.clip(total + 2048 >> 12, 0, 255).astype(np.uint8)
    return fetched


def _noise(planes: Planes, grid: CurveGrid, rule: Floats) -> tuple[Doubles, Doubles]:
    """Standard deviation of noise in the enhanced codes, of luma and of chroma: that of every second row of sites."""
    colour = planes.colour
    height, width = planes.u.shape
    across = tents_at((2 * np.arange(width) + 1) / planes.width, grid.cols)
    down = tents_at((2 * np.arange(height) + 1) / planes.height, grid.rows)
    a, s, _, c_u, _, _, c_v, _, _ = down.T @ np.moveaxis(grid.coefficients.astype(np.float64), 2, 0) @ across
    luma = np.clip((luma_under_chroma(planes.y) - colour.luma_offset) / colour.luma_range, 0, 1)
    noise = np.sqrt(np.maximum(rule[0] * luma + rule[1], rule[13]))
    curve = np.abs(a + s / (2 * np.sqrt(np.maximum(luma, rule[2])))) * colour.luma_range
    both = curve * noise, np.maximum(np.abs(c_u), np.abs(c_v)) * noise * rule[3]
    luma_noise, chroma_noise = (values[np.arange(height) & ~1] for values in both)
    return luma_noise, chroma_noise


def _over_sites(values: Whole) -> Whole:
    """Sums over 2x2 pixels; the last row and column count twice where there is no partner."""
    height, width = values.shape
    even = np.pad(values, ((0, height % 2), (0, width % 2)), mode="edge")
    total: Whole = even[0::2, 0::2] + even[0::2, 1::2] + even[1::2, 0::2] + even[1::2, 1::2]
    return total


def _around(sites: Whole) -> Whole:
    """Sums over 3x3 sites with the weights 1 2 1 along each axis, which add up to 16."""
    padded = np.pad(sites, 1, mode="edge")
    tall = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    total: Whole = tall[:, :-2] + 2 * tall[:, 1:-1] + tall[:, 2:]
    return total


def _spread(sites: Whole, shape: tuple[int, ...]) -> Whole:
    return sites.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]


def _smooth(codes: Whole, share: Whole, reach: Whole) -> Whole:
    """Part of the way to a mean of 3x3 in which differences beyond ``reach`` pull less, and none from twice it on."""
    padded = np.pad(codes, 1, mode="edge")
    height, width = codes.shape
    total = np.zeros_like(codes)
    for i in range(3):
        for j in range(3):
            apart = padded[i : i + height, j : j + width] - codes
            size = np.abs(apart)
            total += np.sign(apart) * np.minimum(size, np.maximum(2 * reach - size, 0))
    smoothed: Whole = codes + (total * share * 57 + 32768 >> 16)
    return smoothed


def _mixed(new: Whole, old: Whole, weight: Whole, phase: int) -> Bytes:
    """old + weight*(new - old), rounded by an ordered dither that moves from frame to frame: no difference stalls."""
    rows, cols = np.indices(new.shape)
    threshold = ((cols * _COLUMN & 0xFFFF) + ((rows * _ROW + phase) & 0xFFFF) & 0xFFFF) >> 9
    return (old + (weight * (new - old) + threshold >> 7)).astype(np.uint8)
