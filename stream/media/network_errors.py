"""FFmpeg's errors of network addresses, sorted into typed errors with advice. Nothing here shows a credential."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from urllib.parse import urlsplit

import av

from stream.errors import (
    AddressNotFound,
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimedOut,
    HostUnknown,
    OptionRefused,
    ServerError,
    StreamError,
    TlsFailed,
    UnsupportedUri,
)
from stream.redaction import redact

_UNANSWERED = (av.error.InvalidDataError, PermissionError)
"""What FFmpeg's RTSP makes of an answer that never comes, to its first questions and to its last."""
_ENCRYPTED = ("rtsps", "https", "rtmps", "tls")
_NO_ROUTE = (errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH)


def connection_error(
    error: BaseException, uri: str, *, opening: bool = True, silent_s: float | None = None
) -> StreamError:
    """What ``error``, raised for ``uri`` by PyAV, means to a user. Raise it ``from None``: the original shows the URL.

    ``opening``: while connecting; else while data was passing. ``silent_s``: for how long nothing had come then, where
    it was that long.
    """
    shown, scheme = redact(uri), uri.partition(":")[0].lower()
    number = getattr(error, "errno", None) or 0
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        refused = "refuses this user" if isinstance(error, av.error.HTTPForbiddenError) else "asks for a login"
        return AuthenticationFailed(
            f"{shown}: the server {refused}: user name or password are missing or wrong",
            do="Check them, in the address or in the variables and files that it names",
        )
    if isinstance(error, av.error.HTTPNotFoundError):
        return AddressNotFound(f"{shown}: the server has no such stream (404)", do="Check the path of the address")
    if isinstance(error, (av.error.HTTPServerError,)):
        return ServerError(f"{shown}: the server reports a fault of its own (5xx)", do="Look into the server's log")
    if isinstance(error, (av.error.HTTPBadRequestError, av.error.HTTPClientError)):
        return ServerError(
            f"{shown}: the server does not accept the request (4xx)",
            do="Check the path; over RTSP another transport may help: tcp instead of udp, or the other way round",
        )
    if isinstance(error, ConnectionRefusedError):
        return ConnectionRefused(f"{shown}: nothing listens there", do="Check host and port, and that the server runs")
    over = isinstance(error, (av.error.ExitError, av.error.TimeoutError, TimeoutError))
    if over or (opening and silent_s is not None and isinstance(error, _UNANSWERED)):
        waited = "no answer in time" if silent_s is None else f"no answer arrived within {silent_s:.0f} s"
        said = waited if opening else "no data any more"
        return ConnectionTimedOut(f"{shown}: {said}", do="Check the network, and that the camera or server is alive")
    if isinstance(error, (av.error.ProtocolNotFoundError, av.error.DemuxerNotFoundError)):
        return UnsupportedUri(
            f"{shown}: this build of FFmpeg has no way to open it, or it leads where it may not",
            do="Give an address of another kind",
        )
    if isinstance(error, (av.error.OptionNotFoundError, av.error.ArgumentError)):
        return OptionRefused(f"{shown}: an option is not accepted", do="Check the options that were given for it")
    if number in _NO_ROUTE:
        return HostUnknown(f"{shown}: there is no route to the host", do="Check the network and the address")
    if opening and number == errno.EIO:
        return _without_reason(uri, shown, scheme)
    if isinstance(error, av.error.InvalidDataError):
        said = "answers with something that is no video" if opening else "sends something that is no video"
        return ConnectionFailed(f"{shown}: the other side {said}", do="Check the address in a player")
    said = "cannot be opened" if opening else "was lost"
    kind = ConnectionFailed if opening else ConnectionLost
    return kind(f"{shown} {said}: {_words(error)}", do="Check the network and the other side")


def _without_reason(uri: str, shown: str, scheme: str) -> StreamError:
    """FFmpeg only says "input/output error" for names that cannot be resolved, failed handshakes and silent senders."""
    with suppress(ValueError):
        try:
            socket.getaddrinfo(urlsplit(uri).hostname or "localhost", None)
        except OSError:
            return HostUnknown(f"{shown}: the host is unknown", do="Check its spelling, and the name server")
    if scheme in _ENCRYPTED:
        return TlsFailed(
            f"{shown}: no encrypted connection could be set up",
            do="Check the port, that the server speaks TLS, and with tls_verify=1 its certificate",
        )
    if scheme in ("udp", "rtp", "srt"):
        return ConnectionTimedOut(f"{shown}: nothing comes in", do="Check that the sender runs and sends to this port")
    return ConnectionFailed(f"{shown} cannot be opened", do="Check the address, and that the server runs")


def _words(error: BaseException) -> str:
    """What the system says, without the address that FFmpeg's errors carry."""
    return redact(str(getattr(error, "strerror", None) or type(error).__name__))
