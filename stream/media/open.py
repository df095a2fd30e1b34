"""``open_source`` and ``open_sink``: the URI decides what is opened."""

from __future__ import annotations

from pathlib import Path

from stream.media.encoder import EncoderSettings
from stream.media.sink import Sink
from stream.media.sinks.file import FileSink
from stream.media.sinks.null import NullSink
from stream.media.sinks.photo import PhotoSink
from stream.media.sources.file import FileSource
from stream.media.uri import is_photo, local_path


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

    ``null:`` drops everything. A photo's result is a photo; a picture name is refused for moving pictures.
    Raises OutputExists, OutputIsInput, OutputNotWritable, UnsupportedContainer, EncoderUnavailable, UnsupportedUri,
    DiskFull.
    """
    if str(uri) == "null:":
        return NullSink()
    target = local_path(str(uri))
    if source.video.still and is_photo(target):
        return PhotoSink(target, source, overwrite=overwrite)
    return FileSink(target, source, settings or EncoderSettings(), overwrite=overwrite)
