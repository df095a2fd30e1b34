"""Photos: one RGB picture in, one out, without the chroma loss of video.

The same life cycle as ``Stages``, so that a pipeline treats both alike: ``start``, ``stop``, ``abort``, ``wait``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from engines.planes import Bytes
from stream.compare import compare_photos
from stream.media.photos import check_photo_target, read_photo, write_photo
from stream.media.sinks.partial import check_target
from stream.settings import Settings
from stream.telemetry import Telemetry

Redraw = Callable[[Bytes, float], Bytes]
"""Enhances a photo, RGB uint8 [height, width, 3], with a strength in 0..1."""


class PhotoRun:
    """Enhances one photo in a thread of its own."""

    def __init__(
        self,
        source: Path,
        output: Path,
        redraw: Callable[[], Redraw | None],
        settings: Settings,
        telemetry: Telemetry,
    ) -> None:
        """``redraw`` gives what enhances, once its network is loaded. Raises the errors of ``stream.errors``."""
        check_photo_target(output)
        self._rgb, self.notes = read_photo(source)
        check_target(output, source, overwrite=settings.overwrite)
        self._source, self._output = source, output
        self._redraw, self._settings, self._telemetry = redraw, settings, telemetry
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
                self.notes += write_photo(self._output, picture, like=self._source)
            self._telemetry.frame_out()
        except BaseException as error:
            self._error = error
            self._telemetry.drop("failed")
        finally:
            self._telemetry.end()

    def _enhanced(self) -> Bytes:
        redraw = self._redraw()
        after = self._rgb if redraw is None else redraw(self._rgb, self._settings.strength)
        return compare_photos(self._rgb, after, self._settings.compare)
