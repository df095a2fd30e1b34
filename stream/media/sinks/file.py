"""Writes a video file: encodes the frames, copies the other streams' packets, keeps tags, chapters and rotation."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import av
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from stream.errors import DiskFull, EncoderUnavailable, OutputNotWritable, StreamError, UnsupportedContainer
from stream.media.colour import tags_of
from stream.media.containers import add_copy, muxer_for, muxer_options, refusal, represents
from stream.media.encoder import EncoderSettings, check_encoder, configure
from stream.media.frame import Frame, Packet
from stream.media.pictures import padded_to_even
from stream.media.sinks.partial import check_target, partial_name
from stream.media.sources.file import FileSource
from stream.media.tags import copy_container_tags, copy_video_tags


class FileSink:
    """A ``Sink`` into a video file. The streams are laid out when the first frame arrives, in the source's order."""

    def __init__(self, target: Path, source: FileSource, settings: EncoderSettings, *, overwrite: bool = False) -> None:
        """Raises the errors of ``stream.errors`` for everything that can be known before the first frame."""
        self.uri = str(target)
        self.notes: list[str] = []
        self.frames = 0
        muxer = muxer_for(target)
        if muxer is None:
            raise UnsupportedContainer(
                f"{target.name}: cannot write video into {target.suffix or 'a name without extension'}",
                do="Use .mp4, .mov or .mkv",
            )
        check_encoder(settings)
        check_target(target, Path(source.uri), overwrite=overwrite)
        self._muxer, self._target, self._source, self._settings = muxer, target, source, settings
        self._copied = [stream for stream in source.streams if self._can_copy(stream)]
        if not represents(muxer, source.video.time_base):
            self.notes.append(
                f"{target.suffix} stores times in coarser steps than the input's {source.video.time_base} s: "
                "they are rounded, .mp4 or .mov keep them exactly"
            )
        timed = [s for s in self._copied if s.type in ("audio", "video") and s.time_base is not None]
        time_bases = [source.video.time_base, *(s.time_base for s in timed if s.time_base is not None)]
        self._partial = partial_name(target)
        self._container: OutputContainer = av.open(
            str(self._partial), "w", format=muxer, container_options=muxer_options(muxer, time_bases)
        )
        self._video: VideoStream | None = None
        self._outputs: dict[int, Stream] = {}
        self._early: list[Packet] = []
        self._lost_packets = 0

    def _can_copy(self, stream: Stream) -> bool:
        reason = refusal(stream, self._muxer)
        if reason is None:
            return True
        kind = getattr(stream.codec_context, "name", None) or stream.name or "unknown format"
        self.notes.append(
            f"stream {stream.index} ({stream.type}, {kind}) is left out: {self._target.suffix} cannot hold it"
        )
        return False

    def _lay_out(self, frame: Frame, picture: av.VideoFrame) -> VideoStream:
        """Adds all streams in the source's order and configures the encoder for pictures like this one."""
        source, info = self._source, self._source.video
        main = source.stream.index
        laid_out: VideoStream | None = None
        for stream in sorted([source.stream, *self._copied], key=lambda s: s.index):
            if stream.index != main:
                self._outputs[stream.index] = add_copy(self._container, stream)
                continue
            video = self._container.add_stream(self._settings.codec, rate=25)
            assert isinstance(video, VideoStream)
            tags = tags_of(picture, info.colour_tags.chroma_location)
            configure(
                video.codec_context,
                self._settings,
                picture,
                frame.time_base,
                info.average_rate,
                tags,
                info.sample_aspect_ratio,
            )
            video.time_base = frame.time_base
            copy_video_tags(source.stream, video, info)
            laid_out = video
        copy_container_tags(source.container, self._container, self._muxer)
        assert laid_out is not None
        return laid_out

    def write(self, frame: Frame) -> None:
        """Encodes one frame at its own time stamp. Raises DiskFull or OutputNotWritable."""
        picture = frame.picture
        if self._settings.needs_even_size:
            picture = padded_to_even(picture)
        if self._video is None:
            if picture is not frame.picture:
                self.notes.append(
                    f"{self._settings.codec} cannot hold the odd size {frame.picture.width}x{frame.picture.height}: "
                    f"the last column or row is repeated, {picture.width}x{picture.height} is written"
                )
            try:
                self._video = self._lay_out(frame, picture)
                self._container.start_encoding()
            except (av.FFmpegError, ValueError) as error:
                raise self._explain(error) from error
            for packet in self._early:
                self.write_packet(packet)
            self._early.clear()
        picture.pts, picture.time_base, picture.duration = frame.pts, frame.time_base, frame.duration
        picture.pict_type = 0  # the encoder chooses key frames, not the input's
        self._mux_video(picture)
        self.frames += 1

    def _mux_video(self, picture: av.VideoFrame | None) -> None:
        assert self._video is not None
        try:
            for packet in self._video.encode(picture):
                self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise self._explain(error) from error

    def write_packet(self, packet: Packet) -> None:
        """Copies one packet, bytes and times unchanged; streams that were left out are ignored."""
        if self._video is None:
            self._early.append(packet)
            return
        output = self._outputs.get(packet.stream.index)
        if output is None:
            return
        data = packet.data
        if data.dts is None:
            data.dts = data.pts
        data.stream = output
        try:
            self._container.mux(data)
        except (av.FFmpegError, OSError) as error:
            if getattr(error, "errno", None) in (errno.EINVAL, None):
                self._lost_packets += 1
                return
            raise self._explain(error) from error

    def close(self) -> None:
        """Drains the encoder, writes the index and renames the file into place; without any frame nothing is left."""
        if self._video is None:
            self.abort()
            return
        try:
            self._mux_video(None)
            self._container.close()
            os.replace(self._partial, self._target)
        except (av.FFmpegError, OSError) as error:
            raise self._explain(error) from error
        if self._lost_packets:
            self.notes.append(
                f"{self._lost_packets} packets of other streams have no usable time stamps and are left out"
            )

    def abort(self) -> None:
        """Closes and removes the temporary file."""
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()
        self._partial.unlink(missing_ok=True)

    def _explain(self, error: Exception) -> StreamError:
        if isinstance(error, StreamError):
            return error
        code = getattr(error, "errno", None)
        if code in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull(
                f"the disk is full: {self._target.parent}",
                kept="The unfinished file was removed",
                do="Free some space and run again",
            )
        if code in (errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG):
            return OutputNotWritable(f"writing {self._target} failed: {error}", do="Check the disk")
        return EncoderUnavailable(
            f"encoding {self._target.name} with {self._settings.codec} failed: {error}", do="Try --codec libx264"
        )
