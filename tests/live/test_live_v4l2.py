"""Capture devices: what is told when they cannot be used.

No V4L2 device can be had here, so no picture is read from one: only real paths that fail are opened, and the errors of
drivers are played to the code that explains them.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import av
import pytest

from stream.errors import (
    DeviceBusy,
    DeviceForbidden,
    DeviceMissing,
    DeviceUnusable,
    NotACaptureDevice,
    OptionRefused,
    StreamError,
)
from stream.live.source import LiveSource
from stream.media.sources.connection import SourceOptions, is_live, open_connection, scheme_of
from stream.media.sources.v4l2 import device_path


def opened(uri: str, **options: str) -> None:
    open_connection(uri, SourceOptions(options=options)).close()


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/dev/video0", "/dev/video0"),
        ("v4l2:/dev/video1", "/dev/video1"),
        ("v4l2:///dev/video2", "/dev/video2"),
        ("v4l2:3", "/dev/video3"),
        ("v4l2://4", "/dev/video4"),
        ("v4l2:/dev/v4l/by-id/usb-cam", "/dev/v4l/by-id/usb-cam"),
    ],
)
def test_ways_to_name_a_device(uri: str, path: str) -> None:
    assert scheme_of(uri) == "v4l2"
    assert is_live(uri)
    assert device_path(uri) == Path(path)
    LiveSource(uri)  # a device may be plugged in later


def test_no_such_device() -> None:
    with pytest.raises(DeviceMissing, match="/dev/video99") as failure:
        opened("/dev/video99")
    assert not failure.value.retry_slowly


@pytest.mark.parametrize("path", ["/dev/null", "/dev/zero"])
def test_other_devices(path: str) -> None:
    with pytest.raises(NotACaptureDevice, match=path):
        opened(f"v4l2:{path}")


def test_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no device")
    for path in (tmp_path, tmp_path / "clip.mp4"):
        with pytest.raises(NotACaptureDevice, match="no device"):
            opened(f"v4l2:{path}")


def test_a_device_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(DeviceForbidden, match="group video"):
        opened("v4l2:/dev/null")


@pytest.mark.parametrize(
    ("number", "error", "said"),
    [
        (errno.EBUSY, DeviceBusy, "another program"),
        (errno.EACCES, DeviceForbidden, "group video"),
        (errno.ENODEV, DeviceMissing, "gone"),
        (errno.EINVAL, OptionRefused, "video_size=4096x4096, framerate=1000, input_format=mjpeg"),
        (errno.EIO, DeviceUnusable, "Input/output error"),
    ],
)
def test_what_drivers_answer(monkeypatch: pytest.MonkeyPatch, number: int, error: type[StreamError], said: str) -> None:
    given: dict[str, Any] = {}

    def refuse(*_: object, **options: Any) -> None:
        given.update(options)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(error) as failure:
        opened("v4l2:/dev/null", size="4096x4096", fps="1000", format="mjpeg")
    assert said in str(failure.value)
    assert given["format"] == "v4l2"
    assert given["container_options"] == {"video_size": "4096x4096", "framerate": "1000", "input_format": "mjpeg"}
