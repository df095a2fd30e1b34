"""FFmpeg's own messages: silent unless asked for, then through Python's ``logging`` under the name ``libav``."""

from __future__ import annotations

import av.logging


def show_ffmpeg_log(level: int = av.logging.WARNING) -> None:
    """Routes messages up to this FFmpeg level to ``logging``; for ``--debug``."""
    av.logging.set_level(level)


def hide_ffmpeg_log() -> None:
    """Back to silence, which is PyAV's default."""
    av.logging.set_level(None)
