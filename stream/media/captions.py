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
