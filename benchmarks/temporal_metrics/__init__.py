"""Figures about a video in time, as pure functions of NumPy arrays; each is tested on cases with a known answer.

Common to all: ``n`` frames of [H, W]; luma and RGB in 8-bit codes (0..255) unless a function says 0..1. ``cuts`` are
the numbers of the frames that begin a new scene, 0 not among them. ``flow`` [n, H, W, 2] is (dx, dy) in pixels: what is
at x in frame t was at x + flow[t](x) in frame t-1; ``visible`` [n, H, W] is False where it was hidden or outside then.
A picture that never changes is perfectly stable, so none of these figures means anything without PSNR beside it.
"""

from benchmarks.temporal_metrics.brightness import ab_var, brightness_changes, mabd_error
from benchmarks.temporal_metrics.curve_jitter import curve_jitter
from benchmarks.temporal_metrics.cut_response import cut_response, ghost_share
from benchmarks.temporal_metrics.fidelity import psnr, ssim
from benchmarks.temporal_metrics.flicker import flicker_energy, mean_log_luma, spectrum
from benchmarks.temporal_metrics.pumping import background_change, region_pumping
from benchmarks.temporal_metrics.scenes import scenes
from benchmarks.temporal_metrics.segmentation import boundary_f, jaccard, matched, region_scores
from benchmarks.temporal_metrics.static_residual import static_pixels, static_residual
from benchmarks.temporal_metrics.warping import excess_warping_error, warp, warping_error

__all__ = [
    "ab_var",
    "background_change",
    "boundary_f",
    "brightness_changes",
    "curve_jitter",
    "cut_response",
    "excess_warping_error",
    "flicker_energy",
    "ghost_share",
    "jaccard",
    "mabd_error",
    "matched",
    "mean_log_luma",
    "psnr",
    "region_pumping",
    "region_scores",
    "scenes",
    "spectrum",
    "ssim",
    "static_pixels",
    "static_residual",
    "warp",
    "warping_error",
]
