"""A GStreamer pipeline that is fed from here: through its ``appsrc``, watched over its bus, ended in order."""

from __future__ import annotations

import time
from typing import Any

from stream.errors import ConnectionLost, ConnectionTimedOut, PipelineInvalid
from stream.media.gstreamer import error_of, gstreamer, tear_down

_END_S = 1.0
"""How long a pipeline may take to write out what it holds at the end."""
_STUCK_S = 10.0
"""A pipeline that takes nothing for that long is started anew."""
_LOOK_S = 0.005


class GstFeed:
    """A playing pipeline. Every call raises the typed error that the pipeline has reported meanwhile."""

    def __init__(self, pipeline: Any, shown: str, caps: str, most_bytes: int) -> None:
        """``most_bytes``: what may wait in the pipeline's ``appsrc``, which ``push`` waits for."""
        self._modules = gstreamer()
        self._pipeline, self._shown, self._most = pipeline, shown, most_bytes
        gst = self._modules.Gst
        result, source = pipeline.iterate_all_by_element_factory_name("appsrc").next()
        if result != gst.IteratorResult.OK:
            tear_down(pipeline)
            raise PipelineInvalid(f"{shown} has no appsrc", do="Leave it out, one is put in front")
        self._source = source
        for name, value in {"format": gst.Format.TIME, "is-live": True, "do-timestamp": False, "block": False}.items():
            source.set_property(name, value)
        source.set_property("max-bytes", 0)  # what waits is bounded here
        source.set_property("caps", gst.Caps.from_string(caps))
        self._bus = pipeline.get_bus()
        pipeline.set_state(gst.State.PLAYING)

    def push(self, data: bytes, pts_ns: int | None = None, duration_ns: int | None = None) -> None:
        """Waits until there is room, and for ``_STUCK_S`` at most."""
        gst = self._modules.Gst
        until = time.monotonic() + _STUCK_S
        self.check()
        while self._source.get_property("current-level-bytes") >= self._most:
            if time.monotonic() > until:
                raise ConnectionTimedOut(f"{self._shown} takes nothing any more", do="Check what the pipeline ends in")
            time.sleep(_LOOK_S)
            self.check()
        buffer = gst.Buffer.new_wrapped(data)
        if pts_ns is not None:
            buffer.pts = buffer.dts = pts_ns
        if duration_ns:
            buffer.duration = duration_ns
        self._source.emit("push-buffer", buffer)

    def check(self) -> None:
        """Raises what the pipeline has reported; its end is a loss, too."""
        gst = self._modules.Gst
        message = self._bus.timed_pop_filtered(0, gst.MessageType.ERROR | gst.MessageType.EOS)
        if message is None:
            return
        if message.type == gst.MessageType.ERROR:
            raise error_of(message, self._shown)
        raise ConnectionLost(f"{self._shown}: the pipeline has ended by itself")

    def close(self) -> None:
        """Lets the pipeline write out what it holds, then frees it; both with a time limit."""
        gst = self._modules.Gst
        self._source.emit("end-of-stream")
        self._bus.timed_pop_filtered(int(_END_S * gst.SECOND), gst.MessageType.ERROR | gst.MessageType.EOS)
        tear_down(self._pipeline)

    def stop(self) -> None:
        """Frees the pipeline without any goodbye."""
        tear_down(self._pipeline)
