"""What can go wrong in this room, as types: the caller decides by type, the user reads the message."""

from __future__ import annotations


class EngineError(Exception):
    """Anything the engines refuse; the message says what happened and what to do next."""


class BundleError(EngineError):
    """A bundle is absent, incomplete, altered, of a format this version cannot read, or of a kind a mode cannot use."""


class DeviceError(EngineError):
    """The device asked for is unknown, or this installation cannot use it."""


class ModelError(EngineError):
    """A model cannot be opened, or does not take or give what its card says."""


class NotFiniteError(EngineError):
    """A model or a fit gave NaN or infinity for this picture: keep the previous grid, or the input, and count it."""
