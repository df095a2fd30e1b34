"""What can go wrong for a user, as types: each says in one line what happened, what was kept and what to do next.

The command line prints ``str(error)`` and leaves with ``error.exit_code``: 1 = it failed, 2 = the command must change,
130 = interrupted. Anything that is not one of these types is a fault of the program.
"""

from __future__ import annotations

from typing import ClassVar


class StreamError(Exception):
    """A failure that the user can understand and act upon."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, kept: str = "", do: str = "") -> None:
        self.what, self.kept, self.do = what, kept, do
        super().__init__(what, kept, do)

    def __str__(self) -> str:
        """One line: what happened, what was kept, what to do."""
        sentences = [part.strip().rstrip(".") for part in (self.what, self.kept, self.do) if part]
        return " ".join(f"{sentence}." for sentence in sentences).replace("\n", " ")


class InputNotFound(StreamError):
    """The path does not exist, or a folder or pattern holds nothing that can be enhanced."""


class InputUnreadable(StreamError):
    """The file exists but may not be read, or reading it failed."""


class NotAVideo(StreamError):
    """The file is no container or picture that FFmpeg knows."""


class NoVideoStream(StreamError):
    """A media file, but without moving or still pictures."""


class UnknownCodec(StreamError):
    """There is a video stream and no decoder for it in this build."""


class NothingDecodable(StreamError):
    """The video stream is there, and not one picture of it can be decoded."""


class HdrNotSupported(StreamError):
    """PQ or HLG transfer: the arithmetic here is for standard dynamic range."""


class PhotoHasNoFrames(StreamError):
    """Frames were asked for, one by one, and the input is a photo."""

    exit_code = 2


class UnsupportedUri(StreamError):
    """A scheme that no source or sink of this version opens."""

    exit_code = 2


class OutputExists(StreamError):
    """The target is there already and overwriting was not asked for."""

    exit_code = 2


class OutputIsInput(StreamError):
    """The target is the file that is being read, perhaps through a link."""

    exit_code = 2


class OutputNotWritable(StreamError):
    """The target's folder is missing or refuses new files, or a device failed while writing."""


class UnsupportedContainer(StreamError):
    """The target's extension names no container that can hold the encoded video."""

    exit_code = 2


class EncoderUnavailable(StreamError):
    """The encoder is not in this build, its hardware is absent, or it refuses the options."""

    exit_code = 2


class DiskFull(StreamError):
    """No space was left while writing."""
