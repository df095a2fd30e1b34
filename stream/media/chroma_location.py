"""Where the chroma samples of an H.264 or H.265 stream sit, read from its sequence header.

PyAV does not hand this field out; FFmpeg's ``trace_headers`` filter spells the header out through the log.
"""

from __future__ import annotations

import re

import av.logging
from av.bitstream import BitStreamFilterContext
from av.video.stream import VideoStream

_NAMES = ("left", "center", "topleft", "top", "bottomleft", "bottom")
_FIELD = re.compile(r"chroma_sample_loc_type_top_field\s+[01]+ = (\d+)")


def chroma_location(stream: VideoStream) -> str | None:
    """FFmpeg's name of the location; None where the stream does not say it or is of another codec."""
    if stream.codec_context.name not in ("h264", "hevc"):
        return None
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        with av.logging.Capture() as lines:
            BitStreamFilterContext("trace_headers", stream)
    except (av.FFmpegError, ValueError):
        return None
    finally:
        av.logging.set_level(level)
    found = [int(match[1]) for _, _, text in lines if (match := _FIELD.search(text))]
    return _NAMES[found[0]] if found and found[0] < len(_NAMES) else None
