"""``open_output``: the URI decides where a live stream goes."""

from __future__ import annotations

from pathlib import Path

from stream.errors import UnsupportedContainer
from stream.live.outputs.delivery import PacketOutput
from stream.live.outputs.line import LineLimits
from stream.live.outputs.null import NullOutput
from stream.live.outputs.output import Output
from stream.live.outputs.recording import FileWriter, PartNames
from stream.media.containers import muxer_for, video_refusal
from stream.media.encoder import EncoderSettings
from stream.media.sinks.partial import check_target
from stream.media.uri import local_path

_FILE_LIMITS = LineLimits(seconds=15.0, size=64 << 20)
"""A disk may take its time; a file loses nothing meanwhile."""


def open_output(uri: str, encoder: EncoderSettings, *, overwrite: bool = False) -> Output:
    """The output for a URI, not started yet.

    Raises UnsupportedUri, UnsupportedContainer, OutputExists, OutputNotWritable for what can be known beforehand.
    """
    if uri == "null:":
        return NullOutput()
    return _recording(local_path(uri), encoder, overwrite=overwrite)


def _recording(target: Path, encoder: EncoderSettings, *, overwrite: bool) -> Output:
    muxer = muxer_for(target)
    if muxer is None:
        raise UnsupportedContainer(
            f"{target.name}: cannot write live video into {target.suffix or 'a name without extension'}",
            do="Use .mp4, .mkv or .ts, a folder with --segment, or an address such as rtsp://",
        )
    check_target(target, None, overwrite=overwrite)
    check_holds(encoder, muxer, target.suffix)
    names = PartNames(target, overwrite=overwrite)
    return PacketOutput(str(target), lambda: FileWriter(names, muxer), limits=_FILE_LIMITS)


def check_holds(encoder: EncoderSettings, muxer: str, name: str) -> None:
    """Raises UnsupportedContainer where a container cannot hold what the encoder makes."""
    if video_refusal(encoder.codec, encoder.codec_options(), "yuv420p", muxer) is not None:
        raise UnsupportedContainer(f"{name} cannot hold video of the encoder {encoder.codec}", do="Use --codec libx264")
