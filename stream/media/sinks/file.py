"""Writes a video file: encodes the frames, copies the other streams' packets, keeps tags, chapters and rotation."""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

import av
from av.container import OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from stream.errors import DiskFull, EncoderUnavailable, OutputNotWritable, StreamError, UnsupportedContainer
from stream.media.colour import tags_of
from stream.media.containers import (
    add_copy,
    attach_cover,
    is_cover,
    muxer_for,
    muxer_options,
    refusal,
    represents,
    video_refusal,
)
from stream.media.convert import Repacker
from stream.media.encoder import EncoderSettings, accepted_format, check_encoder, configure
from stream.media.frame import Frame, Packet
from stream.media.pictures import padded_to_even
from stream.media.sinks.partial import PartialFile, check_target, is_no_space
from stream.media.sources.file import FileSource
from stream.media.tags import copy_container_tags, copy_video_tags

_RESERVE = 16 << 20
"""Bytes for what muxer and encoder still hold when a disk runs full: some seconds of video."""
_RESERVE_PER_FRAME = 64
"""Bytes of index that a frame and its sound take in an mp4, generously."""


class FileSink:
    """A ``Sink`` into a video file. The streams are laid out when the first frame arrives, in the source's order."""

    def __init__(self, target: Path, source: FileSource, settings: EncoderSettings, *, overwrite: bool = False) -> None:
        """Raises the errors of ``stream.errors`` for everything that can be known before the first frame."""
        self.uri = str(target)
        self.notes: list[str] = []
        self.frames = 0
        check_target(target, Path(source.uri), overwrite=overwrite)
        muxer = muxer_for(target)
        if muxer is None:
            raise UnsupportedContainer(
                f"{target.name}: cannot write video into {target.suffix or 'a name without extension'}",
                do="Use .mp4, .mov or .mkv",
            )
        check_encoder(settings)
        pixel_format = accepted_format(settings.codec, source.video.frame_format)
        if video_refusal(settings.codec, settings.codec_options(), pixel_format, muxer) is not None:
            raise UnsupportedContainer(
                f"{target.suffix} cannot hold video of the encoder {settings.codec}",
                do="Use --codec libx264" if muxer == "matroska" else "Use .mkv, or --codec libx264",
            )
        self._muxer, self._target, self._source, self._settings = muxer, target, source, settings
        self._copied = [stream for stream in source.streams if self._can_copy(stream)]
        if not represents(muxer, source.video.time_base):
            self.notes.append(
                f"{target.suffix} stores times in coarser steps than the input's {source.video.time_base} s: "
                "they are rounded, .mp4 or .mov keep them exactly"
            )
        timed = [s.time_base for s in self._copied if s.type in ("audio", "video") and s.time_base is not None]
        self._file = PartialFile(target, _RESERVE + _RESERVE_PER_FRAME * (source.video.frames or 0))
        self._container: OutputContainer = av.open(
            self._file, "w", format=muxer, container_options=muxer_options(muxer, [source.video.time_base, *timed])
        )
        self._video: VideoStream | None = None
        self._repacker: Repacker | None = None
        self._outputs: dict[int, Stream] = {}
        self._early: list[Packet] = []
        self._lost_packets = 0
        self._muxed = 0
        self._finished = False

    def _can_copy(self, stream: Stream) -> bool:
        if refusal(stream, self._muxer) is None:
            return True
        kind = getattr(stream.codec_context, "name", None) or stream.name or "unknown format"
        role = "cover" if is_cover(stream) else stream.type
        self.notes.append(f"stream {stream.index} ({role}, {kind}) is left out: {self._target.suffix} cannot hold it")
        return False

    def _lay_out(self, frame: Frame, picture: av.VideoFrame) -> VideoStream:
        """Adds all streams in the source's order and configures the encoder for pictures like this one."""
        source, info = self._source, self._source.video
        laid_out: VideoStream | None = None
        for stream in sorted([source.stream, *self._copied], key=lambda s: s.index):
            if stream.index != source.stream.index:
                if is_cover(stream) and self._muxer == "matroska":
                    self._attach(stream)
                else:
                    self._outputs[stream.index] = add_copy(self._container, stream)
                continue
            video = self._container.add_stream(self._settings.codec, rate=25)
            assert isinstance(video, VideoStream)
            tags = tags_of(picture, info.colour_tags.chroma_location)
            rate, shape = info.average_rate, info.sample_aspect_ratio
            configure(video.codec_context, self._settings, picture, frame.time_base, rate, tags, shape)
            if self._muxer in ("mp4", "mov") and ("265" in self._settings.codec or "hevc" in self._settings.codec):
                video.codec_context.codec_tag = "hvc1"  # QuickTime plays no other H.265
            video.time_base = frame.time_base
            copy_video_tags(source.stream, video, info)
            laid_out = video
        copy_container_tags(source.container, self._container, self._muxer)
        self._container.start_encoding()
        assert laid_out is not None
        return laid_out

    def _attach(self, cover: Stream) -> None:
        """Covers come before all else in the file that is read."""
        for packet in self._early:
            if packet.stream.index == cover.index:
                attach_cover(self._container, cover, bytes(packet.data))

    def write(self, frame: Frame) -> None:
        """Encodes one frame at its own time stamp. Raises DiskFull, OutputNotWritable or EncoderUnavailable."""
        picture = frame.picture
        if self._settings.needs_even_size:
            picture = padded_to_even(picture)
        try:
            if self._repacker is None:
                wanted = accepted_format(self._settings.codec, picture.format.name)
                self._repacker = Repacker(wanted, frame.planes.colour)
            picture = self._repacker.repack(picture)
            if self._video is None:
                self._start(frame, picture)
            picture.pts, picture.time_base, picture.duration = frame.pts, frame.time_base, frame.duration
            picture.pict_type = 0  # the encoder chooses key frames, not the input's
            self._encode(picture)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._explain(error) from error
        self.frames += 1
        self._stop_if_full()

    def _start(self, frame: Frame, picture: av.VideoFrame) -> None:
        if picture.height != frame.picture.height or picture.width != frame.picture.width:
            self.notes.append(
                f"{self._settings.codec} cannot hold the odd size {frame.picture.width}x{frame.picture.height}: "
                f"the last column or row is repeated, {picture.width}x{picture.height} is written"
            )
        self._video = self._lay_out(frame, picture)
        early, self._early = self._early, []
        for packet in early:
            self._copy(packet)

    def _encode(self, picture: av.VideoFrame | None) -> None:
        assert self._video is not None
        for packet in self._video.encode(picture):
            self._container.mux(packet)
            self._muxed += 1

    def write_packet(self, packet: Packet) -> None:
        """Copies one packet, bytes and times unchanged; streams that were left out are ignored."""
        if self._video is None:
            self._early.append(packet)
            return
        try:
            self._copy(packet)
        except (av.FFmpegError, OSError) as error:
            raise self._explain(error) from error
        self._stop_if_full()

    def _copy(self, packet: Packet) -> None:
        output = self._outputs.get(packet.stream.index)
        if output is None:
            return
        data = packet.data
        if data.dts is None:
            data.dts = data.pts
        if not data.duration and output.type == "data" and self._muxer in ("mp4", "mov"):
            data.duration = 1  # of no length, the last one would lie behind the end of its track's edit list
        data.stream = output
        try:
            self._container.mux(data)
        except av.error.ArgumentError:  # the muxer refuses time stamps that do not increase
            self._lost_packets += 1

    def _stop_if_full(self) -> None:
        """On a full disk: finishes the file within the reserve, without what the encoder still holds."""
        if not self._file.full:
            return
        self._finished = True
        # What the encoder has not given back yet is lost; some encoders give more packets than pictures.
        self.frames = min(self.frames, self._muxed)
        try:
            self._container.close()
            self._file.commit()
        except (av.FFmpegError, OSError) as error:
            self._file.discard()
            self.frames = 0
            raise DiskFull(
                f"the disk is full: {self._target.parent}",
                kept="Nothing could be kept",
                do="Free some space and run again",
            ) from error
        raise DiskFull(
            f"the disk is full: {self._target.parent}",
            kept=f"{self._target.name} holds the first part, {self.frames} frames, and is playable",
            do="Free some space and run again with --overwrite",
        )

    def close(self) -> None:
        """Drains the encoder, writes the index and renames the file into place; without any frame nothing is left."""
        if self._finished:
            return
        if self._video is None:
            self.abort()
            return
        try:
            self._encode(None)
            self._container.close()  # a disk that is full by now has held all of it
            self._file.commit()
            self._finished = True
        except (av.FFmpegError, OSError) as error:
            raise self._explain(error) from error
        if self._lost_packets:
            self.notes.append(
                f"{self._lost_packets} packets of other streams have no usable time stamps and are left out"
            )

    def abort(self) -> None:
        """Closes and removes the temporary file; does nothing after ``close``."""
        if self._finished:
            return
        self._finished = True
        self.frames = 0
        with contextlib.suppress(av.FFmpegError, OSError):
            self._container.close()
        self._file.discard()

    def _explain(self, error: Exception) -> StreamError:
        """The typed error for a failure; the temporary file is gone after it."""
        self.abort()
        if isinstance(error, StreamError):
            return error
        gone = "The unfinished file was removed"
        if is_no_space(error):
            return DiskFull(f"the disk is full: {self._target.parent}", kept=gone, do="Free some space and run again")
        if isinstance(error, OSError) and error.errno in (errno.EIO, errno.EROFS, errno.EFBIG, errno.ESTALE):
            return OutputNotWritable(
                f"writing {self._target} failed: {error.strerror}", kept=gone, do="Check the disk and the file system"
            )
        return EncoderUnavailable(
            f"encoding {self._target.name} with {self._settings.codec} failed: {error}",
            kept=gone,
            do="Try --codec libx264",
        )
