"""How far a build is, as one share that only rises, out of TensorRT's tree of phases; and a way to stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from engines.tensorrt.flavour import Flavour

Report = Callable[[float, str], bool]
"""Called with the share done (0..1) and the phase, from any thread; what it returns says whether to go on."""


@dataclass(slots=True)
class _Phase:
    parent: str | None
    steps: int
    done: int = 0
    within: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """0..1; a phase within it counts as one of its steps, as far as it is."""
        return min(1.0, (self.done + min(1.0, sum(self.within.values()))) / max(1, self.steps))


class Phases:
    """The tree of phases; callable from several threads, as TensorRT does."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._phases: dict[str, _Phase] = {}
        self._lock = threading.Lock()
        self._share = 0.0
        self._going = True

    def start(self, name: str, parent: str | None, steps: int) -> None:
        with self._lock:
            self._phases[name] = _Phase(parent, steps)
            self._tell(name)

    def step(self, name: str) -> bool:
        """A step is done. False where the build is to stop."""
        with self._lock:
            phase = self._phases.get(name)
            if phase is not None:
                phase.done += 1
                phase.within.clear()
            self._tell(name)
            return self._going

    def finish(self, name: str) -> None:
        with self._lock:
            phase = self._phases.pop(name, None)
            parent = self._phases.get(phase.parent) if phase and phase.parent else None
            if parent is not None:
                parent.within[name] = 1.0
            elif phase is not None:
                self._share = 1.0
            self._tell(name)

    def _tell(self, name: str) -> None:
        at, phase = name, self._phases.get(name)
        while phase is not None and phase.parent is not None:
            parent = self._phases.get(phase.parent)
            if parent is None:
                return
            parent.within[at] = phase.share
            at, phase = phase.parent, parent
        if phase is not None:
            self._share = max(self._share, phase.share)
        self._going = self._report(self._share, name) and self._going


def monitor(flavour: Flavour, report: Report) -> object:
    """An ``IProgressMonitor`` of this flavour. Keep it until the build has ended."""
    base = flavour.module.IProgressMonitor
    phases = Phases(report)

    class Monitor(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            base.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            phases.start(phase_name, parent_phase, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return phases.step(phase_name)

        def phase_finish(self, phase_name: str) -> None:
            phases.finish(phase_name)

    return Monitor()
