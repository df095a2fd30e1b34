"""The night-video generator: dark clips with exact truth about picture, motion and objects, alike for the same seed."""

from benchmarks.night.clip import NightClip
from benchmarks.night.generate import make_clip
from benchmarks.night.isp import to_rgb
from benchmarks.night.levels import LEVELS
from benchmarks.night.scenarios import SCENARIOS

__all__ = ["LEVELS", "SCENARIOS", "NightClip", "make_clip", "to_rgb"]
