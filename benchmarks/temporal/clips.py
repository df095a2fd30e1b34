"""The clips that are measured on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from benchmarks.night import SCENARIOS, NightClip, make_clip

_QUICK = {"size": (192, 108), "frames": 26, "source": "texture"}


def clips(given: argparse.Namespace) -> Iterator[NightClip]:
    """One clip for each scenario, level and seed, made when its turn comes."""
    chosen = given.scenario or (["enter"] if given.quick else list(SCENARIOS))
    unknown = set(chosen) - set(SCENARIOS)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(SCENARIOS)}")
    crf = None if given.uncompressed else given.crf
    usual = {"size": tuple(given.size), "frames": given.frames, "source": given.source}
    for scenario in chosen:
        for level in given.level:
            for seed in given.seed:
                yield make_clip(scenario, level, seed, crf=crf, **(_QUICK if given.quick else usual))
