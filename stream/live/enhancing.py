"""Frame to frame for one live source, over connections, changes of the picture, day and night, and failures.

What the enhancement remembers (grids smoothed in time, the denoiser's history, motion) belongs to one connection and
one kind of picture: a new connection, another size, format or colour, and nightfall start it anew. The network stays,
and so does the segmenter with its model.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from engines.colour import Colour
from engines.errors import EngineError
from stream.compare import comparing
from stream.live.gate import LumaGate
from stream.media import Frame
from stream.segmentation import OpenSam, Sam, open_semantics
from stream.settings import Settings
from stream.telemetry import Telemetry
from stream.vision.enhancer import Enhancer
from stream.vision.modes import FrameEnhancer

if TYPE_CHECKING:
    from engines.bundle import Card
    from stream.vision.semantics import Semantics

Kind = tuple[int, int, int, str, Colour]


class Network(Protocol):
    """A loaded network, as ``stream.vision.modes`` opens it; several streams may share one."""

    card: Card
    extra_inputs: tuple[str, ...]

    def enhancer(self, settings: Settings, telemetry: Telemetry, semantics: Semantics | None) -> FrameEnhancer:
        """One for a single video."""
        ...


class LiveEnhancer:
    """Call it with the frames of one source, in order, from one thread; others may read figures and call ``change``."""

    def __init__(
        self,
        settings: Settings,
        network: Network | None,
        telemetry: Telemetry,
        *,
        failed: Callable[[EngineError], None] = lambda error: None,
        switched: Callable[[bool], None] = lambda night: None,
        open_sam: OpenSam = Sam,
    ) -> None:
        """``network`` None leaves every frame as it came. ``failed`` is told when the network could not do a frame,
        ``switched`` when the gate has decided for night (True) or day. ``open_sam`` opens segmenters.
        """
        self.settings = settings
        self.gate = LumaGate() if settings.when == "dark" else None
        self.notes: list[str] = []
        self.passed_through = 0
        """Frames that came out as they went in because the network failed."""
        self._network, self._telemetry, self._failed, self._switched = network, telemetry, failed, switched
        self._open_sam = open_sam
        self._lock = threading.Lock()
        self._changed: Settings | None = None
        self._enhancer: FrameEnhancer | None = None
        self._kind: Kind | None = None
        self._counts = (0, 0, 0)
        self._semantics: Semantics | None = None
        self._segmented: tuple[int, float] | None = None
        self._open_semantics()

    @property
    def night(self) -> bool | None:
        """What the gate says; None without one, or before the first frame."""
        return None if self.gate is None or self.gate.brightness is None else self.gate.night

    @property
    def semantics(self) -> Semantics | None:
        """What finds regions beside the frames; None where nothing does."""
        return self._semantics

    @property
    def counts(self) -> tuple[int, int, int]:
        """Runs and failures of the network, and cuts, over all connections."""
        enhancer = self._enhancer
        runs, failures, cuts = self._counts
        if enhancer is None:
            return runs, failures, cuts
        return runs + enhancer.network_runs, failures + enhancer.network_failures, cuts + enhancer.cuts

    @property
    def sam_age_s(self) -> float | None:
        """Seconds since the segmenter's last result; None before the first, and without one."""
        return None if self._segmented is None else time.monotonic() - self._segmented[1]

    def __call__(self, frame: Frame) -> Frame:
        """The frame enhanced, in a picture of its own, or as it came: by day, and where the network fails."""
        self._adopt()
        amount = 1.0 if self.gate is None else self._ask(self.gate, frame)
        enhancer = self._for(frame) if amount > 0 else None
        if enhancer is None:
            self._retire()
            return comparing(lambda same: same, self.settings.compare)(frame)
        enhancer.strength = self.settings.strength * amount
        try:
            enhanced = comparing(enhancer, self.settings.compare)(frame)
        except EngineError as error:
            self.passed_through += 1
            self._failed(error)
            return comparing(lambda same: same, self.settings.compare)(frame)
        self._watch_segmenter()
        return enhanced

    def change(self, settings: Settings) -> None:
        """From the next frame on, strength, denoise, network_every, sam_every and when are those of ``settings``."""
        with self._lock:
            self._changed = settings

    def restart(self) -> None:
        """Forget everything that was remembered of frames so far."""
        self._retire()

    def close(self) -> None:
        """Ends what works beside the frames."""
        self._retire()
        if self._semantics is not None:
            self._semantics.close()

    def _ask(self, gate: LumaGate, frame: Frame) -> float:
        before = self.night
        amount = gate(frame)
        if gate.night != before:
            self._switched(gate.night)
        return amount

    def _for(self, frame: Frame) -> FrameEnhancer:
        planes = frame.planes
        kind = (frame.generation, planes.width, planes.height, frame.picture.format.name, planes.colour)
        if self._enhancer is None or kind != self._kind:
            self._retire()
            self._kind = kind
            if self._network is None:
                self._enhancer = Enhancer(None)
            else:
                self._enhancer = self._network.enhancer(self.settings, self._telemetry, self._semantics)
        return self._enhancer

    def _retire(self) -> None:
        """The semantics are not closed with their enhancer: the next one's first frame starts them anew."""
        self._counts, self._enhancer = self.counts, None

    def _adopt(self) -> None:
        with self._lock:
            settings, self._changed = self._changed, None
        if settings is None:
            return
        before, self.settings = self.settings, settings
        if settings.when != before.when:
            self.gate = LumaGate() if settings.when == "dark" else None
        if settings.sam_every != before.sam_every:
            self._retire()
            self._open_semantics()
        if (settings.denoise, settings.network_every) != (before.denoise, before.network_every):
            self._retire()

    def _open_semantics(self) -> None:
        if self._semantics is not None:
            self._semantics.close()
        wanted = self._network.extra_inputs if self._network else ()
        self._semantics, note = open_semantics(self.settings, wanted, self._open_sam)
        self._segmented = None
        if note and note not in self.notes:
            self.notes.append(note)

    def _watch_segmenter(self) -> None:
        if self._semantics is None:
            return
        runs = self._semantics.segmenter.runs
        if runs and (self._segmented is None or self._segmented[0] != runs):
            self._segmented = runs, time.monotonic()
