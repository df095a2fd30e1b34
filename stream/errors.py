"""What can go wrong for a user, as types: each says in one line what happened, what was kept and what to do next.

The command line prints ``str(error)`` and leaves with ``error.exit_code``: 1 = it failed, 2 = the command must change,
130 = interrupted. Anything that is not one of these types is a fault of the program.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar


class StreamError(Exception):
    """A failure that the user can understand and act upon."""

    exit_code: ClassVar[int] = 1
    retry_slowly: ClassVar[bool] = False
    """Live: trying again soon cannot help, somebody has to act first; the longest pause comes at once."""

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

    retry_slowly = True


class UnknownCodec(StreamError):
    """There is a video stream and no decoder for it in this build."""

    retry_slowly = True


class NothingDecodable(StreamError):
    """The video stream is there, and not one picture of it can be decoded."""


class HdrNotSupported(StreamError):
    """PQ or HLG transfer: the arithmetic here is for standard dynamic range."""

    retry_slowly = True


class PhotoHasNoFrames(StreamError):
    """Frames were asked for, one by one, and the input is a photo."""

    exit_code = 2


class UnsupportedUri(StreamError):
    """A scheme that no source or sink of this version opens."""

    exit_code = 2


class WrongOutputs(StreamError):
    """Sources and outputs that do not go together, or a live source without any output."""

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


class StageStuck(StreamError):
    """A stage of a live run works on one frame and does not come to an end."""


class ReadsHang(StreamError):
    """Reads of a source that hang, and that nothing in this process can interrupt."""

    hanging: Callable[[], bool] = bool
    """Whether they still do."""


class SettingFixed(StreamError):
    """A setting that cannot change while a stream runs."""

    exit_code = 2


class DiskFull(StreamError):
    """No space was left while writing."""


class SecretMissing(StreamError):
    """A placeholder in a URI names an environment variable or a file that is not there."""

    exit_code = 2
    retry_slowly = True


class ConnectionFailed(StreamError):
    """The other side of a live source or output cannot be reached, or was lost."""


class AuthenticationFailed(ConnectionFailed):
    """User name or password are missing, wrong, or not enough."""

    retry_slowly = True


class AddressNotFound(ConnectionFailed):
    """The server answers and has nothing under this path."""

    retry_slowly = True


class HostUnknown(ConnectionFailed):
    """The name of the host cannot be resolved, or no route leads there."""


class ConnectionRefused(ConnectionFailed):
    """Nothing listens on the port."""


class ConnectionTimedOut(ConnectionFailed):
    """No answer in time, or no data any more."""


class ConnectionLost(ConnectionFailed):
    """It was there: the other side ended it, or reading failed. For a live source the end of the stream is one."""


class TlsFailed(ConnectionFailed):
    """The encrypted connection could not be set up."""


class ServerError(ConnectionFailed):
    """The server answers that it cannot do what was asked."""


class OptionRefused(StreamError):
    """An option of a source that FFmpeg or the device does not take."""

    exit_code = 2
    retry_slowly = True


class DeviceUnusable(ConnectionFailed):
    """A capture device that is missing, busy, forbidden, or no capture device."""


class DeviceMissing(DeviceUnusable):
    """No such device; one that was unplugged may come back."""


class NotACaptureDevice(DeviceUnusable):
    """The path is there and gives no video."""

    retry_slowly = True


class DeviceBusy(DeviceUnusable):
    """Another program uses the device."""


class DeviceForbidden(DeviceUnusable):
    """The user may not open the device."""

    retry_slowly = True


class GStreamerMissing(StreamError):
    """GStreamer or its Python bindings are not installed."""

    exit_code = 2
    retry_slowly = True


class PipelineInvalid(StreamError):
    """A GStreamer pipeline that cannot be built from its text."""

    exit_code = 2
    retry_slowly = True


class PipelineFailed(ConnectionFailed):
    """A GStreamer pipeline that was built and reported an error while it started or ran."""
