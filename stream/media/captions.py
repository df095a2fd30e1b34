"""Closed captions inside the video stream (ATSC A/53 part 4): they ride on pictures, and must ride on the new ones."""

from __future__ import annotations

from typing import Any

import av
from av.filter import Graph
from av.sidedata.sidedata import Type


def has_captions(picture: av.VideoFrame) -> bool:
    """True if closed captions ride on this picture.

    Do not ask every picture: in PyAV, looking at side data ties a picture into a reference cycle, and its memory waits
    for the garbage collector.
    """
    try:
        riding: Any = picture.side_data
    except ValueError:  # PyAV does not list kinds of side data that it does not know
        return False
    return len(riding) > 0 and riding.get(Type.A53_CC) is not None


class CaptionSearch:
    """Asks the first pictures of a video: where captions exist, they are there all along."""

    def __init__(self, pictures: int) -> None:
        """``pictures``: how many are asked."""
        self._left = pictures
        self._found = False

    def __call__(self, picture: av.VideoFrame) -> bool:
        """Whether captions ride on this picture, the next one of the video."""
        if self._left and not self._found:
            self._left -= 1
            self._found = has_captions(picture)
        return self._found


def writable_copy(picture: av.VideoFrame) -> av.VideoFrame:
    """A copy with everything that rides on it, in memory of its own.

    PyAV has no call for that; a filter graph that does nothing hands out a second reference, and making that writable
    copies the pixels.
    """
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
    )
    graph.link_nodes(source, graph.add("null"), graph.add("buffersink")).configure()
    graph.vpush(picture)
    copy = graph.vpull()
    copy.make_writable()
    return copy
