"""Photos: one RGB picture in, one out, without the chroma loss of video.

The same life cycle as ``Stages``, so that a pipeline treats both alike: ``start``, ``stop``, ``abort``, ``wait``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from engines.picture import map_picture
from engines.planes import Bytes
from engines.thumbnail import sample_rgb
from stream.errors import NotAVideo, OutputNotWritable, UnsupportedContainer
from stream.media.opening import open_container
from stream.media.rotation import display_matrix
from stream.media.sinks.partial import check_target, partial_name
from stream.settings import Settings
from stream.telemetry import Telemetry
from stream.vision.enhancer import Predict

_ENCODERS = {".png": "png", ".jpg": "mjpeg", ".jpeg": "mjpeg"}
_JPEG_QUALITY = 2
"""FFmpeg's scale, 1 best to 31; 2 is about quality 95."""


class PhotoRun:
    """Enhances one photo in a thread of its own."""

    def __init__(
        self,
        source: Path,
        output: Path,
        predict: Callable[[], Predict | None],
        settings: Settings,
        telemetry: Telemetry,
    ) -> None:
        """``predict`` gives the network once it is loaded. Raises the errors of ``stream.errors``."""
        if output.suffix.lower() not in _ENCODERS:
            raise UnsupportedContainer(
                f"{output.name}: cannot write a photo into {output.suffix or 'a name without extension'}",
                do=f"Use one of {', '.join(_ENCODERS)}",
            )
        self._rgb, self.notes = read_photo(source)
        check_target(output, source, overwrite=settings.overwrite)
        self._output, self._predict, self._settings, self._telemetry = output, predict, settings, telemetry
        self._aborted = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._body, name="stream-photo", daemon=True)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self._rgb.shape[1], self._rgb.shape[0]

    @property
    def error(self) -> BaseException | None:
        """What went wrong, if anything."""
        return self._error

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """A photo is one frame: it is finished."""

    def abort(self) -> None:
        """Write nothing, if it is not too late."""
        self._aborted.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; False if ``timeout`` seconds were not enough."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _body(self) -> None:
        self._telemetry.frame_in()
        try:
            with self._telemetry.stage("total").measure():
                picture = self._enhanced()
                if self._aborted.is_set():
                    self._telemetry.drop("aborted")
                    return
                write_photo(self._output, picture)
            self._telemetry.frame_out()
        except BaseException as error:
            self._error = error
            self._telemetry.drop("failed")
        finally:
            self._telemetry.end()

    def _enhanced(self) -> Bytes:
        predict = self._predict()
        if predict is None:
            after = self._rgb
        else:
            after = map_picture(self._rgb, predict(sample_rgb(self._rgb)).blend(self._settings.strength))
        how = self._settings.compare
        if how == "none":
            return after
        before, line = self._rgb, np.full((len(after), 2, 3), 255, np.uint8)
        if how == "split":
            seam = after.shape[1] // 2
            before, after = before[:, : max(seam - 2, 0)], after[:, seam:]
        return np.concatenate([before, line, after], axis=1)


def read_photo(path: Path) -> tuple[Bytes, list[str]]:
    """RGB uint8 [height, width, 3], turned upright, and notes on what could not be kept. Raises ``StreamError``."""
    notes = []
    with open_container(path) as container:
        try:
            picture = next(container.decode(video=0))
        except (av.FFmpegError, StopIteration, IndexError) as error:
            raise NotAVideo(f"{path} cannot be decoded: {error}", do="Check that the file opens in a viewer") from error
        if any(component.is_alpha for component in picture.format.components):
            notes.append("transparency is left out")
        if max(component.bits for component in picture.format.components) > 8:
            notes.append(f"converted from {picture.format.name} to 8 bits a channel")
        rgb = picture.to_ndarray(
            format="rgb24",
            src_colorspace=None if picture.format.is_rgb else Colorspace.ITU601,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG,
        )
        _, degrees = display_matrix(picture)
    return np.ascontiguousarray(np.rot90(rgb, round(degrees / 90))), notes


def write_photo(path: Path, rgb: Bytes) -> None:
    """PNG, or JPEG without chroma subsampling, by the name; complete or not at all. Raises ``OutputNotWritable``."""
    encoder = _ENCODERS[path.suffix.lower()]
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), "rgb24")
    context = av.CodecContext.create(encoder, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height = picture.width, picture.height
    context.time_base = Fraction(1)
    if encoder == "mjpeg":
        context.pix_fmt, context.color_range = "yuv444p", ColorRange.JPEG
        context.qmin = context.qmax = _JPEG_QUALITY
        picture = picture.reformat(
            format="yuv444p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU601,
        )
    else:
        context.pix_fmt = "rgb24"
    data = b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])
    partial = partial_name(path)
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputNotWritable(f"writing {path} failed: {error.strerror}", do="Check the disk") from error
