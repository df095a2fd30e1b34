"""Outputs whose surroundings are not right yet, such as a folder that cannot be written to: they wait, alone."""

from __future__ import annotations

from stream.errors import DiskFull, OutputNotWritable, SecretMissing, StreamError
from stream.live.outputs.delivery import PacketOutput
from stream.live.outputs.open import FILE_LIMITS, open_output, rest_of
from stream.live.outputs.output import Output, Writer
from stream.live.sink_settings import LiveSinkSettings
from stream.media.uri import is_live

SURROUNDINGS: tuple[type[StreamError], ...] = (OutputNotWritable, DiskFull, SecretMissing)
"""What is wrong around a stream, and not in what was written about it: it can pass while the stream runs."""


def open_patiently(uri: str, settings: LiveSinkSettings) -> Output:
    """As ``open_output``; where its surroundings are not right, an output that tries again until they are.

    Raises the other errors of ``open_output``.
    """
    try:
        return open_output(uri, settings)
    except SURROUNDINGS:
        if uri.startswith("gst:"):  # takes frames, which nothing here can wait with
            raise
        if is_live(uri):
            return PacketOutput(uri, _Later(uri, settings), connects=True)
        return PacketOutput(
            uri.removeprefix("file:"), _Later(uri, settings), limits=FILE_LIMITS, rest_s=rest_of(uri, settings)
        )


class _Later:
    """Makes the writers of an output that could not be opened. Once that works, it stays open: it knows its parts."""

    def __init__(self, uri: str, settings: LiveSinkSettings) -> None:
        self._uri, self._settings = uri, settings
        self._opened: PacketOutput | None = None

    def __call__(self) -> Writer:
        if self._opened is None:
            opened = open_output(self._uri, self._settings)
            assert isinstance(opened, PacketOutput)
            self._opened = opened
        return self._opened.make_writer()
