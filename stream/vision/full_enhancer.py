"""Mode ``full``: the network draws every frame anew at its full size, in place of tone curves.

Nothing is smoothed in time and nothing is carried from frame to frame, so there are no cuts to find either: a network
that judges two like frames differently flickers, which is its own doing and visible here.
"""

from __future__ import annotations

from engines.curve.grid import Floats
from engines.errors import EngineError, NotFiniteError
from engines.picture_network import PictureNetwork
from engines.rgb_planes import apply_change, rgb_of
from stream.media import Frame, fresh_like
from stream.telemetry import Telemetry


class FullEnhancer:
    """Call it with the frames of one video. A frame for which the network gives nothing usable comes back as it was."""

    def __init__(self, network: PictureNetwork, *, strength: float = 1.0, telemetry: Telemetry | None = None) -> None:
        """``strength`` 0..1 blends between the input and what the network draws; 0 leaves frames untouched."""
        self._network = network
        self._strength = strength
        self._telemetry = telemetry or Telemetry()
        self.cuts = 0
        self.network_runs = 0
        self.network_failures = 0
        """Frames that were left as they came because the network gave nothing usable."""

    def __call__(self, frame: Frame) -> Frame:
        """The frame as the network draws it, in a picture of its own, with all tags; or ``frame`` itself.

        Raises ``EngineError`` if the network fails otherwise than by a value that is not finite before it ever worked.
        """
        if self._strength == 0.0:
            return frame
        with self._telemetry.stage("to_rgb").measure():
            before = rgb_of(frame.planes)
        after = self._drawn(before)
        if after is None:
            return frame
        with self._telemetry.stage("apply").measure():
            enhanced = fresh_like(frame)
            apply_change(frame.planes, before, after, self._strength, enhanced.planes)
        return enhanced

    def _drawn(self, before: Floats) -> Floats | None:
        try:
            with self._telemetry.stage("network").measure():
                after = self._network(before)
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
