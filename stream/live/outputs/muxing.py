"""Puts encoded pictures and copied audio into one container, at once and with times that begin at 0."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
from av.container import OutputContainer
from av.stream import Stream

from stream.live.outputs.packets import TIME_BASE, AudioPacket, AudioTrack, EncodedPicture, VideoFormat, muxable
from stream.media.containers import refusal

AT_ONCE = {"max_interleave_delta": "1", "flush_packets": "1"}
"""Nothing waits for a stream that is late or absent, nor for a buffer to fill."""
_IN_TS = ("aac", "mp2", "mp3", "ac3", "eac3", "opus")
"""FFmpeg's muxer takes anything else too, as private data that nobody can read."""
_OVER_RTP = (
    "aac",
    "opus",
    "pcm_alaw",
    "pcm_mulaw",
    "adpcm_g722",
    "mp2",
    "mp3",
    "pcm_s16be",
    "vorbis",
    "amr_nb",
    "amr_wb",
)
"""What FFmpeg has a payload format for; asking its RTSP muxer would mean to connect."""
_CODECS = {"mpegts": _IN_TS, "rtp_mpegts": _IN_TS, "rtsp": _OVER_RTP}


def carried(audio: list[AudioTrack], muxer: str) -> tuple[list[AudioTrack], list[str]]:
    """The tracks that a container can hold, and a note for each of the others."""
    kept, notes = [], []
    for track in audio:
        codecs = _CODECS.get(muxer)
        if track.codec in codecs if codecs is not None else refusal(track.template, muxer) is None:
            kept.append(track)
        else:
            notes.append(f"{track} is left out: {muxer} cannot hold it")
    return kept, notes


class Muxing:
    """One container from header to trailer. Raises av.FFmpegError, OSError, ValueError."""

    def __init__(
        self,
        target: Any,
        muxer: str,
        video: VideoFormat,
        audio: list[AudioTrack],
        options: dict[str, str],
        *,
        start: int | None = None,
        io_open: Callable[[str, int, dict[str, str]], Any] | None = None,
    ) -> None:
        """``target``: a path, or an object with ``write`` (and ``seek``). ``start`` (1/90000 s): what becomes time 0;
        None = the first picture. ``io_open`` opens the files of muxers that write several."""
        self._start = start
        together = {**AT_ONCE, **options}
        self.container: OutputContainer = av.open(
            target, "w", format=muxer, container_options=together, io_open=io_open
        )
        stream: Stream = self.container.add_stream_from_template(video.template, opaque=True)
        stream.time_base = TIME_BASE
        if muxer in ("mp4", "mov") and video.codec == "hevc":
            stream.codec_context.codec_tag = "hvc1"  # QuickTime plays no other H.265
        self._video = stream
        self._audio: dict[tuple[object, ...], tuple[Stream, Fraction]] = {}
        for track in audio:
            copy = self.container.add_stream_from_template(track.template, opaque=True)
            base = track.template.time_base or Fraction(1, track.template.rate)
            copy.time_base = base
            self._audio[track.about] = (copy, base)
        self._last_audio: dict[tuple[object, ...], int] = {}

    def write_header(self) -> None:
        """Otherwise written with the first packet."""
        self.container.start_encoding()

    def write(self, picture: EncodedPicture) -> None:
        if self._start is None:
            self._start = picture.pts
        self.container.mux(muxable(picture, self._video, self._start))

    def write_audio(self, packet: AudioPacket) -> None:
        """Sound from before the first picture, of unknown tracks, or that runs backwards is passed over."""
        stream = self._audio.get(packet.track.about)
        if stream is None or self._start is None:
            return
        made = muxable(packet, stream[0], self._start)
        assert made.dts is not None
        if made.dts < 0 or made.dts <= self._last_audio.get(packet.track.about, -1):
            return
        self._last_audio[packet.track.about] = made.dts
        # A time stamp that is rounded to that of the last one, or bytes that are no packet: the video goes on.
        with contextlib.suppress(av.error.ArgumentError, av.error.InvalidDataError):
            self.container.mux(made)

    def close(self) -> None:
        """Writes the trailer. The container is freed whatever happens."""
        self.container.close()
