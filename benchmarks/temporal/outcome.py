"""What a method made of a clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.night import NightClip
from benchmarks.temporal.operators import Operator
from engines.planes import Planes
from stream.telemetry import LatencyHistogram, StageFigures


class NotAvailable(Exception):
    """A method cannot run here; the message says why."""


@dataclass(slots=True)
class Outcome:
    """All frames of a clip as a method shows them."""

    planes: list[Planes] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    """The tone operator of every frame, without what the method does in time."""
    fitted: bool = False
    """The operators were estimated from input and output, which adds jitter of its own."""
    regions: list[NDArray[np.uint8]] = field(default_factory=list)
    """Region ids of every frame, at any one size; empty for methods without."""
    latency: LatencyHistogram = field(default_factory=LatencyHistogram)
    """Wall-clock time a frame; nothing counted where frames are not done one by one."""
    stages: dict[str, StageFigures] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)
    """What the product counted: cuts found, runs and failures of its parts."""


Method = Callable[[NightClip], Outcome]
"""Runs over a whole clip; raises ``NotAvailable``."""
