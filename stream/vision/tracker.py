"""Carries the regions of the last key frame along with the motion, and keeps their identities over the next ones.

A segmenter needs many frames for one picture. What it found in a snapshot is carried to the present by the motions
since then, and from there on frame by frame. What was hidden or outside at the key frame is 0,
not known, until the next one. A new segmentation numbers its regions anew: each takes over the identity that it
overlaps by more than half (``identities``), or gets the one that has been free the longest. Nothing jumps: a region's
weight comes and goes within 8 frames, one that has vanished keeps its place while it goes, and features move over.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from stream.vision.displacement import Displacement
from stream.vision.fades import Features, Weights
from stream.vision.identities import matched
from stream.vision.key_regions import KeyRegions
from stream.vision.motion import Motion
from stream.vision.opencv import opencv
from stream.vision.regions import MOST, Floats, Ids, Regions, Segmentation

TRUST_PER_FRAME = 0.97
"""Part of its confidence that a region keeps from frame to frame."""


class RegionTracker:
    """Call ``step`` once per frame, ``expect`` where a snapshot of it is taken, ``accept`` whenever the segmenter has a
    result, all from one thread."""

    def __init__(self) -> None:
        self.seq = -1
        """Number of the last frame stepped, from 0. It goes on rising over cuts; snapshots are called by it."""
        self.refused = 0
        """Results that nobody expected any more, were for a frame before a cut, or had not a single pixel."""
        self.regions: Regions | None = None
        """As the last ``step`` or ``accept`` left them."""
        self.reset()

    def reset(self) -> None:
        """Forget everything, at a cut: call it before ``step`` of the new scene's first frame.

        Results for snapshots up to the last frame stepped will be refused.
        """
        self.regions = None
        self._expected: dict[int, _Way] = {}
        self._shape: tuple[int, int] | None = None
        self._waiting: tuple[Segmentation, int] | None = None
        self._key: KeyRegions | None = None
        self._leaving: tuple[Ids, Displacement] | None = None
        self._weights = Weights()
        self._features: Features | None = None
        self._age = np.zeros(MOST + 1, np.float32)
        self._confidence = np.zeros(MOST + 1, np.float32)

    @property
    def embedding(self) -> Floats | None:
        """The last result's embedding [256, eh, ew] as the picture looks now, each cell from where it came; or None."""
        return None if self._key is None else self._key.embedding()

    def step(self, motion: Motion | None, seconds: float) -> Regions | None:
        """The regions of the next frame, ``seconds`` after the last; None as long as none are known.

        ``motion`` leads from the new frame to the last. None, or another size than before, begins anew.
        """
        shape = None if motion is None else (motion.confidence.shape[0], motion.confidence.shape[1])
        if shape is None or (self._shape is not None and shape != self._shape):
            self.reset()
        self.seq += 1
        self._shape = shape
        if motion is None or shape is None:
            return None
        if self._waiting is not None:
            segmentation, seq = self._waiting
            self._waiting = None
            self._begin(KeyRegions(segmentation, seq, Displacement(*shape), 0.0))
        for way in self._expected.values():
            way.add(motion, seconds)
        if self._key is not None:
            self._key.way.add(motion.flow, motion.confidence)
            if self._leaving is not None:
                self._leaving[1].add(motion.flow, motion.confidence)
            self.regions = self._stepped(self._key, seconds)
        return self.regions

    def expect(self, held: Collection[int] | None = None) -> int:
        """A snapshot of the last frame was taken, which gets this number: its way to the present is kept from now on.

        ``held`` are the earlier snapshots for which there may still be a result, None for all: each costs a remap a
        frame, and none is too old, however long a segmenter takes.
        """
        if held is not None:
            self._expected = {seq: way for seq, way in self._expected.items() if seq in held}
        self._expected[self.seq] = _Way()
        return self.seq

    def accept(self, segmentation: Segmentation, seq: int) -> bool:
        """Take over what was found in the snapshot of frame ``seq``, carried to the last frame; see ``regions``.

        False, and counted as refused, where no result is expected for that frame (any more).
        """
        way = self._expected.pop(seq, None)
        if way is None or segmentation.ids.ndim != 2 or not segmentation.ids.size:
            self.refused += 1
            return False
        self._expected = {later: kept for later, kept in self._expected.items() if later > seq}
        if self._shape is None:
            # On the first frame: the size of the regions comes with the first motion.
            self._waiting = segmentation, seq
            return True
        back = way.back or Displacement(*self._shape)
        self._begin(KeyRegions(segmentation, seq, back, way.seconds))
        return True

    def _begin(self, key: KeyRegions) -> None:
        """A new key frame: its labels get names, and the regions that it does not confirm begin to leave."""
        labels = key.carried()
        before = np.zeros_like(labels) if self.regions is None else self.regions.ids
        for label, identity in matched(labels, before).items():
            key.names[label] = identity
            self._age[identity] = key.seconds
        left = np.where(np.isin(before, key.names), np.uint8(0), before)
        self._leaving = (left, Displacement(*key.way.shape)) if left.any() else None
        self._key = key
        if key.features is not None:
            self._features = self._features or Features(key.features.shape[1])
            self._features.want({int(key.names[i]): key.features[i] for i in key.named})
        trust = key.confidence(labels)
        self._give_names(key, trust)
        self.regions = self._now(key, labels, trust)

    def _stepped(self, key: KeyRegions, seconds: float) -> Regions:
        """One frame on, all ways already carried there."""
        labels = key.carried()
        trust = key.confidence(labels)
        there = np.zeros(MOST + 1, bool)
        there[key.names[trust > 0]] = True
        there[0] = False
        self._weights.step(there, self.seq)
        self._age += np.float32(seconds)
        key.seconds += seconds
        self._confidence *= np.float32(TRUST_PER_FRAME)
        if self._features is not None:
            self._features.step()
        gone = self._weights.gone
        key.names[gone[key.names]] = 0
        if self._leaving is not None:
            left, way = self._leaving
            left[gone[left]] = 0
            self._leaving = (left, way) if left.any() else None
        self._give_names(key, trust)
        return self._now(key, labels, trust)

    def _give_names(self, key: KeyRegions, trust: Floats) -> None:
        """Names for labels that are seen and have none, the largest first, as far as names are free."""
        nameless = [label for label in range(1, MOST + 1) if trust[label] > 0 and not key.names[label]]
        for label, identity in zip(nameless, self._weights.free(key.names) if nameless else (), strict=False):
            key.names[label] = identity
            self._age[identity] = key.seconds
            if self._features is not None:
                self._features.begin(identity, None if key.features is None else key.features[label])

    def _now(self, key: KeyRegions, labels: Ids, trust: Floats) -> Regions:
        """What the frame path gets: regions that leave lie over those that come. ``trust`` [17] is 0 where absent."""
        seen = (trust > 0) & (key.names > 0)
        self._confidence[key.names[seen]] = trust[seen] * np.float32(TRUST_PER_FRAME**key.way.steps)
        alive = ~self._weights.gone
        alive[key.names] = True
        alive[0] = False
        names = np.zeros(256, np.uint8)
        names[: MOST + 1] = key.names
        ids: Ids = opencv().LUT(labels, names)
        if self._leaving is not None:
            leaving = self._leaving[1].carried(self._leaving[0])
            opencv().copyTo(leaving, leaving, ids)
        features = None if self._features is None else self._features.now
        return Regions(ids, self._confidence * alive, self._age * alive, self._weights.weight, features)


class _Way:
    """From the present back to a snapshot."""

    def __init__(self) -> None:
        self.back: Displacement | None = None
        """None while there was no motion since."""
        self.seconds = 0.0

    def add(self, motion: Motion, seconds: float) -> None:
        """One frame on."""
        if self.back is None:
            self.back = Displacement(motion.confidence.shape[0], motion.confidence.shape[1])
        self.back.add(motion.flow, motion.confidence)
        self.seconds += seconds
