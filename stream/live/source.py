"""A source that comes back: one iteration over all connections, until ``stop``.

A reader thread holds the connection; whoever iterates watches it, and opens the next one after a pause. The end of a
live stream is a disconnect like any other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from av.stream import Stream

from stream.errors import ConnectionFailed, ConnectionLost, ConnectionTimedOut, ReadsHang, StreamError
from stream.live.audio import AudioTracks
from stream.live.backoff import Backoff
from stream.live.reader import Reader
from stream.live.state import SourceEvent, SourceState, check_transition
from stream.live.timeline import TIME_BASE, Timeline
from stream.media.frame import Frame, Packet
from stream.media.notes import Notes
from stream.media.source import VideoInfo
from stream.media.sources.connection import (
    NO_PTS,
    Connection,
    SourceOptions,
    check_address,
    open_connection,
    scheme_of,
    unused_options,
)
from stream.redaction import redact

_MOST_ABANDONED = 4
"""Readers that may be stuck in a read at the same time; with more than that nothing new is opened."""
_LOOK_S = 0.25
"""Longest time between two looks at a silent reader."""
_OPENING_S = 25.0
"""Time for the first key frame, on top of what opening may take twice."""


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """When a live source is given up, and how soon it is tried again."""

    first_backoff_s: float = 0.5
    longest_backoff_s: float = 30.0
    jitter: float = 0.2
    healthy_s: float = 30.0
    """Streaming for that long makes the next pause the first again."""
    stall_s: float = 2.0
    """Without video for that long the source is stalled; after twice that it is reconnected."""
    hang_s: float = 30.0
    """Seconds for which reads that hang keep a new connection from being opened, after which it has failed."""
    give_up_after_s: float | None = None
    """Seconds without a picture after which it has failed; None = never."""


class LiveSource:
    """A ``Source`` that reconnects. Iterate once, from one thread; ``stop`` from any thread ends it promptly."""

    live = True

    def __init__(
        self,
        uri: str,
        options: SourceOptions | None = None,
        policy: SourcePolicy | None = None,
        *,
        events: Callable[[SourceEvent], None] = lambda event: None,
        open_connection: Callable[[str, SourceOptions], Connection] = open_connection,
        backoff: Backoff | None = None,
    ) -> None:
        """Nothing is opened before the iteration starts. ``events`` is called from the thread that iterates.

        Raises what no second attempt could heal: UnsupportedUri, SecretMissing, OptionRefused, InputNotFound,
        GStreamerMissing, PipelineInvalid.
        """
        check_address(uri, options or SourceOptions())
        self.uri = redact(uri)
        self.policy = policy or SourcePolicy()
        self.events = events
        self.video: VideoInfo | None = None
        """None until the first picture; that of the last picture since."""
        self._notes = Notes()
        self.notes: list[str] = self._notes
        for name in unused_options(uri, (options or SourceOptions()).options):
            self._notes.say(f"the source option {redact(name)} means nothing to {scheme_of(uri)}: and was passed over")
        self.state = SourceState.CONNECTING
        self.generation = 0
        """Connections that gave a picture, counted from 1."""
        self.reconnects = 0
        self.stalls = 0
        self.last_error = ""
        self._address, self._options = uri, options or SourceOptions()
        self._open = open_connection
        policy = self.policy
        self._backoff = backoff or Backoff(
            policy.first_backoff_s, policy.longest_backoff_s, policy.jitter, policy.healthy_s
        )
        self._timeline = Timeline()
        self._audio = AudioTracks(self._timeline)
        self._stop = threading.Event()
        self._reader: Reader | None = None
        self._abandoned: list[Reader] = []
        self._attempt = 0
        self._error: StreamError | None = None
        self._last_frame_at = 0.0
        self._seq = 0
        self._damaged_before = self._lost_before = self._skipped_before = 0
        self._described: VideoInfo | None = None

    @property
    def streams(self) -> list[Stream]:
        """Templates of the audio that is handed on; the same over reconnects while its parameters stay."""
        return self._audio.streams

    @property
    def damaged(self) -> int:
        """Pictures lost or decoded with errors so far, over all connections."""
        connection = self._connection
        return self._damaged_before + (connection.damaged if connection else 0)

    @property
    def lost_before_key_frame(self) -> int:
        """Packets passed over at the start of connections, because no key frame had come yet."""
        connection = self._connection
        return self._lost_before + (connection.before_key_frame if connection else 0)

    @property
    def skipped(self) -> int:
        """Packets of video passed over so far, because decoding had fallen behind; over all connections."""
        connection = self._connection
        return self._skipped_before + (connection.skipped if connection else 0)

    @property
    def stuck_readers(self) -> int:
        """Threads that were abandoned in a blocked read and are not back yet."""
        return sum(1 for reader in self._abandoned if reader.thread.is_alive())

    @property
    def _connection(self) -> Connection | None:
        return self._reader.connection if self._reader else None

    def __iter__(self) -> Iterator[Frame | Packet]:
        """Frames (``pts`` in 1/90000 s, rising over all connections) and audio packets.

        Raises ``ConnectionFailed`` when the source was given up (``SourcePolicy.give_up_after_s``), ReadsHang.
        """
        self._last_frame_at = time.monotonic()
        try:
            while not self._stop.is_set():
                yield from self._one_connection()
                if not self._stop.is_set():
                    self._pause()
        finally:
            self._leave_reader()
            if self.state is not SourceState.FAILED:
                self._become(SourceState.STOPPED)

    def stop(self) -> None:
        """Ends the iteration at once, whatever it is doing; callable from any thread, never waits."""
        self._stop.set()
        reader = self._reader
        if reader is not None:
            reader.wake()

    def close(self) -> None:
        """As ``stop``; the connection frees itself."""
        self.stop()
        self._leave_reader()

    def _one_connection(self) -> Iterator[Frame | Packet]:
        """One attempt, from opening to its end."""
        self._timeline.restart()
        self._reader = reader = Reader(lambda: self._open(self._address, self._options), str(self._attempt))
        self._error = None
        first = True
        while not self._stop.is_set():
            taken = reader.take(_LOOK_S)
            if self._stop.is_set():
                break
            if taken is not None:
                if isinstance(taken.item, Frame):
                    if first:
                        first = False
                        self._begin_generation()
                    self._describe(taken.video)
                    yield self._placed(taken.item)
                elif not first and (placed := self._placed_packet(taken.item)) is not None:
                    yield placed
            elif reader.ended:
                self._error = _as_stream_error(reader.error, self.uri)
                break
            elif self._is_dead(reader, first):
                break
        self._leave_reader()

    def _begin_generation(self) -> None:
        self.generation += 1
        if self.generation > 1:
            self.reconnects += 1
        self._attempt = 0
        self._become(SourceState.STREAMING)

    def _is_dead(self, reader: Reader, opening: bool) -> bool:
        """Watches a silent reader; True when it has to be replaced."""
        silent = time.monotonic() - reader.alive_at
        if opening:
            limit = 2 * self._options.open_timeout_s + _OPENING_S
            if silent > limit:
                self._error = ConnectionTimedOut(f"{self.uri}: no answer within {limit:.0f} s")
            self._give_up_if_due()
            return silent > limit
        limit = self.policy.stall_s + (reader.connection.silence_s if reader.connection else 0.0)
        if silent > limit and self.state is SourceState.STREAMING:
            self.stalls += 1
            self._become(SourceState.STALLED)
        if silent > limit + self.policy.stall_s:
            self._error = ConnectionTimedOut(f"{self.uri}: no video for {silent:.0f} s")
            return True
        return False

    def _describe(self, video: VideoInfo) -> None:
        """Keeps what is known of the video and its connection up to date."""
        connection = self._connection
        if connection is None or video is self._described:
            return
        self._described = video
        self.video = replace(video, time_base=TIME_BASE)
        self._audio.announce(connection.streams)
        for note in connection.notes:
            self._notes.say(note)

    def _placed(self, frame: Frame) -> Frame:
        """The frame at its output time."""
        if self.state is SourceState.STALLED:
            self._become(SourceState.STREAMING)
        self._last_frame_at = time.monotonic()
        self._backoff.healthy(self._last_frame_at)
        raw = None if frame.pts == NO_PTS else frame.pts
        pts = self._timeline.place(raw, frame.time_base, frame.captured_at)
        duration = round(frame.duration * frame.time_base / TIME_BASE)
        frame.picture.pts, frame.picture.time_base, frame.picture.duration = pts, TIME_BASE, duration
        self._seq += 1
        return replace(
            frame, pts=pts, time_base=TIME_BASE, duration=duration, seq=self._seq - 1, generation=self.generation
        )

    def _placed_packet(self, packet: Packet) -> Packet | None:
        connection = self._connection
        return None if connection is None else self._audio.place(packet, connection.streams.index(packet.stream))

    def _pause(self) -> None:
        """Between two connections. Raises the last error when the source is given up."""
        error = self._error or ConnectionLost(f"{self.uri} ended")
        self._attempt += 1
        self.last_error = redact(str(error))
        pause = self._backoff.pause(slow=error.retry_slowly)
        self._become(SourceState.RECONNECTING, pause)
        self._wait(pause)
        self._wait_for_stuck_readers()

    def _wait_for_stuck_readers(self) -> None:
        """Until another one may be opened. Raises ReadsHang where none comes back."""
        since = time.monotonic()
        while self.stuck_readers >= _MOST_ABANDONED and not self._stop.is_set():
            if time.monotonic() - since > self.policy.hang_s:
                error = ReadsHang(
                    f"{self.uri}: {self.stuck_readers} reads hang and cannot be interrupted, so nothing new is opened",
                    do="Restart the process; unplug a camera whose driver hangs",
                )
                self.last_error = str(error)
                self._become(SourceState.FAILED)
                error.hanging = lambda: self.stuck_readers >= _MOST_ABANDONED
                raise error
            self._wait(_LOOK_S)

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._stop.is_set() and (left := end - time.monotonic()) > 0:
            self._give_up_if_due()
            self._stop.wait(min(left, _LOOK_S))

    def _give_up_if_due(self) -> None:
        limit = self.policy.give_up_after_s
        if limit is None or (self.generation and self.state is SourceState.STREAMING):
            return
        if time.monotonic() - self._last_frame_at > limit:
            self._become(SourceState.FAILED)
            raise ConnectionFailed(
                f"{self.uri} gave no picture for {limit:g} s. The last error was: {self.last_error or 'no answer'}",
                do="Check the source, or give it more time",
            )

    def _leave_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if reader.connection is not None:
            self._damaged_before += reader.connection.damaged
            self._lost_before += reader.connection.before_key_frame
            self._skipped_before += reader.connection.skipped
        reader.abandon()
        self._abandoned = [other for other in self._abandoned if other.thread.is_alive()]
        self._abandoned.append(reader)

    def _become(self, state: SourceState, pause: float | None = None) -> None:
        """Changes the state (or, reconnecting, stays in it for one more attempt after ``pause``) and tells so."""
        previous, self.state = self.state, state
        if state is not previous or state is not SourceState.RECONNECTING:
            check_transition(previous, state)
        error = "" if state is SourceState.STREAMING else self.last_error
        self.events(SourceEvent(state, previous, self.generation, self._attempt, error, pause, time.monotonic()))


def _as_stream_error(error: Exception | None, uri: str) -> StreamError:
    if isinstance(error, StreamError):
        return error
    return ConnectionLost(f"{uri}: the other side ended the stream")
