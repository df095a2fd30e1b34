"""What has to happen for a running service to become what another configuration says, with the least interruption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stream.live.configuration import PROCESS_KEYS, Configuration, StreamConfig
from stream.live.run import CHANGEABLE
from stream.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """``adjusted``: streams that go on, with the settings that change; ``restarted``: those that have to end first.

    ``at_next_start``: settings of the process that differ and stay as they are until it starts again.
    """

    added: tuple[StreamConfig, ...]
    removed: tuple[str, ...]
    restarted: tuple[StreamConfig, ...]
    adjusted: tuple[tuple[StreamConfig, dict[str, object]], ...]
    at_next_start: tuple[str, ...]


def plan(running: Mapping[str, StreamConfig], before: Settings, wanted: Configuration) -> Plan:
    """How to get from the streams that run, under the settings ``before`` of the process, to what is wanted."""
    restarted, adjusted = [], []
    for config in wanted.streams:
        old = running.get(config.name)
        if old is None or old == config:
            continue
        changes = differences(old.settings, config.settings)
        moved = (old.source, old.outputs) != (config.source, config.outputs)
        if moved or not set(changes) <= set(CHANGEABLE):
            restarted.append(config)
        else:
            adjusted.append((config, changes))
    names = {config.name for config in wanted.streams}
    differ = differences(before, wanted.process)
    return Plan(
        added=tuple(config for config in wanted.streams if config.name not in running),
        removed=tuple(name for name in running if name not in names),
        restarted=tuple(restarted),
        adjusted=tuple(adjusted),
        at_next_start=tuple(name for name in PROCESS_KEYS if name in differ),
    )


def differences(before: Settings, after: Settings) -> dict[str, object]:
    """The fields of ``after`` that are not as in ``before``."""
    old, new = before.model_dump(), after.model_dump()
    return {name: new[name] for name in new if new[name] != old[name]}
