"""An output of encoded packets: its own thread, its own waiting line, and attempts that begin anew after each failure.

The writer, which is what differs between outputs, is made for each attempt and only ever used by this thread; so an
output that hangs holds up nobody else.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

from stream.errors import StreamError
from stream.live.backoff import Backoff
from stream.live.outputs.failures import explained, is_final, is_slow, may_be_the_sound
from stream.live.outputs.line import LineLimits, PacketLine
from stream.live.outputs.output import OutputEvent, OutputState, Writer
from stream.live.outputs.packets import TIME_BASE, AudioPacket, AudioTrack, EncodedPicture, VideoFormat
from stream.media.frame import Frame
from stream.media.notes import Notes
from stream.redaction import redact

_IDLE_S = 0.5
_SETTLE_S = 0.4
"""Within that time from the first picture on, sound that belongs to a stream has shown itself."""
_GAPS, _LEARN = 3.0, 0.1
"""Pictures are missing after so many of the usual gaps, which are learned as fast as that."""
_GONE_S = 0.2
"""How long the end of an abandoned writer is waited for."""


class PacketOutput:
    """An ``Output`` for encoded packets. ``make_writer`` gives the far end for one attempt."""

    takes_frames = False

    def __init__(
        self,
        uri: str,
        make_writer: Callable[[], Writer],
        *,
        connects: bool = False,
        limits: LineLimits | None = None,
        backoff: Backoff | None = None,
        rest_s: float | None = None,
    ) -> None:
        """``connects``: opening takes its time, and what comes meanwhile is of no use (networks; files keep it).

        ``rest_s``: after that long without a picture, or a few times the usual gap, what was written is finalised;
        another writer begins with the next picture. None = it waits.
        """
        self.uri = redact(uri)
        self.notes: list[str] = Notes()
        self.reconnects = 0
        self.last_error = ""
        self.make_writer, self.connects = make_writer, connects
        self._rest_s, self._usual_gap_s = rest_s, 0.0
        self._last_pts: int | None = None
        self._last_at = 0.0
        self._line = PacketLine(limits)
        self._backoff = backoff or Backoff()
        self._state = OutputState.CONNECTING
        self._sent = 0
        self._writer: Writer | None = None
        self._next_writer: Writer | None = None
        self._video: VideoFormat | None = None
        self._newest: VideoFormat | None = None
        self._known = threading.Event()
        self._audio: dict[int, AudioTrack] = {}
        self._audio_of_writer: list[AudioTrack] = []
        self._deaf = False
        """Sound was tried, and would have cost the video."""
        self._opened = 0
        self._failed_since_open = False
        self._abandoned = False
        """Errors from now on come from being left alone."""
        self._final: tuple[int, int, Counter[str]] | None = None
        """Offered, written and dropped once it was given up, whatever its thread does later."""
        self._request_key_frame: Callable[[], None] = lambda: None
        self._events: Callable[[OutputEvent], None] = lambda event: None
        self._thread = threading.Thread(target=self._run, name=f"output {self.uri[:40]}", daemon=True)

    # What others ask.

    @property
    def state(self) -> OutputState:
        return self._state

    @property
    def offered(self) -> int:
        return self._line.offered if self._final is None else self._final[0]

    @property
    def written(self) -> int:
        """Pictures that arrived, as far as one can know."""
        if self._final is not None:
            return self._final[1]
        writer = self._writer
        return self._sent - (writer.unconfirmed if writer is not None else 0)

    @property
    def in_flight(self) -> int:
        return self.offered - self.written - self.dropped.total()

    @property
    def dropped(self) -> Counter[str]:
        return Counter(self._line.dropped if self._final is None else self._final[2])

    # What the encoder's thread calls.

    def start(self, request_key_frame: Callable[[], None], events: Callable[[OutputEvent], None]) -> None:
        self._request_key_frame, self._events = request_key_frame, events
        if not self.connects:
            self._line.open("before_key_frame")
        self._thread.start()

    def write_frame(self, frame: Frame) -> None:
        """Never called: this output takes packets."""

    def write_picture(self, picture: EncodedPicture) -> None:
        if self._newest is not picture.format:
            self._newest = picture.format
            self._known.set()
        if self._line.offer(picture):
            self._request_key_frame()

    def write_audio(self, packet: AudioPacket) -> None:
        self._audio[packet.track.index] = packet.track
        self._line.offer(packet)

    def finish(self) -> None:
        self._line.finish()
        self._known.set()

    def join(self, timeout_s: float) -> bool:
        if not self.connects or self._state is OutputState.WRITING:
            self._thread.join(max(0.0, timeout_s))
        if not self._thread.is_alive():
            return True
        self._abandoned = True
        for writer in (self._writer, self._next_writer):
            if writer is not None:
                writer.abandon()
        self._thread.join(_GONE_S)
        return not self._thread.is_alive()

    def give_up(self) -> None:
        if not self._thread.is_alive() or self._final is not None:
            return
        self._abandoned = True
        self._line.finish()
        self._line.shut("closed")
        written, dropped, offered = self.written, self.dropped, self.offered
        lost = max(0, offered - written - dropped.total())
        if lost:
            dropped["lost"] += lost
        self._final = offered, offered - dropped.total(), dropped
        self.last_error = self.last_error or f"{self.uri}: the run ended before it was finalised"
        previous, self._state = self._state, OutputState.FAILED
        self._tell(previous, self.last_error)

    # The output's own thread.

    def _run(self) -> None:
        while not self._over():
            try:
                if self.connects and self._writer is None:
                    self._connect()
                else:
                    self._deliver()
            except Exception as error:  # whatever it is, the other outputs and the next attempt must not suffer
                self._lost(error)
        self._end()

    def _over(self) -> bool:
        return self._state is OutputState.FAILED or (self._line.finished and not self._line.waiting)

    def _connect(self) -> None:
        """Opens what takes its time; the line is shut meanwhile, and begins with a new key frame."""
        self._known.wait()
        if self._newest is None or self._line.finished:
            return
        self._open(self._newest)
        self._line.open("reconnecting" if self._opened > 1 else "connecting")
        self._request_key_frame()

    def _deliver(self) -> None:
        item = self._line.take(_IDLE_S)
        if not isinstance(item, EncodedPicture):
            if item is not None and self._writer is not None:
                self._writer.write_audio(item)
            self._rest()
            return
        try:
            self._write(item)
        except BaseException:
            self._line.lose("lost")
            raise

    def _rest(self) -> None:
        """Finalises what was written where nothing comes any more: it may be a long time until something does."""
        if self._writer is None or self._rest_s is None or time.monotonic() - self._last_at < self._patience_s:
            return
        writer, self._writer = self._writer, None
        self._close_quietly(writer)
        self._settle(writer)
        self._line.open("before_key_frame")
        self._request_key_frame()

    @property
    def _patience_s(self) -> float:
        return max(self._rest_s or 0.0, _GAPS * self._usual_gap_s)

    def _gap_s(self, picture: EncodedPicture) -> float:
        """What lies between a picture and the one before."""
        return 0.0 if self._last_pts is None else float((picture.pts - self._last_pts) * TIME_BASE)

    def _write(self, picture: EncodedPicture) -> None:
        if self._writer is not None and picture.key_frame and self._has_changed(picture):
            writer, self._writer = self._writer, None
            self._close_quietly(writer)
            self._settle(writer)
        if self._writer is None and self.connects:
            self._line.lose("reconnecting")
            self._line.shut("reconnecting")
            return
        if self._writer is None and not picture.key_frame:  # it came while the last one was finalised
            self._line.lose("before_key_frame")
            self._request_key_frame()
            return
        if self._writer is None:
            self._open(picture.format)
        assert self._writer is not None
        self._writer.write(picture)
        self._sent += 1
        self._usual_gap_s += _LEARN * (min(self._gap_s(picture), _GAPS * (self._rest_s or 0.0)) - self._usual_gap_s)
        self._last_pts, self._last_at = picture.pts, time.monotonic()
        self._backoff.healthy(time.monotonic())

    def _has_changed(self, picture: EncodedPicture) -> bool:
        if picture.format is not self._video or (self._writer is not None and self._writer.is_complete(picture)):
            return True
        if self._rest_s is not None and self._gap_s(picture) > self._patience_s:
            return True
        return self.connects and list(self._audio.values()) != self._audio_of_writer

    def _open(self, video: VideoFormat) -> None:
        writer, self._next_writer = self._next_writer or self.make_writer(), None
        self._writer = writer
        if not self._opened and not self._audio:
            self._line.pause(_SETTLE_S)
        self._audio_of_writer = list(self._audio.values())
        try:
            writer.open(video, [] if self._deaf else self._audio_of_writer)
        except Exception as error:
            if self._deaf or not self._audio_of_writer or not may_be_the_sound(error):
                raise
            self._deaf = True
            self._say("the sound is left out: FFmpeg refuses it here")
            self._close_quietly(writer)
            self._writer = self.make_writer()
            self._writer.open(video, [])
        self._video = video
        self._opened += 1
        self.reconnects += self._failed_since_open
        self._failed_since_open = False
        self._enter(OutputState.WRITING)

    def _lost(self, error: Exception) -> None:
        """Gives the writer up, and waits for the next attempt, unless the end has come."""
        reason, ending = explained(error, self.uri), self._line.finished
        if not self._abandoned:
            self.last_error = redact(str(reason))
        elif self._state is OutputState.WRITING:
            self.last_error = f"{self.uri}: the run ended before it had taken all pictures"
        elif not self.last_error:
            self.last_error = f"{self.uri}: the run ended before it answered"
        self._failed_since_open = True
        writer, self._writer = self._writer, None
        if writer is not None:
            self._close_quietly(writer)
            self._settle(writer)
        if is_final(reason) and not self._abandoned:
            self._enter(OutputState.FAILED, self.last_error)
            return
        if ending:
            self._line.shut("closed")
            self._enter(OutputState.CLOSED, self.last_error)
            return
        self._line.shut("reconnecting")
        pause = self._backoff.pause(slow=is_slow(reason))
        self._enter(OutputState.WAITING, self.last_error, pause)
        if self.connects:
            with contextlib.suppress(OSError, StreamError):  # such as no memory for a process: then at the next attempt
                self._next_writer = self.make_writer()  # ready when the pause is over
        if not self._line.pause(pause) and not self.connects:
            self._line.open("reconnecting")
            self._request_key_frame()

    def _settle(self, writer: Writer) -> None:
        """Counts what was sent and never confirmed as lost."""
        lost = writer.unconfirmed
        self._sent -= lost
        if lost:
            self._line.lose("lost", lost)

    def _end(self) -> None:
        for writer in (self._writer, self._next_writer):
            if writer is not None:
                self._close_quietly(writer)
        writer, self._writer = self._writer, None
        if writer is not None:
            self._settle(writer)
        self._line.shut("closed")
        if self._state is not OutputState.FAILED:
            self._enter(OutputState.CLOSED)

    def _close_quietly(self, writer: Writer) -> None:
        try:
            writer.close()
        except Exception as error:
            if not self._abandoned:
                self.last_error = redact(str(explained(error, self.uri)))
        for note in writer.notes:
            self._say(note)

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(redact(note))

    def _enter(self, state: OutputState, error: str = "", retry_in_s: float | None = None) -> None:
        if self._final is not None:
            return
        previous, self._state = self._state, state
        if state is not previous or error:
            self._tell(previous, error, retry_in_s)

    def _tell(self, previous: OutputState, error: str, retry_in_s: float | None = None) -> None:
        with contextlib.suppress(Exception):  # who listens must not end the output
            self._events(OutputEvent(self.uri, self._state, previous, error, retry_in_s, time.monotonic()))
