"""What a failure of an output means: a typed error in plain words, whether it can pass, and how soon to try again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import av

from stream.errors import DiskFull, OptionRefused, OutputNotWritable, StreamError, UnsupportedContainer
from stream.media.sinks.partial import is_no_space


@contextlib.contextmanager
def real_errors(said: Callable[[], Exception | None]) -> Iterator[None]:
    """Raises what ``said`` tells, the error of a file or pipeline, in place of what comes out of the muxer after it.

    Also where nothing comes out: FFmpeg does not tell of every write that failed.
    """
    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise said() or error from None
    noted = said()
    if noted is not None:
        raise noted


def explained(error: Exception, uri: str) -> StreamError:
    """The typed error for whatever a writer raised. ``uri`` is redacted already."""
    if isinstance(error, StreamError):
        return error
    if is_no_space(error):
        return DiskFull(
            f"the disk is full: {uri}", kept="What was written so far stays", do="Free some space; it goes on by itself"
        )
    if isinstance(error, (OSError, av.FFmpegError)):
        said = getattr(error, "strerror", None) or type(error).__name__
        return OutputNotWritable(f"writing {uri} failed: {said}", do="Check the folder, the disk and its file system")
    if isinstance(error, ValueError) and "format does not support" in str(error):
        return UnsupportedContainer(f"{uri} cannot hold this video: {error}", do="Use --codec libx264")
    return StreamError(f"writing {uri} failed: {type(error).__name__}: {error}")


def is_final(error: StreamError) -> bool:
    """Another attempt could not end otherwise."""
    return isinstance(error, UnsupportedContainer)


def may_be_the_sound(error: Exception) -> bool:
    """FFmpeg refuses what it was given: with sound in it, without may do."""
    return isinstance(error, (OptionRefused, av.error.ArgumentError, av.error.InvalidDataError, ValueError))


def is_slow(error: StreamError) -> bool:
    """Somebody has to act first."""
    return error.retry_slowly
