"""Decodes one packet of video, and says how much of it was damaged."""

from __future__ import annotations

import av
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream


def decoded(stream: VideoStream, packet: Packet[Stream]) -> tuple[list[av.VideoFrame], int]:
    """The pictures that are ready, and how many were lost or decoded with errors."""
    try:
        pictures: list[av.VideoFrame] = stream.decode(packet)
    except av.FFmpegError:
        return [], 1
    return pictures, sum(1 for picture in pictures if picture.is_corrupt)
