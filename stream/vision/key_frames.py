"""When a segmenter should look again: on which frames a snapshot is taken of the regions' scene.

``auto`` asks for a key frame where what was carried along is no longer what is there: the regions' motion is not
confirmed, much of the picture came into view since, a region grew or shrank to more than twice or less than half its
area, or it came to touch the edge of the picture. That is 4 to 30 frames after the one before; where nothing moves,
after 4 seconds (and no earlier than 30 frames). A cut always asks for one, and for forgetting what was there. The
policy is this project's own, its thresholds are choices and not fitted to anything.

`decide` is pure; `KeyFrames` measures its signals from the regions and the motion of each frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from stream.vision.regions import MOST, Floats, Ids, Regions

if TYPE_CHECKING:
    from stream.vision.motion import Motion

SOONEST, LATEST = 4, 30
"""Frames between key frames in ``auto``."""
STATIC_S = 4.0
"""Seconds between key frames where nothing moves."""
CONFIRMED = 0.85
UNCOVERED = 0.10
AREA_CHANGE = 2.0
MOVING = 0.01
"""Share of the picture that may move while it counts as static."""

_CONFIDENT = 0.5
_STILL = 0.5
"""Thumbnail pixels per frame that count as no motion."""
_SMALL = 0.01
"""Share of the picture below which areas are not judged: an outline one pixel off would count."""
_TOUCH = 3
"""Pixels at the edge of the picture from which a region touches it."""
_STEP = 4
"""Motion is looked at on every fourth pixel along each axis."""

Mode = Literal["auto", "first", "off"] | int
"""``first``: once per scene; a number: every so many frames."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What happened since the last key frame, or, ``cut`` and ``confidence``, in this very frame."""

    cut: bool = False
    confidence: float = 1.0
    """Share of the regions' pixels whose motion is confirmed."""
    uncovered: float = 0.0
    """Share of the picture that came into view."""
    area_change: float = 1.0
    """Largest factor by which a region grew or shrank, at least 1."""
    touching: bool = False
    """A region touches the edge of the picture that did not."""
    moving: float = 0.0
    """Largest share of the picture that moved from one frame to the next."""
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """``reset``: forget regions and motion before this frame. ``segment``: take a snapshot of this frame."""

    reset: bool
    segment: bool


def parse_mode(text: str) -> Mode:
    """``auto``, ``first``, ``off`` or a number of frames from 1. Raises ``ValueError``."""
    if text in ("auto", "first", "off"):
        return text  # type: ignore[return-value]
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise ValueError(f"key frames come every N frames (1 or more), auto, first or off, not '{text}'")


def decide(seq: int, last: int | None, mode: Mode, signals: Signals) -> Decision:
    """For the frame ``seq``, where ``last`` was the last key frame (None: there was none).

    Numbers that roll back mean a source that started anew, which is as good as a cut.
    """
    reset = signals.cut or (last is not None and seq < last)
    if mode == "off":
        return Decision(reset, False)
    if last is None or reset:
        return Decision(reset, True)
    frames = seq - last
    if isinstance(mode, int):
        return Decision(False, frames >= mode)
    return Decision(False, mode == "auto" and _due(frames, signals))


def _due(frames: int, signals: Signals) -> bool:
    if frames < SOONEST:
        return False
    if frames >= LATEST and (signals.moving > MOVING or signals.age_s >= STATIC_S):
        return True
    return (
        signals.confidence < CONFIRMED
        or signals.uncovered > UNCOVERED
        or signals.area_change > AREA_CHANGE
        or signals.touching
    )


class Shapes:
    """How large the regions of an id map are, and which touch the edge of the picture."""

    def __init__(self, ids: Ids) -> None:
        edge = np.concatenate((ids[0], ids[-1], ids[:, 0], ids[:, -1]))
        self.areas = _counted(ids) / ids.size
        self.touches = _counted(edge) >= _TOUCH

    def change(self, now: Shapes) -> float:
        """The largest factor between the areas of a region here and in ``now``; small ones are not judged."""
        least = np.maximum(np.minimum(self.areas, now.areas), _SMALL / AREA_CHANGE)
        factors = np.maximum(self.areas, now.areas) / least
        return float(np.max(factors[np.maximum(self.areas, now.areas) >= _SMALL], initial=1.0))

    def newly_touching(self, now: Shapes) -> bool:
        """Whether a region that is not small touches the edge in ``now`` and did not here."""
        return bool(np.any(now.touches & ~self.touches & (now.areas >= _SMALL)))


def confirmed(ids: Ids, confidence: Floats) -> float:
    """Share of the pixels of regions whose motion is confirmed; 1 where there are none."""
    inside = ids[::_STEP, ::_STEP] > 0
    count = np.count_nonzero(inside)
    return np.count_nonzero(confidence[::_STEP, ::_STEP][inside] > _CONFIDENT) / count if count else 1.0


def moving(flow: Floats) -> float:
    """Share of the picture that moved by more than half a pixel."""
    some = flow[::_STEP, ::_STEP]
    return float(np.mean(np.square(some).sum(axis=2) > _STILL**2))


def inflow(flow: Floats) -> NDArray[np.float64]:
    """Share of the picture that came in over its left, right, upper and lower edge; below 0: that went out there.

    From the mean motion along each edge, so that its noise does not add up.
    """
    height, width = flow.shape[:2]
    left, right = -flow[:, 0, 0].mean(), flow[:, -1, 0].mean()
    upper, lower = -flow[0, :, 1].mean(), flow[-1, :, 1].mean()
    return np.array([left / width, right / width, upper / height, lower / height], np.float64)


def _counted(ids: Ids) -> NDArray[np.intp]:
    """Pixels of each id [17], without those of the background."""
    counts = np.bincount(ids.ravel(), minlength=MOST + 1)[: MOST + 1]
    counts[0] = 0
    return counts


class KeyFrames:
    """Call ``step`` with every frame of a video in order, and ``accepted`` where a result took its place."""

    def __init__(self, mode: Mode) -> None:
        self._mode = mode
        self._last: int | None = None
        self._last_s = 0.0
        self._seen: int | None = None
        self._shapes: Shapes | None = None
        self._moving = 0.0
        self._edges: NDArray[np.float64] = np.zeros(4)
        self._outermost: NDArray[np.float64] = np.zeros(4)

    def step(
        self, seq: int, time_s: float, cut: bool, regions: Regions | None = None, motion: Motion | None = None
    ) -> Decision:
        """``regions`` and ``motion`` are this frame's, None where there are none; ``time_s`` its presentation time."""
        restarted = self._seen is not None and seq <= self._seen
        self._seen = seq
        cut = cut or restarted
        if cut or self._mode != "auto":
            shapes, signals = None, Signals(cut=cut)
        else:
            shapes = None if regions is None else Shapes(regions.ids)
            signals = self._signals(time_s, regions, shapes, motion)
        decision = decide(seq, self._last, self._mode, signals)
        if decision.reset or decision.segment:
            self._forget()
        if decision.segment:
            self._last, self._last_s, self._shapes = seq, time_s, shapes
        return decision

    def accepted(self, regions: Regions | None) -> None:
        """A result was accepted, so the latest frame has new regions: areas are compared with theirs from now on."""
        self._shapes = None if regions is None else Shapes(regions.ids)

    def _signals(self, time_s: float, regions: Regions | None, shapes: Shapes | None, motion: Motion | None) -> Signals:
        confidence = 1.0
        if motion is not None:
            self._moving = max(self._moving, moving(motion.flow))
            self._edges += inflow(motion.flow)
            self._outermost = np.minimum(self._outermost, self._edges)
            if regions is not None and regions.ids.shape == motion.confidence.shape:
                confidence = confirmed(regions.ids, motion.confidence)
        area_change, touching = 1.0, False
        if shapes is not None and self._shapes is not None:
            area_change, touching = self._shapes.change(shapes), self._shapes.newly_touching(shapes)
        return Signals(
            confidence=confidence,
            uncovered=float((self._edges - self._outermost).sum()),
            area_change=area_change,
            touching=touching,
            moving=self._moving,
            age_s=time_s - self._last_s,
        )

    def _forget(self) -> None:
        """What happened before a key frame says nothing of what happens after it."""
        self._shapes = None
        self._moving = 0.0
        self._edges = np.zeros(4)
        self._outermost = np.zeros(4)
