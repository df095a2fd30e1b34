"""Capture devices of Linux: ``/dev/video0``, with the options ``size``, ``fps`` and ``format``.

What the device offers tells ``v4l2-ctl --list-formats-ext``. Only failures could be tested by the authors, who had no
device at hand.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import av

from stream.errors import (
    DeviceBusy,
    DeviceForbidden,
    DeviceMissing,
    DeviceUnusable,
    NotACaptureDevice,
    OptionRefused,
    StreamError,
)
from stream.media.sources.connection import SourceOptions
from stream.media.sources.demuxed import DemuxedConnection

_NAMES = {"size": "video_size", "fps": "framerate", "format": "input_format"}
"""Short names of options; FFmpeg's own do as well."""


class V4l2Connection(DemuxedConnection):
    """A ``Connection`` to a capture device."""

    def __init__(self, uri: str, options: SourceOptions) -> None:
        """Raises ``DeviceUnusable`` types, OptionRefused."""
        path = device_path(uri)
        _check(path)
        given = {_NAMES.get(name, name): value for name, value in options.options.items()}
        try:
            container = av.open(
                str(path), "r", format="v4l2", container_options=given, timeout=(options.open_timeout_s, None)
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _explained(error, path, given) from None
        super().__init__(container, str(path))


def device_path(uri: str) -> Path:
    """``/dev/video0`` of ``/dev/video0``, ``v4l2:/dev/video0``, ``v4l2:///dev/video0``, ``v4l2:0`` and ``v4l2://0``."""
    rest = uri.removeprefix("v4l2:")
    rest = rest.removeprefix("//") if rest != uri else rest
    return Path(f"/dev/video{rest}" if rest.isdigit() else rest)


def _check(path: Path) -> None:
    """Raises what can be known without asking the driver."""
    try:
        status = path.stat()
    except PermissionError:
        raise _forbidden(path) from None
    except OSError:
        raise DeviceMissing(
            f"there is no device {path}", do="Plug it in, or list the devices with: v4l2-ctl --list-devices"
        ) from None
    if not stat.S_ISCHR(status.st_mode):
        raise NotACaptureDevice(f"{path} is no device", do="Give a capture device such as /dev/video0")
    if not os.access(path, os.R_OK | os.W_OK):
        raise _forbidden(path)


def _forbidden(path: Path) -> DeviceForbidden:
    return DeviceForbidden(
        f"{path} may not be opened by this user", do="Add the user to the group video: sudo usermod -aG video $USER"
    )


def _explained(error: Exception, path: Path, given: dict[str, str]) -> StreamError:
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return DeviceMissing(f"the device {path} is gone", do="Plug it in again")
    if number == errno.EBUSY:
        return DeviceBusy(f"{path} is used by another program", do=f"Close it; who it is tells: fuser {path}")
    if number in (errno.EACCES, errno.EPERM):
        return _forbidden(path)
    if number in (errno.ENOTTY, errno.ENOSYS):
        return NotACaptureDevice(f"{path} is no capture device", do="Give another: v4l2-ctl --list-devices")
    if number in (errno.EINVAL, errno.ERANGE) or isinstance(error, ValueError):
        wanted = ", ".join(f"{name}={value}" for name, value in given.items()) or "the default format"
        return OptionRefused(
            f"{path} does not offer {wanted}", do=f"See what it offers: v4l2-ctl -d {path} --list-formats-ext"
        )
    said = os.strerror(number) if number and 0 < number < 200 else type(error).__name__
    return DeviceUnusable(f"{path} cannot be opened: {said}", do="Unplug it and plug it in again")
