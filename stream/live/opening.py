"""Source and outputs of a live stream, opened as its settings say."""

from __future__ import annotations

from collections.abc import Callable

from stream.live.configuration import StreamConfig
from stream.live.outputs.output import OutputEvent
from stream.live.outputs.patient import open_patiently
from stream.live.sink import LiveSink
from stream.live.sink_settings import sink_settings
from stream.live.source import LiveSource, SourcePolicy
from stream.live.state import SourceEvent
from stream.media.sources.connection import SourceOptions

_OPEN_S = 5.0
_PICTURES = 2.5
"""FFmpeg looks at several pictures before it says what a stream is; a timeout lasts longer than one takes to come."""


def open_live_source(config: StreamConfig, events: Callable[[SourceEvent], None]) -> LiveSource:
    """The source of a configuration; nothing is connected yet. Raises what is wrong with its address."""
    settings = config.settings
    timeout_s = settings.source_timeout
    options = SourceOptions(
        transport=settings.transport,
        open_timeout_s=max(_OPEN_S, _PICTURES * timeout_s),
        read_timeout_s=timeout_s,
        staleness_s=settings.staleness,
        options=dict(settings.source_options),
    )
    policy = SourcePolicy(stall_s=timeout_s, give_up_after_s=settings.give_up_after)
    return LiveSource(config.source, options, policy, events=events)


def open_live_sink(config: StreamConfig, events: Callable[[OutputEvent], None]) -> LiveSink:
    """The outputs of a configuration. Raises the errors of ``stream.errors`` for what can be known beforehand."""
    return LiveSink(config.outputs, sink_settings(config.settings), events)


def open_patient_sink(config: StreamConfig, events: Callable[[OutputEvent], None]) -> LiveSink:
    """As ``open_live_sink``; an output whose surroundings are not right is tried again and holds up no other."""
    return LiveSink(config.outputs, sink_settings(config.settings), events, open_one=open_patiently)
