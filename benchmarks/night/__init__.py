"""The night-video generator: dark clips with exact truth about picture, motion and objects, alike for the same seed."""

from benchmarks.night.clip import NightClip

__all__ = ["NightClip"]
