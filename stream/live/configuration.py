"""One stream as it was configured: where it comes from, where it goes, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass

from stream.settings import Settings


@dataclass(frozen=True, slots=True, repr=False)
class StreamConfig:
    """A live stream by name. ``source`` and ``outputs`` are URIs as they are opened, secrets already in their places.

    ``settings.output`` plays no part here: ``outputs`` says where the stream goes.
    """

    name: str
    source: str
    outputs: tuple[str, ...]
    settings: Settings

    def __repr__(self) -> str:
        """Without the URIs, which may hold passwords."""
        return f"StreamConfig(name={self.name!r}, outputs={len(self.outputs)})"
