"""What every output of a live stream shows of itself, and the events that tell about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from stream.live.outputs.packets import AudioPacket, AudioTrack, EncodedPicture, VideoFormat
from stream.media.frame import Frame


class OutputState(Enum):
    """What an output is doing."""

    CONNECTING = "connecting"
    """For the first time."""
    WRITING = "writing"
    WAITING = "waiting"
    """Lost or refused; waiting for the next attempt, or in it."""
    FAILED = "failed"
    """Given up: another attempt could not end otherwise, or nobody could wait for the end."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class OutputEvent:
    """A change of state, or one more attempt that failed. Credentials are redacted."""

    uri: str
    state: OutputState
    previous: OutputState
    error: str = ""
    retry_in_s: float | None = None
    at: float = 0.0
    """``time.monotonic()``."""


class Output(Protocol):
    """One place that a stream goes to. ``write...`` never waits, whatever the far end does.

    At every moment: ``offered`` = ``written`` + all of ``dropped`` + ``in_flight``, in pictures.
    """

    uri: str
    """Redacted."""
    takes_frames: bool
    """True: it wants pictures as they are; False: encoded ones."""
    connects: bool
    """The far end is not a file: it takes its time, and may hang."""
    notes: list[str]

    @property
    def state(self) -> OutputState: ...

    @property
    def offered(self) -> int: ...

    @property
    def written(self) -> int: ...

    @property
    def in_flight(self) -> int: ...

    @property
    def dropped(self) -> Counter[str]:
        """By cause: connecting, reconnecting, queue_full, before_key_frame, lost, closed."""
        ...

    @property
    def reconnects(self) -> int:
        """How often it came back after a loss."""
        ...

    @property
    def last_error(self) -> str:
        """Redacted; empty if there was none."""
        ...

    def start(self, request_key_frame: Callable[[], None], events: Callable[[OutputEvent], None]) -> None:
        """Before anything else; the callbacks are called from any thread."""
        ...

    def write_frame(self, frame: Frame) -> None:
        """For outputs that take frames."""
        ...

    def write_picture(self, picture: EncodedPicture) -> None: ...

    def write_audio(self, packet: AudioPacket) -> None: ...

    def finish(self) -> None:
        """Nothing more will come: writes what waits, finalises. Does not wait for that."""
        ...

    def join(self, timeout_s: float) -> bool:
        """Waits for the end after ``finish`` and then abandons what hangs; False if that did not help either."""
        ...

    def give_up(self) -> None:
        """Nobody waits any longer: what is not known to have arrived is lost, and the figures are final.

        Does nothing where the end has come.
        """
        ...


class Writer(Protocol):
    """The far end of an output, for one thread; every call may take its time. Made anew for each attempt.

    All but ``close`` and ``abandon`` raise StreamError, OSError or av.FFmpegError when the far end fails.
    """

    notes: list[str]
    unconfirmed: int
    """Pictures written of which nobody knows yet whether they arrived."""

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None: ...

    def is_complete(self, picture: EncodedPicture) -> bool:
        """True before a key frame with which another writer shall begin."""
        ...

    def write(self, picture: EncodedPicture) -> None: ...

    def write_audio(self, packet: AudioPacket) -> None: ...

    def close(self) -> None:
        """Finalises what was written."""
        ...

    def abandon(self) -> None:
        """From another thread: makes calls that hang come to an end as far as that is possible. Does not wait."""
        ...
