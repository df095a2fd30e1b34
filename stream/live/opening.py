"""Source and outputs of a live stream, opened as its settings say."""

from __future__ import annotations

from collections.abc import Callable

from stream.live.configuration import StreamConfig
from stream.live.outputs.output import OutputEvent
from stream.live.sink import LiveSink
from stream.live.sink_settings import LiveSinkSettings
from stream.live.source import LiveSource, SourcePolicy
from stream.live.state import SourceEvent
from stream.media.sources.connection import SourceOptions
from stream.quantities import keep


def open_live_source(config: StreamConfig, events: Callable[[SourceEvent], None]) -> LiveSource:
    """The source of a configuration; nothing is connected yet. Raises what is wrong with its address."""
    settings = config.settings
    options = SourceOptions(transport=settings.transport, options=dict(settings.source_options))
    return LiveSource(config.source, options, SourcePolicy(give_up_after_s=settings.give_up_after), events=events)


def open_live_sink(config: StreamConfig, events: Callable[[OutputEvent], None]) -> LiveSink:
    """The outputs of a configuration. Raises the errors of ``stream.errors`` for what can be known beforehand."""
    settings = config.settings
    return LiveSink(
        config.outputs,
        LiveSinkSettings(
            encoder=settings.encoder(),
            bitrate=settings.bitrate,
            key_every_s=settings.key_every,
            segment_s=settings.segment,
            keep=None if settings.keep is None else keep(settings.keep),
            overwrite=settings.overwrite,
        ),
        events,
    )
