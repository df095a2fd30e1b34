"""What can go wrong with a segmenter's files, each with what to do next."""

from __future__ import annotations

from stream.errors import StreamError


class ModelNotFound(StreamError):
    """No segmenter of that name is installed, or can be pulled."""

    exit_code = 2


class ModelExists(StreamError):
    """A segmenter of that name is installed already and replacing it was not asked for."""

    exit_code = 2


class ModelRefused(StreamError):
    """A name or a file that cannot be used: no model of SAM's interface."""

    exit_code = 2


class ModelDamaged(StreamError):
    """The files are not what the card beside them says."""


class DownloadFailed(StreamError):
    """There is no client, it failed, or what came is not what was expected."""
