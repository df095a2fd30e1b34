"""What can be said of an output before it is opened: nothing is made, changed or connected to."""

from __future__ import annotations

import os
from pathlib import Path

import av

from stream.errors import OutputNotWritable
from stream.live.outputs.gst import with_feed
from stream.live.outputs.hls import segment_muxer
from stream.live.outputs.open import MUXERS, check_holds, check_keep, knows_protocol, muxer_of
from stream.live.outputs.segment_names import segment_names
from stream.live.sink_settings import LiveSinkSettings
from stream.media.credentials import fill_in
from stream.media.gstreamer import build, gstreamer
from stream.media.sinks.partial import not_writable
from stream.media.sources.connection import scheme_of
from stream.media.uri import local_path
from stream.redaction import redact

_OF_THE_KERNEL = ("proc", "sys")
"""Folders in which nobody can make a file, whoever owns them."""


def check_output(uri: str, settings: LiveSinkSettings) -> None:
    """Raises what ``open_output`` would raise, except that files may exist: a stream that runs has made them."""
    scheme, encoder = scheme_of(uri), settings.encoder
    if uri == "null:":
        return
    if scheme == "gst":
        build(with_feed(uri)).set_state(gstreamer().Gst.State.NULL)
    elif scheme in MUXERS:
        fill_in(uri)
        if MUXERS[scheme] != "rtsp":
            check_holds(encoder, MUXERS[scheme], redact(uri))
    elif scheme == "srt":
        fill_in(uri)
        check_holds(encoder, "mpegts", redact(uri))
        if not knows_protocol("srt"):
            gstreamer()
    elif uri.lower().endswith(".m3u8"):
        playlist = local_path(uri)
        check_holds(encoder, segment_muxer(av.Codec(encoder.codec, "w").canonical_name), playlist.name)
        _check_place(playlist)
    elif settings.segment_s is not None:
        names = segment_names(uri.removeprefix("file:"))
        check_holds(encoder, muxer_of(Path(names.pattern)), names.suffix)
        _check_place(names.root / names.pattern)
    else:
        target = local_path(uri)
        check_holds(encoder, muxer_of(target), target.suffix)
        check_keep(settings)
        _check_place(target)


def _check_place(target: Path) -> None:
    """Raises OutputNotWritable where no file can be made; missing folders can."""
    if target.is_dir():
        raise OutputNotWritable(f"{target} is a folder", do="Name a file in it")
    if target.exists():
        if not os.access(target, os.W_OK):
            raise not_writable(target, PermissionError(13, os.strerror(13)))
        return
    resolved = target.resolve()
    folder = next(parent for parent in resolved.parents if parent.exists())
    if not folder.is_dir():
        raise not_writable(target, NotADirectoryError(20, os.strerror(20)))
    if resolved.parts[1] in _OF_THE_KERNEL or not os.access(folder, os.W_OK | os.X_OK):
        raise not_writable(target, PermissionError(13, os.strerror(13)))
