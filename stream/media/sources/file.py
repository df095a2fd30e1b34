"""Reads a video file (or a photo, which is a video of one frame): decodes the main video stream, hands on the others.

The first picture is decoded when the file is opened, because only pictures carry everything: real pixel format, colour
tags, rotation, interlacing. Broken packets are counted and passed over.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet as AvPacket
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from stream.errors import HdrNotSupported, NothingDecodable, NoVideoStream, UnknownCodec
from stream.media.captions import CaptionSearch
from stream.media.chroma_location import chroma_location
from stream.media.colour import TRANSFER_PQ, colour_of, tags_of
from stream.media.convert import Converter, describe
from stream.media.decoding import decoded
from stream.media.deinterlace import Deinterlacer
from stream.media.frame import Frame, Packet
from stream.media.notes import Notes
from stream.media.opening import open_container
from stream.media.pictures import planes_of
from stream.media.rotation import display_matrix
from stream.media.source import VideoInfo
from stream.media.sources.timing import Timing

_END_TOLERANCE = 0.3
"""Seconds by which a header may promise more than comes, before the file counts as truncated."""
_CAPTION_SEARCH = 30
"""Pictures that are looked at for closed captions."""
_GIVE_UP_AFTER = 200
"""Read errors in a row after which the rest of a file counts as lost."""


def _declares_duration(container: InputContainer) -> bool:
    """True for containers that write their duration down; that of the others is guessed from what is there."""
    return any(name in container.format.name for name in ("mov", "matroska", "avi", "flv", "asf", "mxf"))


def _end_of(stream: Stream) -> int | None:
    """Where the stream says that it ends, in its own time base."""
    if stream.duration is None:
        return None
    return (stream.start_time or 0) + stream.duration


class FileSource:
    """A ``Source`` on a path. Iterate once."""

    live = False

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        """``threads`` for the decoder, 0 = as many as there are cores. Raises the errors of ``stream.errors``."""
        self.uri = str(path)
        self._notes = Notes()
        self.notes: list[str] = self._notes
        self.damaged = 0
        self._stopped = False
        self._items: Iterator[av.VideoFrame | Packet] = iter(())
        self._waiting: deque[av.VideoFrame | Packet] = deque()
        self._container = open_container(path)
        try:
            self._stream = self._choose_video()
            # The demuxer discards what it has used up itself, such as the text track that holds the chapters.
            others = (s for s in self._container.streams if s.index != self._stream.index)
            self.streams: list[Stream] = [s for s in others if s.discard != Discard.all]
            exact = "mov" in self._container.format.name
            self._ends = {s.index: end for s in self.streams if exact and (end := _end_of(s)) is not None}
            self._stream.thread_count = threads
            self._stream.thread_type = "AUTO"
            self._seq = 0
            self._rides_captions = CaptionSearch(_CAPTION_SEARCH)
            self._reached = 0.0
            self._items = self._pump()
            self._captured_at = time.monotonic()
            first = self._decode_until_first()
            self._deinterlacer: Deinterlacer | None = None
            self._tags = tags_of(first, chroma_location(self._stream))
            if self._tags.is_hdr:
                transfer = "PQ" if self._tags.transfer == TRANSFER_PQ else "HLG"
                raise HdrNotSupported(
                    f"{path.name} is HDR video ({transfer}), and enhancing is made for standard dynamic range",
                    kept="Nothing was written",
                    do="Tone-map it to BT.709 first, for instance with ffmpeg's zscale and tonemap filters",
                )
            self._converter = Converter(
                self._tags, first.width, first.height, jfif=self.is_still or self._stream.codec_context.name == "mjpeg"
            )
            self.video = self._describe(first)
            self._timing = Timing(self.video.time_base, self.video.average_rate, _end_of(self._stream), self._notes)
        except BaseException:
            self.close()
            raise

    @property
    def container(self) -> InputContainer:
        """The open file: its tags and chapters are copied from here."""
        return self._container

    @property
    def stream(self) -> VideoStream:
        """The video stream that is decoded."""
        return self._stream

    @property
    def is_still(self) -> bool:
        """True for photos."""
        return self._container.format.name.endswith("_pipe") or self._container.format.name == "image2"

    def _choose_video(self) -> VideoStream:
        pictures = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not pictures:
            raise NoVideoStream(f"{self.uri} holds no video stream", do="Give a file with moving pictures, or a photo")
        stream = max(pictures, key=lambda s: (s.codec_context is not None and s.width * s.height, -s.index))
        if stream.codec_context is None:
            raise UnknownCodec(
                f"{self.uri} has a video stream, but this build has no decoder for it",
                do="Convert the file to H.264 first",
            )
        return stream

    def _packets(self) -> Iterator[AvPacket[Stream]]:
        """Demuxed packets, over read errors, until the end or until stopped."""
        failures = 0
        while failures < _GIVE_UP_AFTER:
            try:
                for packet in self._container.demux():
                    if self._stopped:
                        return
                    self._captured_at = time.monotonic()
                    if packet.size:
                        failures = 0
                    yield packet
                return
            except av.FFmpegError:
                failures += 1
                if failures == 1:
                    self._notes.say("part of the file cannot be read, what can be read is used")

    def _decode(self, packet: AvPacket[Stream]) -> list[av.VideoFrame]:
        pictures, damaged = decoded(self._stream, packet)
        self.damaged += damaged
        return pictures

    def _pump(self) -> Iterator[av.VideoFrame | Packet]:
        """Pictures as decoded, and packets to copy."""
        for packet in self._packets():
            if packet.stream.index == self._stream.index:
                yield from self._decode(packet)
            elif packet.size:
                self._clip(packet)
                if packet.pts is not None:
                    self._reach(packet.pts + (packet.duration or 0), packet.time_base)
                yield Packet(packet, packet.stream)

    def _reach(self, end: int, time_base: Fraction) -> None:
        self._reached = max(self._reached, float(end * time_base))

    def _clip(self, packet: AvPacket[Stream]) -> None:
        """Ends the last packet of a trimmed stream where the edit list ends it: padding is not played."""
        end = self._ends.get(packet.stream.index)
        if end is not None and packet.pts is not None and packet.duration and packet.pts < end:
            packet.duration = min(packet.duration, end - packet.pts)

    def _decode_until_first(self) -> av.VideoFrame:
        for item in self._items:
            self._waiting.append(item)
            if isinstance(item, av.VideoFrame):
                return item
        raise NothingDecodable(
            f"{self.uri} has a {self._stream.codec_context.name} video stream, but no picture of it can be decoded",
            do="The file is damaged or incomplete: get another copy of it",
        )

    def _describe(self, first: av.VideoFrame) -> VideoInfo:
        stream = self._stream
        converted = self._converter.wants(first)
        tags = self._converter.output_tags(first)
        self.colour, assumption = colour_of(tags, first.format.name, first.height)
        if assumption:
            self._notes.say(assumption)
        if converted:
            self._notes.say(f"converted from {describe(first)} to 8-bit yuv420p")
        self._tags = tags
        time_base = stream.time_base or Fraction(1, 90000)
        duration: float | None = None
        if stream.duration is not None:
            duration = float(stream.duration * time_base)
        elif self._container.duration is not None:
            duration = self._container.duration / av.time_base
        rate = stream.average_rate or stream.guessed_rate
        frames = stream.frames or (round(duration * rate) if duration and rate else None)
        matrix, rotation = display_matrix(first)
        return VideoInfo(
            width=first.width,
            height=first.height,
            pixel_format=first.format.name,
            frame_format="yuv420p" if converted else first.format.name,
            codec=stream.codec_context.name,
            time_base=time_base,
            average_rate=rate,
            duration=None if self.is_still else duration,
            frames=1 if self.is_still else frames,
            colour_tags=tags,
            sample_aspect_ratio=stream.sample_aspect_ratio or None,
            rotation=rotation,
            display_matrix=matrix,
            still=self.is_still,
        )

    def __iter__(self) -> Iterator[Frame | Packet]:
        while self._waiting:
            yield from self._prepare(self._waiting.popleft())
        for item in self._items:
            yield from self._prepare(item)
        if self._deinterlacer is not None and not self._stopped:
            for picture in self._deinterlacer.drain():
                yield from self._timing.follow(self._frame(picture))
        yield from self._timing.finish()
        if self.damaged:
            pictures = "picture" if self.damaged == 1 else "pictures"
            self._notes.say(f"{self.damaged} damaged or lost {pictures}, the others are complete")
        self._note_if_truncated()

    def _note_if_truncated(self) -> None:
        """Says so when the file ends before its own header says that it does."""
        container = self._container
        if self._stopped or self.is_still or container.duration is None or not _declares_duration(container):
            return
        end = ((container.start_time or 0) + container.duration) / av.time_base
        if self._reached < end - _END_TOLERANCE:
            self._notes.say(f"the file ends after {self._reached:.1f} s of {end:.1f} s: it is truncated or damaged")
        elif "avi" in container.format.name and self._seq + self.damaged < self._stream.frames:
            self._notes.say(
                f"{self._seq} of {self._stream.frames} pictures are there: the file is truncated or damaged"
            )

    def _prepare(self, item: av.VideoFrame | Packet) -> Iterator[Frame | Packet]:
        if isinstance(item, Packet):
            yield item
            return
        self._timing.stamp(item)
        if item.interlaced_frame and self._deinterlacer is None:
            self._deinterlacer = Deinterlacer(item)
            self._notes.say("interlaced video: deinterlaced with bwdif, one picture for each frame")
        if self._deinterlacer is None:
            yield from self._timing.follow(self._frame(item))
        else:
            for picture in self._deinterlacer.feed(item):
                yield from self._timing.follow(self._frame(picture))

    def _frame(self, picture: av.VideoFrame) -> Frame:
        if self._converter.wants(picture):
            if (picture.width, picture.height) != (self.video.width, self.video.height):
                self._notes.say("the picture size changes on the way: scaled to the first one")
            picture = self._converter.convert(picture)
        assert picture.pts is not None
        self._reach(picture.pts + (picture.duration or 0), self.video.time_base)
        frame = Frame(
            picture=picture,
            planes=planes_of(picture, self.colour),
            pts=picture.pts,
            time_base=self.video.time_base,
            seq=self._seq,
            captured_at=self._captured_at,
            duration=picture.duration or 0,
            key_frame=picture.key_frame,
            captions=self._rides_captions(picture),
        )
        self._seq += 1
        return frame

    def stop(self) -> None:
        """Ends the iteration after the packet in hand."""
        self._stopped = True

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the file. Sinks made from this source must be closed before."""
        self._items = iter(())  # frees decoder and threads at once, without waiting for the garbage collector
        self._waiting.clear()
        for stream in self._container.streams.video:
            # PyAV frees a decoder, and so waits for its threads, while it holds the interpreter; a thread that logs
            # about a damaged picture waits for the interpreter. Here the threads come to rest without it.
            if stream.codec_context is not None:
                stream.codec_context.flush_buffers()
        self._container.close()
