"""The states of a live source, which may follow which, and the events that tell about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class SourceState(Enum):
    """What a live source is doing."""

    CONNECTING = "connecting"
    """For the first time; no picture has come yet."""
    STREAMING = "streaming"
    STALLED = "stalled"
    """Connected, and nothing has come for ``stall_s``."""
    RECONNECTING = "reconnecting"
    """Lost; waiting for the next attempt, or in it."""
    FAILED = "failed"
    """Given up, because the user set a limit."""
    STOPPED = "stopped"


_MAY_FOLLOW: dict[SourceState, frozenset[SourceState]] = {
    SourceState.CONNECTING: frozenset(
        {SourceState.STREAMING, SourceState.RECONNECTING, SourceState.FAILED, SourceState.STOPPED}
    ),
    SourceState.STREAMING: frozenset({SourceState.STALLED, SourceState.RECONNECTING, SourceState.STOPPED}),
    SourceState.STALLED: frozenset({SourceState.STREAMING, SourceState.RECONNECTING, SourceState.STOPPED}),
    SourceState.RECONNECTING: frozenset({SourceState.STREAMING, SourceState.FAILED, SourceState.STOPPED}),
    SourceState.FAILED: frozenset({SourceState.STOPPED}),
    SourceState.STOPPED: frozenset(),
}


class IllegalTransition(RuntimeError):
    """A fault of the program: a state that may not follow the one before."""


def check_transition(before: SourceState, after: SourceState) -> None:
    """Raises IllegalTransition unless ``after`` may follow ``before``."""
    if after not in _MAY_FOLLOW[before]:
        raise IllegalTransition(f"a source that is {before.value} cannot become {after.value}")


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """A change of state, or (``state`` equal to ``previous``) one more attempt that failed; shows no credentials."""

    state: SourceState
    previous: SourceState
    generation: int
    """Connections that have given a picture so far."""
    attempt: int
    """Attempts that failed since the last picture."""
    error: str = ""
    retry_in_s: float | None = None
    """Seconds until the next attempt, where one is waited for."""
    at: float = 0.0
    """``time.monotonic()``."""
