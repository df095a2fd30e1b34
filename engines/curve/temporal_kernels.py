"""The compiled loops of ``engines.curve.temporal``: one band of rows of the pass with the temporal denoiser.

A row of sites (2x2 luma pixels over one chroma sample) goes through two stages: it is enhanced and compared with what
the previous output shows there, and one row later, when its neighbours below are known too, it is weighed, smoothed
where it has no history, mixed and written. Rows of codes wait in rings of three sites that stay in the first-level
cache. Mixing is done in 16-bit integers, weights in 128ths; what they mean is in ``temporal_reference``.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

from engines.compiled import compiled
from engines.curve.kernels import (
    BYTES_IN,
    BYTES_OUT,
    EDGES,
    FLOATS,
    add_rows,
    between,
    chroma_rows,
    load_chroma,
    spread,
    store_chroma,
)
from engines.curve.temporal_fetch import OWN, least_weights, moved_row

_F = np.float32
_ROWS_OF_FLOATS = nb.float32[:, ::1]
_SHORTS_IN = nb.types.Array(nb.uint16, 1, "C", readonly=True)
_SIGNATURE = nb.void(
    *(BYTES_IN, BYTES_IN, BYTES_IN, nb.int64, BYTES_OUT, BYTES_OUT, BYTES_OUT, nb.int64),
    *(BYTES_IN, BYTES_IN, BYTES_IN, nb.int64, nb.boolean),
    *(nb.types.Array(nb.float32, 3, "C", readonly=True), EDGES, FLOATS, EDGES, FLOATS),
    *(nb.int64, nb.int64, nb.int64, nb.int64, FLOATS, FLOATS),
    *(nb.int16[:, :, ::1], nb.uint8[:, ::1], nb.uint8[:, ::1], nb.uint8[:, ::1], _SHORTS_IN, nb.int64),
    *(_ROWS_OF_FLOATS, _ROWS_OF_FLOATS, _ROWS_OF_FLOATS, _ROWS_OF_FLOATS, nb.float32[:, :, ::1]),
    *(nb.uint16[::1], nb.uint32[::1], nb.uint16[::1], nb.uint32[::1], nb.uint16[:, :, ::1], nb.uint16[:, ::1]),
    *(nb.uint8[:, :, ::1], nb.uint8[:, :, ::1], nb.uint8[:, ::1], nb.uint8[:, ::1], nb.uint8[:, ::1]),
    *(_ROWS_OF_FLOATS, nb.uint32[:, ::1], nb.int16[:, ::1], nb.int16[:, ::1]),
    *(nb.uint16[::1], nb.uint8[::1], nb.uint8[::1], nb.int16[::1]),
)
_CHUNK = 128
PARTS = {"kernels.py": "6827411f6077", "temporal_fetch.py": "c078d0bb1cea"}
"""Digests of the files whose loops are compiled in here: numba's cache looks at this file alone, so it has to change
when they do. A test says what to write."""


@nb.njit(**OWN)
def luma_pair(y, r0, r1, codes, i0, i1, first, width, base, slope, f0, f1, limits):  # type: ignore[no-untyped-def]
    """Enhanced codes of two rows between the same nodes, into rows i0 and i1 of ``codes`` from column ``first`` on."""
    scale, offset, low, high = limits[0], limits[1], limits[2], limits[3]
    for x in range(width):
        luma = min(max(_F(y[r0, x]) * scale + offset, _F(0)), _F(1))
        value = (base[0, x] + f0 * slope[0, x]) * luma + (base[1, x] + f0 * slope[1, x]) * math.sqrt(luma)
        value += base[2, x] + f0 * slope[2, x]
        codes[i0, np.uintp(first + x)] = np.uint8(np.int32(min(max(value, low), high)))
        luma = min(max(_F(y[r1, x]) * scale + offset, _F(0)), _F(1))
        value = (base[0, x] + f1 * slope[0, x]) * luma + (base[1, x] + f1 * slope[1, x]) * math.sqrt(luma)
        value += base[2, x] + f1 * slope[2, x]
        codes[i1, np.uintp(first + x)] = np.uint8(np.int32(min(max(value, low), high)))


@nb.njit(**OWN)
def _noise(pairs, half, base, slope, f, limits, rule, sigma, slot):  # type: ignore[no-untyped-def]
    """Standard deviation of the noise in the enhanced codes of luma and of chroma, and one over it, at every site."""
    scale, offset = limits[0] * _F(0.25), limits[1]
    for x in range(half):
        total = np.int32((pairs[x] & np.uint32(0xFFFF)) + (pairs[x] >> np.uint32(16)))
        luma = min(max(_F(total) * scale + offset, _F(0)), _F(1))
        noise = math.sqrt(max(rule[0] * luma + rule[1], rule[13]))
        curve = base[0, x] + f * slope[0, x]
        curve += (base[1, x] + f * slope[1, x]) * _F(0.5) / math.sqrt(max(luma, rule[2]))
        chroma = max(abs(base[3, x] + f * slope[3, x]), abs(base[6, x] + f * slope[6, x]))
        sigma[0, slot, x] = abs(curve) * noise
        sigma[1, slot, x] = chroma * noise * rule[3]
    for q in range(2):
        for x in range(half):
            sigma[2 + q, slot, x] = _F(1) / math.sqrt(sigma[q, slot, x] * sigma[q, slot, x] + rule[4])


@nb.njit(**OWN)
def _compare(luma, old, chroma, old_chroma, i, slot, half, sums, pairs, signed, signed_pairs, box):  # type: ignore[no-untyped-def]
    """Per site: sum of absolute differences of luma, of chroma, and the plain sum of luma moved up by 1024."""
    for x in range(2 * half):
        d0 = np.int16(luma[0, i, x + 1]) - np.int16(old[0, i, x + 1])
        d1 = np.int16(luma[0, i + 1, x + 1]) - np.int16(old[0, i + 1, x + 1])
        sums[x] = np.uint16(np.uint16(abs(np.int16(d0))) + np.uint16(abs(np.int16(d1))))
        signed[x] = np.uint16(np.int16(d0) + np.int16(d1) + np.int16(512))
    for x in range(half):
        box[0, slot, x + 1] = np.uint16((pairs[x] & np.uint32(0xFFFF)) + (pairs[x] >> np.uint32(16)))
        box[2, slot, x + 1] = np.uint16((signed_pairs[x] & np.uint32(0xFFFF)) + (signed_pairs[x] >> np.uint32(16)))
    for x in range(1, half + 1):
        du = np.int16(chroma[0, 2 * slot, x]) - np.int16(old_chroma[0, 2 * slot, x])
        dv = np.int16(chroma[0, 2 * slot + 1, x]) - np.int16(old_chroma[0, 2 * slot + 1, x])
        box[1, slot, x] = np.uint16(np.uint16(abs(np.int16(du))) + np.uint16(abs(np.int16(dv))))
    for q in range(3):
        box[q, slot, 0] = box[q, slot, 1]
        box[q, slot, half + 1] = box[q, slot, half]


@nb.njit(**OWN)
def _weigh(  # type: ignore[no-untyped-def]
    above, slot, below, even, half, box, tall, sigma, least, rule, weights, c, work, pixels, sites, far, site_far
):
    """Weight of the new picture, share and reach of the smoothing, of luma (twice a site) and of chroma."""
    for q in range(3):
        for x in range(half + 2):
            tall[q, x] = np.uint16(box[q, above, x] + np.uint16(2 * box[q, slot, x]) + box[q, below, x])
    for x in range(half):
        apart = np.int32(tall[0, x] + np.uint16(2 * tall[0, x + 1]) + tall[0, x + 2])
        shift = np.int32(tall[2, x] + np.uint16(2 * tall[2, x + 1]) + tall[2, x + 2])
        per_noise = _F(1 / 64) * sigma[2, even, x]
        changed = (_F(apart) * per_noise - rule[5]) * rule[6]
        changed = max(changed, (abs(_F(shift) - _F(16384)) * per_noise - rule[7]) * rule[8])
        work[0, x] = max(min(changed, _F(128)), _F(least[slot, x]))
    for x in range(half):
        apart = np.int32(tall[1, x] + np.uint16(2 * tall[1, x + 1]) + tall[1, x + 2])
        changed = (_F(apart) * _F(1 / 32) * sigma[3, even, x] - rule[5]) * rule[6]
        work[1, x] = max(max(work[0, x], rule[10]), min(changed, _F(128)))
    for x in range(half):
        weights[c, x] = np.uint8(np.int32(max(_F(128) * work[0, x] / (_F(128) + work[0, x]), rule[10]) + _F(0.5)))
    for x in range(half):
        pixels[0, x] = np.uint32(np.int32(_F(128.5) - rule[11] * (_F(128) - max(work[0, x], rule[9])))) * np.uint32(
            65537
        )
    for x in range(half):
        share = np.int32(min(max((work[0, x] - _F(32)) * _F(4 / 3), _F(0)), _F(128)) * rule[11] + _F(0.5))
        pixels[1, x] = np.uint32(share) * np.uint32(65537)
        sites[1, x] = np.int16(share)
    for x in range(half):
        far[x] = np.uint16(np.int32(min(sigma[0, even, x] * rule[12], _F(60)))) * np.uint16(2 * 257)
    for x in range(half):
        sites[0, x] = np.int16(np.int32(_F(128.5) - rule[11] * (_F(128) - work[1, x])))
    for x in range(half):
        site_far[x] = np.uint8(2 * np.int32(min(sigma[1, even, x] * rule[12], _F(60))))


@nb.njit(**OWN)
def _pulls(codes, above, row, below, first, last, farthest, totals):  # type: ignore[no-untyped-def]
    """Sums over 3x3 of how far each neighbour pulls: less the farther it lies beyond half of ``farthest``, 0 beyond it.

    In bytes, 32 at once: pulls up and down are at most 60 each, so sums of four of them fit.
    """
    for n in range(last - first):
        x = first + n
        x0, x1, x2 = np.uintp(x), np.uintp(x + 1), np.uintp(x + 2)
        centre, far = codes[0, row, x1], farthest[x0]
        up, down, up_too, down_too = np.uint8(0), np.uint8(0), np.uint8(0), np.uint8(0)
        for code in (codes[0, row, x0], codes[0, row, x2], codes[0, above, x0], codes[0, above, x1]):
            over, under = np.uint8(max(code, centre) - centre), np.uint8(max(code, centre) - code)
            up = np.uint8(up + min(over, np.uint8(max(far, over) - over)))
            down = np.uint8(down + min(under, np.uint8(max(far, under) - under)))
        for code in (codes[0, above, x2], codes[0, below, x0], codes[0, below, x1], codes[0, below, x2]):
            over, under = np.uint8(max(code, centre) - centre), np.uint8(max(code, centre) - code)
            up_too = np.uint8(up_too + min(over, np.uint8(max(far, over) - over)))
            down_too = np.uint8(down_too + min(under, np.uint8(max(far, under) - under)))
        ups, downs = np.int16(np.int16(up) + np.int16(up_too)), np.int16(np.int16(down) + np.int16(down_too))
        totals[x0] = np.int16(ups - downs)


@nb.njit(**OWN)
def _smoothed(codes, above, row, below, count, shares, farthest, totals, out, i):  # type: ignore[no-untyped-def]
    """Copies a row, and takes the stretches of it that need it their share of the way to the mean of 3x3."""
    for x in range(count):
        out[i, x] = codes[0, row, x + 1]
    most = np.int16(0)
    for x in range(count):
        most = np.int16(most | shares[x])
    if most > 0:
        for first in range(0, count, _CHUNK):
            last = min(first + _CHUNK, count)
            most = np.int16(0)
            for x in range(last - first):
                most = np.int16(most | shares[np.uintp(first + x)])
            if most > 0:
                _pulls(codes, above, row, below, first, last, farthest, totals)
                for n in range(last - first):
                    # In floats, exactly: whole numbers below 2^24 over 2^16. Never below 0, where cutting off is wrong.
                    at = np.uintp(first + n)
                    step = _F(totals[at]) * _F(shares[at]) * _F(57 / 65536)
                    out[i, at] = np.uint8(np.int32(_F(codes[0, row, np.uintp(first + n + 1)]) + _F(0.5) + step))


@nb.njit(**OWN)
def _mix(new, i, old, row, weights, pattern, phase, out, r, count):  # type: ignore[no-untyped-def]
    """old + weight*(new - old), rounded up or down by the dither: all of ``new`` at a weight of 128."""
    for x in range(count):
        before = np.int16(old[0, row, x + 1])
        change = np.int16(np.int16(new[i, x]) - before)
        dither = np.uint16(pattern[x] + phase) >> np.uint16(9)
        moved = np.int16(np.int16(weights[x] * change) + np.int16(dither))
        out[r, x] = np.uint8(before + (moved >> 7))


@compiled(_SIGNATURE)
def denoise_band(  # type: ignore[no-untyped-def]
    y,
    u,
    v,
    step,
    y_out,
    u_out,
    v_out,
    step_out,
    y_old,
    u_old,
    v_old,
    step_old,
    has_old,
    nodes,
    edges,
    fraction,
    chroma_edges,
    chroma_fraction,
    first,
    last,
    width,
    height,
    limits,
    rule,
    moves,
    trust,
    weights_old,
    weights,
    pattern,
    frame,
    base,
    slope,
    site_base,
    site_slope,
    sigma,
    sums,
    pairs,
    signed,
    signed_pairs,
    box,
    tall,
    luma,
    chroma,
    least,
    codes,
    fresh,
    work,
    pixels,
    pixel_view,
    sites,
    far,
    far_view,
    site_far,
    tall_row,
):
    """Luma rows ``first`` (even) to ``last`` and the chroma rows over them; what each argument holds: ``temporal``."""
    rows, half, chroma_height = nodes.shape[0], codes.shape[1], (height + 1) // 2
    old, old_chroma = luma[1:], chroma[1:]
    c0, c1 = first // 2, (last + 1) // 2
    at, at_sites = -1, -1
    for c in range(max(c0 - 1, 0), c1 + 1):
        if c < chroma_height:
            slot, b = c % 3, c // 8
            i, r0, r1 = 2 * slot, 2 * c, min(2 * c + 1, height - 1)
            k0, f0 = between(r0 + 0.5, height, rows)
            k1, f1 = between(r1 + 0.5, height, rows)
            if k0 != at:
                spread(nodes, 0, 3, k0, edges, fraction, base, slope)
            at = k0
            if k0 == k1:
                luma_pair(y, r0, r1, luma[0], i, i + 1, 1, width, base, slope, f0, f1, limits)
            else:
                luma_pair(y, r0, r0, luma[0], i, i, 1, width, base, slope, f0, f0, limits)
                spread(nodes, 0, 3, k1, edges, fraction, base, slope)
                at = k1
                luma_pair(y, r1, r1, luma[0], i + 1, i + 1, 1, width, base, slope, f1, f1, limits)
            k0, f0 = between(2.0 * c + 1, height, rows)
            if k0 != at_sites:
                spread(nodes, 0, 2, k0, chroma_edges, chroma_fraction, site_base, site_slope)
                spread(nodes, 3, 9, k0, chroma_edges, chroma_fraction, site_base, site_slope)
            at_sites = k0
            add_rows(y, r0, r1, width, sums)
            load_chroma(u, v, step, c, half, codes)
            scale, offset = limits[0] * _F(0.25), limits[1]
            chroma_rows(codes, half, pairs, site_base, site_slope, f0, scale, offset, limits[4], limits[5])
            if c % 2 == 0:
                _noise(pairs, half, site_base, site_slope, f0, limits, rule, sigma, c // 2 % 2)
            for q in range(2):
                for x in range(half):
                    chroma[0, i + q, x + 1] = codes[q, x]
            if has_old:
                moved_row(y_old, 1, 0, r0, width, height, b, 16, 2, moves, old, i, tall_row)
                moved_row(y_old, 1, 0, r1, width, height, b, 16, 2, moves, old, i + 1, tall_row)
                moved_row(u_old, step_old, 0, c, half, chroma_height, b, 8, 3, moves, old_chroma, i, tall_row)
                moved_row(
                    v_old, step_old, step_old - 1, c, half, chroma_height, b, 8, 3, moves, old_chroma, i + 1, tall_row
                )
                least_weights(c, half, chroma_height, b, moves, trust, weights_old, least, slot)
            else:
                for q in range(2):
                    for x in range(1, width + 1):
                        luma[1, i + q, x] = luma[0, i + q, x]
                    for x in range(1, half + 1):
                        chroma[1, i + q, x] = chroma[0, i + q, x]
                for x in range(half):
                    least[slot, x] = 128
            for t in range(2):
                for q in range(2):
                    luma[t, i + q, 0] = luma[t, i + q, 1]
                    for x in range(width + 1, 2 * half + 2):
                        luma[t, i + q, x] = luma[t, i + q, width]
                    chroma[t, i + q, 0] = chroma[t, i + q, 1]
                    chroma[t, i + q, half + 1] = chroma[t, i + q, half]
            _compare(luma, old, chroma, old_chroma, i, slot, half, sums, pairs, signed, signed_pairs, box)
        n = c - 1
        if n >= c0:
            slot, above, below = n % 3, max(n - 1, 0) % 3, min(n + 1, chroma_height - 1) % 3
            _weigh(
                above,
                slot,
                below,
                n // 2 % 2,
                half,
                box,
                tall,
                sigma,
                least,
                rule,
                weights,
                n,
                work,
                pixels,
                sites,
                far,
                site_far,
            )
            for r in range(2 * n, min(2 * n + 2, height)):
                up, down = max(r - 1, 0), min(r + 1, height - 1)
                up, row, down = (up >> 1) % 3 * 2 + up % 2, 2 * slot + r % 2, (down >> 1) % 3 * 2 + down % 2
                _smoothed(luma, up, row, down, width, pixel_view[1], far_view, tall_row, fresh, 0)
                phase = np.uint16((r * 37345 + frame) & 0xFFFF)
                _mix(fresh, 0, old, row, pixel_view[0], pattern, phase, y_out, r, width)
            for q in range(2):
                row = 2 * slot + q
                _smoothed(chroma, 2 * above + q, row, 2 * below + q, half, sites[1], site_far, tall_row, fresh, 0)
                phase = np.uint16((n * 37345 + frame + 21845 * (q + 1)) & 0xFFFF)
                _mix(fresh, 0, old_chroma, row, sites[0], pattern, phase, codes, q, half)
            store_chroma(codes, half, n, u_out, v_out, step_out)
