"""All figures about one clip as one method shows it, PSNR and SSIM first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks import temporal_metrics as metrics
from benchmarks.night import NightClip
from benchmarks.temporal.frames import Floats, luma_codes, rgb_luma, to_rgb
from benchmarks.temporal.light import lamp_change, objects_seen
from benchmarks.temporal.outcome import Outcome
from benchmarks.temporal_metrics.arrays import Array, Bools, Doubles
from engines.planes import Bytes

SETTLE = 12
"""Frames after a cut that do not count for noise: whatever recursion is used has settled then."""
SSIM_EVERY = 5
_TILES = 4


@dataclass(slots=True, eq=False)
class _Shown:
    rgb: Bytes
    """[n, H, W, 3]"""
    luma: Floats
    """[n, H, W] 0..255, black at 0."""


class Truth:
    """A clip and what is computed of it once for all methods."""

    def __init__(self, clip: NightClip) -> None:
        self.clip = clip
        self.luma = np.stack([rgb_luma(picture) for picture in clip.clean])
        self.given = np.stack([luma_codes(planes) for planes in clip.dark])
        self.scenes = metrics.scenes(len(clip), clip.cuts, SETTLE, shortest=8)

    @cached_property
    def warping(self) -> Doubles:
        """What the true picture changes along the true motion, interpolation included."""
        return metrics.warping_error(self.clip.clean, self.clip.flow, self.clip.visible, self.clip.cuts)

    @cached_property
    def flicker(self) -> float | None:
        """What the true picture itself does between 1 and 10 Hz, as motion brings other things into view."""
        return _root(metrics.flicker_energy(metrics.mean_log_luma(self.luma / 255), self.clip.fps, self.clip.cuts))

    @cached_property
    def static(self) -> list[Bools]:
        """For each scene where the truth stands still."""
        return [metrics.static_pixels(self.clip.clean[scene]) for scene in self.scenes]

    def entries(self) -> list[tuple[int, int, slice, slice]]:
        """Objects that enter a running scene: (id, first frame, frames before in this scene, the whole scene)."""
        found = []
        edges = [0, *self.clip.cuts, len(self.clip)]
        shown = {int(i): (self.clip.masks == i).any(axis=(1, 2)) for i in np.unique(self.clip.masks) if i}
        for first, end in pairwise(edges):
            for region, there in shown.items():
                frames = np.flatnonzero(there[first:end])
                if len(frames) and frames[0] >= 3:
                    entry = first + int(frames[0])
                    found.append((region, entry, slice(max(first, entry - SETTLE), entry), slice(first, end)))
        return found


def scores(truth: Truth, outcome: Outcome) -> dict[str, Any]:
    """Every figure, None where the clip cannot tell; and ``series``, what is plotted over time."""
    clip = truth.clip
    if len(outcome.planes) != len(clip):
        raise ValueError(f"{len(outcome.planes)} frames for a clip of {len(clip)}")
    rgb = np.stack([to_rgb(planes) for planes in outcome.planes])
    shown = _Shown(rgb, np.stack([luma_codes(planes) for planes in outcome.planes]))
    psnr = np.array([metrics.psnr(got, want) for got, want in zip(rgb, clip.clean, strict=True)])
    jitter = metrics.curve_jitter(clip.dark, outcome.operators, clip.cuts)
    pumped = _pumping(truth, shown, outcome)
    log_luma = metrics.mean_log_luma(shown.luma / 255)
    known = clip.motion_known
    warping = metrics.warping_error(rgb, clip.flow, clip.visible, clip.cuts) - truth.warping if known else None
    return {
        "psnr": _mean(psnr),
        "psnr_worst": float(psnr.min()),
        "ssim": _mean(np.array([metrics.ssim(rgb[t], clip.clean[t]) for t in range(0, len(clip), SSIM_EVERY)])),
        "psnr_objects": _objects_psnr(truth, rgb),
        "curve_jitter": _mean(jitter),
        "curve_jitter_p99": _quantile(jitter, 0.99),
        "operator_fitted": outcome.fitted,
        "static_residual": _residual(truth, shown, outcome) if known else None,
        "excess_warping": None if warping is None else _mean(warping),
        "flicker_rms": _root(metrics.flicker_energy(log_luma, clip.fps, clip.cuts)),
        "flicker_rms_truth": truth.flicker,
        "mabd_mse": metrics.mabd_error(shown.luma / 255, truth.luma / 255),
        "ab_var": metrics.ab_var(shown.luma / 255, truth.luma / 255),
        "region_pumping": _region_pumping(truth, shown),
        **pumped["figures"],
        **_cuts(truth, shown, psnr),
        **_light(truth, shown),
        **_masks(truth, outcome),
        "ms_p50": 1e3 * outcome.latency.quantile(0.5) if outcome.latency.count else None,
        "ms_p95": 1e3 * outcome.latency.quantile(0.95) if outcome.latency.count else None,
        "stages_ms": {name: [stage.p50_ms, stage.p95_ms] for name, stage in outcome.stages.items()},
        "counts": outcome.counts,
        "series": {
            "psnr": _rounded(psnr),
            "luma": _rounded(shown.luma.mean(axis=(1, 2))),
            "curve_jitter": _rounded(jitter),
            "background": _rounded(pumped["series"]),
        },
    }


def _residual(truth: Truth, shown: _Shown, outcome: Outcome) -> float | None:
    """Over scenes, by the operator of each scene's middle frame."""
    found = []
    for scene, static in zip(truth.scenes, truth.static, strict=True):
        if not static.any():
            continue
        operator = outcome.operators[(scene.start + scene.stop) // 2]
        amplified = np.stack([operator(planes) for planes in truth.clip.dark[scene]])
        found.append(metrics.static_residual(shown.luma[scene], amplified, static))
    kept = [value for value in found if value is not None]
    return float(np.mean(kept)) if kept else None


def _pumping(truth: Truth, shown: _Shown, outcome: Outcome) -> dict[str, Any]:
    """What entering objects do to the background: the largest change, of all of it and of its worst sixteenth.

    Against what the operator of the frame before the entry makes of each frame.
    """
    series = np.full(len(truth.clip), np.nan)
    whole, tiles = [], []
    for _, entry, before, scene in truth.entries():
        background = truth.clip.masks[scene] == 0
        first, last = before.start - scene.start, before.stop - scene.start
        unmoved = np.stack([outcome.operators[entry - 1](planes) for planes in truth.clip.dark[scene]])
        change = metrics.background_change(shown.luma[scene], unmoved, background, slice(first, last))
        series[scene] = np.where(np.isnan(series[scene]), change, series[scene])
        whole.append(np.nanmax(np.abs(change[entry - scene.start :])))
        for rows, columns in _tiles(shown.luma.shape[1:]):
            seen = background[:, rows, columns]
            if seen.mean(axis=(1, 2)).min() > 0.25:
                local = metrics.background_change(
                    shown.luma[scene, rows, columns], unmoved[:, rows, columns], seen, slice(first, last)
                )
                tiles.append(np.abs(local[entry - scene.start :]).max())
    figures = {
        "background_change": float(max(whole)) if whole else None,
        "background_change_worst_tile": float(max(tiles)) if tiles else None,
    }
    return {"figures": figures, "series": series}


def _tiles(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    rows, columns = (np.linspace(0, side, _TILES + 1).astype(int) for side in shape)
    return [
        (slice(int(top), int(bottom)), slice(int(left), int(right)))
        for top, bottom in pairwise(rows)
        for left, right in pairwise(columns)
    ]


def _region_pumping(truth: Truth, shown: _Shown) -> float | None:
    """Mean over scenes and their objects and background."""
    spreads = [
        spread
        for scene in truth.scenes
        for spread in metrics.region_pumping(shown.luma[scene], truth.given[scene], truth.clip.masks[scene]).values()
    ]
    return float(np.mean(spreads)) if spreads else None


def _cuts(truth: Truth, shown: _Shown, psnr: Doubles) -> dict[str, Any]:
    """The slowest cut, on whole pictures and on 8x8 means, where noise that has yet to settle hardly counts."""
    clip = truth.clip
    edges = [*clip.cuts, len(clip)]
    small = np.array([metrics.psnr(_reduced(a), _reduced(b)) for a, b in zip(shown.luma, truth.luma, strict=True)])
    whole, tone, ghosts = [], [], []
    for cut, end in pairwise(edges):
        whole.append(metrics.cut_response(psnr, cut, end))
        tone.append(metrics.cut_response(small, cut, end))
        steady = min(cut + SETTLE, end - 1)
        first, later = (metrics.ghost_share(shown.rgb[t], clip.clean[t], shown.rgb[cut - 1]) for t in (cut, steady))
        ghosts.append(first - later)
    return {
        "cut_frames": _most(whole),
        "cut_frames_tone": _most(tone),
        "ghost": max(ghosts, key=abs) if ghosts else None,
    }


def _light(truth: Truth, shown: _Shown) -> dict[str, float | None]:
    seen = objects_seen(truth.clip, shown.luma, truth.luma)
    return {
        "lamp_change": lamp_change(truth.clip, shown.luma, truth.given),
        "objects_luma": None if seen is None else seen[0],
        "objects_detail": None if seen is None else seen[1],
    }


def _masks(truth: Truth, outcome: Outcome) -> dict[str, Any]:
    """J and F of the regions where there are any, at their own size."""
    sizes = {ids.shape for ids in outcome.regions if ids.size > 1}
    if len(sizes) != 1:
        return {"j": None, "f": None}
    height, width = next(iter(sizes))
    empty = np.zeros((height, width), np.uint8)
    found = np.stack([ids if ids.size > 1 else empty for ids in outcome.regions])
    rows = ((np.arange(height) + 0.5) * truth.clip.size[1] / height).astype(int)
    columns = ((np.arange(width) + 0.5) * truth.clip.size[0] / width).astype(int)
    result = metrics.region_scores(found, truth.clip.masks[:, rows[:, None], columns])
    return {"j": None, "f": None} if result is None else {"j": result.j, "f": result.f}


def _objects_psnr(truth: Truth, rgb: Bytes) -> float | None:
    """PSNR over the pixels of the moving objects alone, of the whole clip."""
    inside = truth.clip.masks > 0
    return metrics.psnr(rgb[inside], truth.clip.clean[inside]) if inside.any() else None


def _reduced(luma: Array) -> Doubles:
    height, width = (side // 8 * 8 for side in luma.shape)
    means: Doubles = luma[:height, :width].reshape(height // 8, 8, width // 8, 8).mean(axis=(1, 3), dtype=np.float64)
    return means


def _mean(values: Doubles) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else None


def _quantile(values: Doubles, share: float) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.quantile(finite, share)) if len(finite) else None


def _root(energy: float | None) -> float | None:
    return None if energy is None else float(np.sqrt(energy))


def _most(values: list[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def _rounded(values: Array) -> list[float | None]:
    return [round(float(value), 3) if np.isfinite(value) else None for value in values]
