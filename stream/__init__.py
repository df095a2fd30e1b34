"""Frames in time: sources, stages, sinks, and the pipeline that keeps them running.

``Pipeline`` (files), ``LiveRun`` (live streams) and ``Settings`` are loaded when first used, so that importing the
package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream.live.run import LiveRun
    from stream.pipeline import Pipeline
    from stream.settings import Settings

__all__ = ["LiveRun", "Pipeline", "Settings"]

_HOMES = {"LiveRun": "stream.live.run", "Pipeline": "stream.pipeline", "Settings": "stream.settings"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stream' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
