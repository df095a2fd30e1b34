"""The product in its variants: the same network, with more and more of what it does in time.

A variant is a table of keyword arguments of ``stream.vision.enhancer.Enhancer``. One that this version does not know is
left out where it asks for what happens anyway, and makes the variant unavailable otherwise.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.night import NightClip
from benchmarks.temporal.frames import frames_of, kept
from benchmarks.temporal.operators import fitted_operator, grid_operator
from benchmarks.temporal.outcome import Method, NotAvailable, Outcome
from benchmarks.temporal.regions import Source
from engines.bundle import load_bundle
from engines.tone_model import ToneModel
from stream.settings import Settings
from stream.telemetry import Telemetry
from stream.vision.enhancer import Enhancer

EVERY = Settings.model_fields["network_every"].default
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {"smoothing": False, "denoise": "off", "motion": False, "network_every": 1},
    "ema": {"smoothing": True, "denoise": "off", "motion": False, "network_every": EVERY},
    "motion": {"smoothing": True, "denoise": "off", "motion": True, "network_every": EVERY},
    "denoise": {"smoothing": True, "denoise": "auto", "motion": True, "network_every": EVERY},
    "regions": {"smoothing": True, "denoise": "auto", "motion": True, "network_every": EVERY},
}
"""``regions`` is ``denoise`` with a segmenter. ``plain`` asks the network on every frame, the others as the product."""
_HAPPENS_ANYWAY: dict[str, Any] = {"smoothing": True, "denoise": "off", "motion": False}
_COUNTS = ("cuts", "network_runs", "network_failures", "segmenter_runs", "segmenter_failures")


def ours(
    bundle: str, options: dict[str, Any], regions: Callable[[NightClip], Source] | None = None, sam_every: object = None
) -> Method:
    """The product with these keyword arguments and, where ``regions`` gives one for a clip, a segmenter.

    With a segmenter the frames come no faster than in life, as it works beside them and late results are its nature.
    """

    def run(clip: NightClip) -> Outcome:
        source = None if regions is None else regions(clip)
        wanted = dict(options)
        if source is not None:
            wanted |= {"segment": source.segment, "sam_every": sam_every}
        telemetry, outcome = Telemetry(), Outcome()
        enhancer = Enhancer(ToneModel(load_bundle(bundle)), threads=1, telemetry=telemetry, **known(wanted))
        begun = time.perf_counter()
        try:
            for seq, frame in enumerate(frames_of(clip)):
                if source is not None:
                    source.now = seq
                    time.sleep(max(0.0, begun + seq / clip.fps - time.perf_counter()))
                started = time.perf_counter()
                shown = enhancer(frame)
                outcome.latency.add(time.perf_counter() - started)
                outcome.planes.append(kept(shown.planes))
                grid = getattr(enhancer, "grid", None)
                outcome.fitted |= grid is None
                outcome.operators.append(
                    fitted_operator(frame.planes, shown.planes) if grid is None else grid_operator(grid)
                )
                found = getattr(enhancer, "regions", None)
                if source is not None and found is not None:
                    outcome.regions.append(found.ids.copy())
                elif source is not None:
                    outcome.regions.append(np.zeros((1, 1), np.uint8))
        finally:
            getattr(enhancer, "close", lambda: None)()
        outcome.stages = telemetry.snapshot().stages
        outcome.counts = {name: getattr(enhancer, name) for name in _COUNTS if hasattr(enhancer, name)}
        return outcome

    return run


def known(wanted: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments that ``Enhancer`` takes. Raises ``NotAvailable`` if one that matters is not among them."""
    parameters = inspect.signature(Enhancer).parameters
    missing = [name for name in wanted if name not in parameters]
    matter = [name for name in missing if name not in _HAPPENS_ANYWAY or wanted[name] != _HAPPENS_ANYWAY[name]]
    if matter:
        raise NotAvailable(f"this version's enhancer does not know {', '.join(matter)}")
    return {name: value for name, value in wanted.items() if name in parameters}
