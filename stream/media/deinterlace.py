"""Bwdif, one picture out per picture in, at the same time stamps; only pictures flagged as interlaced are touched."""

from __future__ import annotations

from collections.abc import Iterator

import av
from av.filter import Graph


class Deinterlacer:
    """Holds a few pictures back: ``feed`` gives none or one, ``drain`` the rest."""

    def __init__(self, first: av.VideoFrame) -> None:
        self._time_base = first.time_base
        graph = Graph()
        source = graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=first.time_base
        )
        bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
        self._graph = graph

    def feed(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Pictures that are ready once this one is known."""
        self._graph.vpush(picture)
        yield from self._ready()

    def drain(self) -> Iterator[av.VideoFrame]:
        """The pictures still held, at the end of the stream."""
        self._graph.vpush(None)
        yield from self._ready()

    def _ready(self) -> Iterator[av.VideoFrame]:
        while True:
            try:
                picture = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            # bwdif halves the time base even when it keeps the frame rate.
            if picture.time_base is not None and self._time_base is not None and picture.pts is not None:
                picture.pts = int(picture.pts * picture.time_base / self._time_base)
                picture.time_base = self._time_base
            yield picture
