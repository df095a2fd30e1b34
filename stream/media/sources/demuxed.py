"""A connection through FFmpeg: demuxes, decodes with no delay, and counts what could not be used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet as AvPacket
from av.stream import Discard, Disposition, Stream
from av.video.stream import VideoStream

from stream.errors import ConnectionLost, ConnectionTimedOut, NothingDecodable, NoVideoStream, UnknownCodec
from stream.media.decoding import decoded
from stream.media.frame import Frame, Packet
from stream.media.network_errors import connection_error
from stream.media.notes import Notes
from stream.media.source import VideoInfo
from stream.media.sources.catching_up import CatchUp
from stream.media.sources.live_pictures import LivePictures
from stream.media.sources.pacing import Pace
from stream.media.templates import detached
from stream.redaction import redact

_KEY_FRAME_WAIT_S = 10.0
"""After that long without a key frame, decoding begins anyway: some encoders refresh a picture bit by bit."""
_FIRST_PICTURE_S = 20.0
"""A video that comes in for that long and gives no picture cannot be decoded."""
_UNDECODED_S = 2.0
"""Video that once gave pictures and then none for that long is of another kind now: the connection is made anew."""
_HELD_BACK = 33
"""So many packets may wait in a decoder: 16 pictures, two fields each."""
_GIVE_UP_AFTER = 200
"""Packets in a row that cannot be read, after which the connection counts as lost."""


class DemuxedConnection:
    """A ``Connection`` on an open container, which it owns. Blocks until the first picture is there."""

    def __init__(
        self,
        container: InputContainer,
        uri: str,
        *,
        pace: Pace | None = None,
        silence_s: float = 0.0,
        staleness_s: float | None = None,
    ) -> None:
        """``pace``: for sources that hand out more than real time. Closes ``container`` if anything fails.

        ``staleness_s``: how late the packets of a sender with a clock may come; None for others, which come on time.
        """
        self._container, self._uri, self._pace = container, uri, pace
        self.silence_s = silence_s
        notes = Notes()
        self.notes: list[str] = notes
        self.damaged = 0
        self.before_key_frame = 0
        self.skipped = 0
        self._catch_up = None if staleness_s is None else CatchUp(staleness_s)
        self._skipping = False
        self.alive_at = time.monotonic()
        self._stopped = self._came = False
        self._waiting_for_key = True
        self._undecoded = 0
        self._opened_at = time.monotonic()
        self._first: list[Frame | Packet] = []
        try:
            self._stream = self._choose_video()
            audio = self._choose_audio()
            # Others use them when this container may be closed already.
            self.streams: list[Stream] = detached(audio)
            self._templates = {stream.index: copy for stream, copy in zip(audio, self.streams, strict=True)}
            self._wanted = [self._stream, *audio]
            for other in container.streams:
                if other not in self._wanted:
                    other.discard = Discard.all
            codec = self._stream.codec_context
            codec.thread_type = "SLICE"  # threads by frame would add their number in delay
            codec.flags |= Flags.low_delay
            self._pictures = LivePictures(
                redact(uri),
                codec.name,
                self._stream.time_base or Fraction(1, 90000),
                self._stream.average_rate,
                self._stream.sample_aspect_ratio or None,
                notes,
            )
            self._items: Iterator[Frame | Packet] = self._pump()
            self._read_first()
        except BaseException:
            self.close()
            raise

    @property
    def video(self) -> VideoInfo:
        """The video as it is now."""
        assert self._pictures.video is not None
        return self._pictures.video

    def _choose_video(self) -> VideoStream:
        pictures = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not pictures:
            raise NoVideoStream(
                f"{redact(self._uri)} carries no video", do="Give the address of a stream with moving pictures"
            )
        known = [s for s in pictures if s.codec_context is not None]
        if not known:
            raise UnknownCodec(
                f"{redact(self._uri)} has video in a codec that this build has no decoder for",
                do="Set the camera or server to H.264 or H.265",
            )
        return max(known, key=lambda s: (s.width * s.height, -s.index))

    def _choose_audio(self) -> list[Stream]:
        """All of them; of a playlist with several qualities the one that belongs to the chosen video."""
        audio: list[Stream] = [s for s in self._container.streams.audio if s.codec_context is not None]
        if "hls" in self._container.format.name and len(audio) > 1:
            return [next((s for s in audio if s.index > self._stream.index), audio[0])]
        return audio

    def _read_first(self) -> None:
        for item in self._items:
            self._first.append(item)
            if isinstance(item, Frame):
                return
        raise NothingDecodable(
            f"{redact(self._uri)} ended before one picture could be decoded", do="Check the stream in a player"
        )

    def __iter__(self) -> Iterator[Frame | Packet]:
        while self._first:
            yield from self._in_time(self._first.pop(0))
        for item in self._items:
            yield from self._in_time(item)

    def _in_time(self, item: Frame | Packet) -> Iterator[Frame | Packet]:
        """The item, at its time where this source is paced; nothing once stopped."""
        if self._pace is not None and isinstance(item, Frame):
            item = self._pace.wait(item)
            self.alive_at = time.monotonic()
        if not self._stopped:
            yield item

    def _packets(self) -> Iterator[AvPacket[Stream]]:
        """Until the other side ends. Raises ``ConnectionFailed`` types."""
        failures = 0
        while not self._stopped:
            try:
                for packet in self._container.demux(self._wanted):
                    if self._stopped:
                        return
                    failures = 0
                    yield packet
                return
            except (av.error.InvalidDataError, IndexError) as error:
                # IndexError: PyAV on a packet of a stream that appeared after the opening.
                failures += 1
                self.damaged += 1
                if failures == _GIVE_UP_AFTER:
                    raise connection_error(error, self._uri, opening=False) from None
            except (av.FFmpegError, OSError) as error:
                if isinstance(error, (av.error.ExitError, TimeoutError)) and not self._came:
                    silent_s = time.monotonic() - self._opened_at
                    raise ConnectionTimedOut(
                        f"{redact(self._uri)}: connected, and no video arrived within {silent_s:.0f} s",
                        do="Check that the camera or server sends, and over RTSP another transport",
                    ) from None
                raise connection_error(error, self._uri, opening=False) from None

    def _pump(self) -> Iterator[Frame | Packet]:
        asked, waited = time.monotonic(), 0.0
        for packet in self._packets():
            now = time.monotonic()
            waited += now - asked
            if packet.stream.index != self._stream.index:
                if packet.size:
                    yield Packet(packet, self._templates[packet.stream.index])
            else:
                yield from self._video(packet, now, waited)
                waited = 0.0
            asked = time.monotonic()

    def _video(self, packet: AvPacket[Stream], now: float, waited: float) -> Iterator[Frame]:
        """The frames that a packet of the video, read ``now``, brings."""
        self._came = True
        late = self._passes_over(packet, now, waited)
        if packet.size and self._waits_for_key(packet, now):
            self._progress(now)
            self.before_key_frame += 1
        elif late:
            self._progress(now)
            self.skipped += 1
        else:
            self._pictures.arrived(packet.pts, now - (self._catch_up.delay_s if self._catch_up else 0.0))
            pictures = self._decode(packet)
            if pictures:
                self._progress(now)
            elif packet.size and self._pictures.video is not None:
                self._undecoded += 1
                self._end_without_pictures(now)
            for picture in pictures:
                yield from self._pictures.take(picture)
            if self._pictures.video is None and now - self._opened_at > _FIRST_PICTURE_S:
                raise NothingDecodable(
                    f"{redact(self._uri)} sends {self._stream.codec_context.name} video, and no picture can be decoded",
                    do="Check the stream in a player, or set the camera to another codec",
                )

    def _progress(self, now: float) -> None:
        """The video is what it was taken for."""
        self.alive_at, self._undecoded = now, 0

    def _end_without_pictures(self, now: float) -> None:
        """Raises ConnectionLost once the decoder makes nothing any more of what comes in."""
        silent_s = now - self.alive_at
        if self._undecoded > _HELD_BACK and silent_s > _UNDECODED_S:
            raise ConnectionLost(
                f"{redact(self._uri)}: the video gives no picture since {silent_s:.0f} s: its codec may have changed"
            )

    def _passes_over(self, packet: AvPacket[Stream], now: float, waited: float) -> bool:
        """Whether what is in front of the decoder has become too old, and this packet with it."""
        if self._catch_up is None or not packet.size:
            return False
        made = packet.dts if packet.dts is not None else packet.pts
        seconds = None if made is None else float(made * (self._stream.time_base or Fraction(1, 90000)))
        was, self._skipping = self._skipping, self._catch_up.passes_over(seconds, now, waited, key=packet.is_keyframe)
        if self._skipping and not was:
            self._stream.codec_context.flush_buffers()  # what it holds back belongs to pictures that come no more
        return self._skipping

    def _waits_for_key(self, packet: AvPacket[Stream], now: float) -> bool:
        if self._waiting_for_key and (packet.is_keyframe or now - self._opened_at > _KEY_FRAME_WAIT_S):
            self._waiting_for_key = False
        return self._waiting_for_key

    def _decode(self, packet: AvPacket[Stream]) -> list[av.VideoFrame]:
        pictures, damaged = decoded(self._stream, packet)
        self.damaged += damaged
        return pictures

    def stop(self) -> None:
        """Ends the iteration at the next packet."""
        self._stopped = True
        if self._pace is not None:
            self._pace.stop()

    def close(self) -> None:
        """Frees the connection; from the thread that iterates."""
        self._items = iter(())
        self._first.clear()
        self._container.close()
