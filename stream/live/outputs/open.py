"""``open_output``: the URI decides where a live stream goes."""

from __future__ import annotations

import os
from pathlib import Path

import av

from stream.errors import UnsupportedContainer, WrongOutputs
from stream.live.outputs.delivery import PacketOutput
from stream.live.outputs.gst import GstOutput
from stream.live.outputs.hls import HlsWriter, segment_muxer
from stream.live.outputs.line import LineLimits
from stream.live.outputs.network import Address, NetworkWriter
from stream.live.outputs.null import NullOutput
from stream.live.outputs.output import Output
from stream.live.outputs.recording import FileWriter, PartNames
from stream.live.outputs.segment_names import segment_names
from stream.live.outputs.segments import SegmentFolder, SegmentWriter
from stream.live.outputs.srt import SrtWriter
from stream.live.sink_settings import LiveSinkSettings
from stream.media.containers import muxer_for, video_refusal
from stream.media.credentials import fill_in
from stream.media.encoder import EncoderSettings
from stream.media.gstreamer import gstreamer
from stream.media.sinks.partial import check_target, not_writable
from stream.media.sources.connection import scheme_of
from stream.media.uri import is_live, local_path
from stream.redaction import redact

FILE_LIMITS = LineLimits(seconds=15.0, size=64 << 20)
"""A disk may take its time; a file loses nothing meanwhile."""
_REST_S = 5.0
"""Without a picture for that long, segments are finalised: nobody should wait for them until the camera is back."""
MUXERS = {
    "rtsp": "rtsp",
    "rtsps": "rtsp",
    "rtmp": "flv",
    "rtmps": "flv",
    "udp": "mpegts",
    "tcp": "mpegts",
    "rtp": "rtp_mpegts",
}
"""What FFmpeg speaks over an address."""


def open_output(uri: str, settings: LiveSinkSettings) -> Output:
    """The output for a URI, not started yet.

    Raises UnsupportedUri, UnsupportedContainer, OutputNotWritable, WrongOutputs, SecretMissing for what
    can be known beforehand.
    """
    scheme = scheme_of(uri)
    if uri == "null:":
        return NullOutput()
    if scheme == "gst":
        return GstOutput(uri)
    if scheme == "srt":
        return _srt(uri, settings.encoder)
    if scheme in MUXERS:
        return _network(uri, scheme, settings.encoder)
    if uri.lower().endswith(".m3u8"):
        return _hls(local_path(uri), settings)
    if settings.segment_s is not None:
        return _segments(uri, settings, settings.segment_s)
    return _recording(local_path(uri), settings)


def place_of(uri: str, settings: LiveSinkSettings) -> str:
    """Equal for URIs that mean the same place: with secrets in it, never to be shown. Empty where many may write.

    Raises UnsupportedUri, SecretMissing.
    """
    if uri == "null:":
        return ""
    if is_live(uri):
        return fill_in(uri)
    if uri.lower().endswith(".m3u8"):
        return os.path.realpath(local_path(uri).with_suffix(".m3u8"))  # segments are named after the stem alone
    if settings.segment_s is None:
        return os.path.realpath(local_path(uri))
    names = segment_names(uri.removeprefix("file:"))
    return os.path.join(os.path.realpath(names.root), names.pattern)


def _network(uri: str, scheme: str, encoder: EncoderSettings) -> Output:
    muxer = MUXERS[scheme]
    fill_in(uri)  # what is missing is said now; each connection asks again
    if muxer != "rtsp":
        check_holds(encoder, muxer, redact(uri))
    address = Address(uri, muxer, {"rtsp_transport": "tcp"} if muxer == "rtsp" else {})
    return PacketOutput(uri, lambda: NetworkWriter(address), connects=True)


def _srt(uri: str, encoder: EncoderSettings) -> Output:
    """Through FFmpeg where it knows SRT, else through GStreamer, which must be there then."""
    fill_in(uri)
    check_holds(encoder, "mpegts", redact(uri))
    if knows_protocol("srt"):
        address = Address(uri, "mpegts", {})
        return PacketOutput(uri, lambda: NetworkWriter(address), connects=True)
    gstreamer()
    return PacketOutput(uri, lambda: SrtWriter(uri), connects=True)


def _recording(target: Path, settings: LiveSinkSettings) -> Output:
    muxer = muxer_of(target)
    check_keep(settings)
    check_target(target, None, overwrite=True)  # where it may not be replaced, the recording goes on beside it
    check_holds(settings.encoder, muxer, target.suffix)
    names = PartNames(target, overwrite=settings.overwrite)
    return PacketOutput(str(target), lambda: FileWriter(names, muxer), limits=FILE_LIMITS)


def _segments(uri: str, settings: LiveSinkSettings, length_s: float) -> Output:
    names = segment_names(uri.removeprefix("file:"))
    muxer = muxer_of(Path(names.pattern))
    check_holds(settings.encoder, muxer, names.suffix)
    try:
        names.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_writable(names.root / names.pattern, error) from error
    folder = SegmentFolder(names, settings.keep)
    recovered = folder.recover()
    output = PacketOutput(
        str(names),
        lambda: SegmentWriter(folder, muxer, length_s),
        limits=FILE_LIMITS,
        rest_s=rest_of(uri, settings),
    )
    output.notes += [f"{path.name} is from a run that was killed: it was given its name" for path in recovered]
    return output


def _hls(playlist: Path, settings: LiveSinkSettings) -> Output:
    check_target(playlist, None, overwrite=True)  # it goes on where another run ended
    encoder = settings.encoder
    check_holds(encoder, segment_muxer(av.Codec(encoder.codec, "w").canonical_name), playlist.name)
    return PacketOutput(
        str(playlist),
        lambda: HlsWriter(playlist, settings.key_every_s),
        limits=FILE_LIMITS,
        rest_s=rest_of(str(playlist), settings),
    )


def rest_of(uri: str, settings: LiveSinkSettings) -> float | None:
    """After how long without pictures an output of files finalises what it has; None where there are no segments."""
    return _REST_S if settings.segment_s is not None or uri.lower().endswith(".m3u8") else None


def check_keep(settings: LiveSinkSettings) -> None:
    """Raises WrongOutputs where old segments are to be deleted and there are none: the file would grow for ever."""
    if settings.keep is not None and settings.segment_s is None:
        raise WrongOutputs(
            "--keep deletes old segments, and the recording is not cut into segments",
            do="Add --segment, such as --segment 10m, or leave --keep out",
        )


def muxer_of(target: Path) -> str:
    """FFmpeg's name of a container that takes live video. Raises UnsupportedContainer."""
    muxer = muxer_for(target)
    if muxer is None:
        raise UnsupportedContainer(
            f"{target.name}: cannot write live video into {target.suffix or 'a name without extension'}",
            do="Use .mp4, .mkv or .ts, a folder with --segment, or an address such as rtsp://",
        )
    return muxer


def check_holds(encoder: EncoderSettings, muxer: str, name: str) -> None:
    """Raises UnsupportedContainer where a container cannot hold what the encoder makes."""
    if video_refusal(encoder.codec, encoder.codec_options(), "yuv420p", muxer) is not None:
        raise UnsupportedContainer(f"{name} cannot hold video of the encoder {encoder.codec}", do="Use --codec libx264")


def knows_protocol(scheme: str) -> bool:
    """Whether this build of FFmpeg was made with a protocol. Nothing is sent anywhere."""
    try:
        with av.open(f"{scheme}://127.0.0.1:0", "w", format="mpegts") as scratch:
            scratch.add_data_stream()
            scratch.start_encoding()
    except av.error.ProtocolNotFoundError:
        return False
    except (av.FFmpegError, OSError, ValueError):
        return True
    return True
