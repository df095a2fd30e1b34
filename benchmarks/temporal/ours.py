"""The product in its variants: the same network, with more and more of what it does in time.

A variant is a table of keyword arguments of ``stream.vision.enhancer.Enhancer``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.night import NightClip
from benchmarks.temporal.frames import frames_of, kept
from benchmarks.temporal.operators import grid_operator
from benchmarks.temporal.outcome import Method, Outcome
from engines.bundle import load_bundle
from engines.tone_model import ToneModel
from stream.settings import Settings
from stream.telemetry import Telemetry
from stream.vision.enhancer import Enhancer

_EVERY = Settings.model_fields["network_every"].default
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"smoothing": False, "denoise": "off", "motion": False, "network_every": 1},
    "ema": {"smoothing": True, "denoise": "off", "motion": False, "network_every": _EVERY},
    "denoise": {"smoothing": True, "denoise": "auto", "motion": True, "network_every": _EVERY},
}
"""``plain`` asks the network on every frame, the others as the product does."""
_NOTHING = np.zeros((1, 1), np.uint8)
"""The regions of a frame while none are known."""

Segmenters = Callable[[NightClip], Any]
"""The product's segmenter for a clip, or what stands in for it."""


def ours(
    bundle: str,
    options: dict[str, Any],
    segmenters: Segmenters | None = None,
    every: object = "auto",
    live: bool = False,
) -> Method:
    """The product with these keyword arguments and, where there are ``segmenters``, regions from key frames.

    ``every`` says when those are, as ``--sam-every``. ``live``: frames come no faster than in life, because a segmenter
    works beside them and late results are its nature.
    """

    def run(clip: NightClip) -> Outcome:
        telemetry, outcome = Telemetry(), Outcome()
        model = ToneModel(load_bundle(bundle))
        extra = {} if segmenters is None else knowing(model, segmenters(clip), every)
        enhancer = Enhancer(model, threads=1, telemetry=telemetry, **options, **extra)
        begun = time.perf_counter()
        try:
            for seq, frame in enumerate(frames_of(clip)):
                if live:
                    time.sleep(max(0.0, begun + seq / clip.fps - time.perf_counter()))
                started = time.perf_counter()
                shown = enhancer(frame)
                outcome.latency.add(time.perf_counter() - started)
                outcome.planes.append(kept(shown.planes))
                assert enhancer.grid is not None, "there is a grid after every frame"
                outcome.operators.append(grid_operator(enhancer.grid))
                if extra:
                    outcome.regions.append(_NOTHING if enhancer.regions is None else enhancer.regions.ids.copy())
        finally:
            enhancer.close()
        outcome.stages = telemetry.snapshot().stages
        outcome.counts = _counts(enhancer)
        return outcome

    return run


def knowing(model: ToneModel, segmenter: Any, every: object) -> dict[str, Any]:
    """The keyword arguments that give the product regions."""
    from stream.vision.semantics import Semantics

    mode: Any = every
    return {"semantics": Semantics(segmenter, mode), "colours": model.card.region_colours}


def _counts(enhancer: Enhancer) -> dict[str, float]:
    """What the product counts of a run."""
    counts = {name: getattr(enhancer, name) for name in ("cuts", "network_runs", "network_failures")}
    semantics = enhancer.semantics
    if semantics is not None:
        wanted = ("runs", "failures", "empty", "cpu_seconds")
        counts |= {f"segmenter_{name}": round(getattr(semantics.segmenter, name), 2) for name in wanted}
    return counts
