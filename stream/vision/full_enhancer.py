"""Mode ``full``: the network draws every frame anew at its full size, in place of tone curves.

Nothing is smoothed in time: a network that judges two like frames differently flickers, which is its own doing and
visible here. Networks that are guided by regions get them as in mode fused, found in what they drew and carried along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engines.curve.grid import CurveGrid, Floats
from engines.errors import EngineError, NotFiniteError
from engines.network_inputs import Extra
from engines.picture_network import PictureNetwork
from engines.rgb_planes import apply_change, rgb_of
from engines.thumbnail import sample
from stream.media import Frame, fresh_like
from stream.telemetry import Telemetry
from stream.vision.knowledge import extra_inputs
from stream.vision.observer import Observation, Observer
from stream.vision.regions import Regions
from stream.vision.scene import Change, rgb_codes

if TYPE_CHECKING:
    from stream.vision.semantics import Semantics

_ROOT = CurveGrid(np.array([[[0, 1, 0, 2, 0, 0, 2, 0, 0]]], np.float32))
"""y' = sqrt(y) brightens what motion and cuts are looked for in."""


class FullEnhancer:
    """Call it with the frames of one video. A frame for which the network gives nothing usable comes back as it was."""

    def __init__(
        self,
        network: PictureNetwork,
        *,
        strength: float = 1.0,
        semantics: Semantics | None = None,
        colours: str = "hashed",
        telemetry: Telemetry | None = None,
    ) -> None:
        """``strength`` 0..1 blends between the input and what the network draws; 0 leaves frames untouched.

        ``semantics`` finds regions beside the frames; ``colours`` says how the network had them painted.
        """
        self._network = network
        self.strength = strength
        """0..1; may be changed between frames."""
        self._colours = colours
        self._telemetry = telemetry or Telemetry()
        self._observer = Observer(self._telemetry)
        self.semantics = semantics
        self._seen: Observation | None = None
        self.cuts = 0
        """Found only where there are semantics to reset."""
        self.network_runs = 0
        self.network_failures = 0
        """Frames that were left as they came because the network gave nothing usable."""

    def __call__(self, frame: Frame) -> Frame:
        """The frame as the network draws it, in a picture of its own, with all tags; or ``frame`` itself.

        Raises ``EngineError`` if the network fails otherwise than by a value that is not finite before it ever worked.
        """
        if self.strength == 0.0:
            return frame
        extra = None if self.semantics is None else self._look(frame, self.semantics)
        with self._telemetry.stage("to_rgb").measure():
            before = rgb_of(frame.planes)
        after = self._drawn(before, extra)
        if after is None:
            return frame
        with self._telemetry.stage("apply").measure():
            enhanced = fresh_like(frame)
            apply_change(frame.planes, before, after, self.strength, enhanced.planes)
        if self.semantics is not None:
            cut = self._seen is not None and self._seen.change is not Change.NONE
            self.semantics.look(frame.seq, frame.time, cut=cut, snapshot=lambda: rgb_codes(sample(enhanced.planes)))
        return enhanced

    def close(self) -> None:
        """Ends what works beside the frames."""
        if self.semantics is not None:
            self.semantics.close()

    def _look(self, frame: Frame, semantics: Semantics) -> Extra:
        """What is known of the frame beside its pixels."""
        seen = self._observer.observe(frame, _ROOT, moving=True)
        cut = seen.change is not Change.NONE
        self.cuts += cut and self._seen is not None
        self._seen = seen
        regions: Regions | None = semantics.carry(seen.motion, seen.seconds, cut=cut)
        names = self._network.extra_inputs
        embedding = semantics.embedding if "embedding" in names else None
        return extra_inputs(names, regions, embedding, seen.thumbnail, self._colours)

    def _drawn(self, before: Floats, extra: Extra | None) -> Floats | None:
        try:
            with self._telemetry.stage("network").measure():
                after = self._network(before, extra)
            self.network_runs += 1
        except NotFiniteError:
            self.network_failures += 1
            return None
        except EngineError:
            if not self.network_runs:
                raise
            self.network_failures += 1
            return None
        return after
