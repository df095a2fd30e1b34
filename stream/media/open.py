"""``open_source`` and ``open_sink``: the URI decides what is opened."""

from __future__ import annotations

from pathlib import Path

from stream.media.encoder import EncoderSettings
from stream.media.sink import Sink
from stream.media.sinks.file import FileSink
from stream.media.sinks.null import NullSink
from stream.media.sources.file import FileSource
from stream.media.uri import local_path


def open_source(uri: str | Path, *, threads: int = 0) -> FileSource:
    """Opens a video file or photo for reading; ``threads`` for the decoder, 0 = automatic.

    Raises InputNotFound, InputUnreadable, NotAVideo, NoVideoStream, UnknownCodec, NothingDecodable, HdrNotSupported,
    UnsupportedUri.
    """
    return FileSource(local_path(str(uri)), threads=threads)


def open_sink(
    uri: str | Path, source: FileSource, settings: EncoderSettings | None = None, *, overwrite: bool = False
) -> Sink:
    """Opens a file to write what ``source`` gives; the source must stay open until the sink is closed.

    ``null:`` drops everything. Photos are not written here but by ``stream.media.photos``, in RGB.
    Raises OutputExists, OutputIsInput, OutputNotWritable, UnsupportedContainer, EncoderUnavailable, UnsupportedUri,
    DiskFull.
    """
    if str(uri) == "null:":
        return NullSink()
    return FileSink(local_path(str(uri)), source, settings or EncoderSettings(), overwrite=overwrite)
