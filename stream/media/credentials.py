"""Addresses with credentials: placeholders filled in, odd passwords encoded, and every secret remembered for redaction.

``rtsp://{CAM_USER}:{CAM_PASS}@host/x`` takes them from the environment, ``{file:/run/secrets/cam}`` from a file (blanks
and line ends around its contents are stripped; ``user:password`` in one file is fine).
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from stream.errors import SecretMissing
from stream.redaction import redact, remember

_PLACEHOLDER = re.compile(r"\{(?:file:(?P<path>[^{}]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))\}")
_URL = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)$", re.IGNORECASE | re.DOTALL)
_PORT = re.compile(r"\d{1,5}$")
_CLEAR_HOST = re.compile(r"(?:\[[0-9a-fA-F:.%]+\]|[\w-]+(?:\.[\w-]+)+|[\w-]+(?=:\d))(?::\d{1,5})?(?:/|$)")
_SECRET_NAME = re.compile(r"pass|pwd|token|secret|key|auth|sig|cred", re.IGNORECASE)
_QUERY_VALUE = re.compile(r"[?&;]([^=&;?#]+)=([^&#]+)")
_KEEP = "%!$'()*+,;=~-._"
"""Stays as it is in user names and passwords; ``%`` because those that are encoded already must not be twice."""


def fill_in(uri: str, environment: Mapping[str, str] | None = None) -> str:
    """The address as a library can open it: never show it, show ``redact(uri)``.

    Raises SecretMissing, which names the variable or file that is not there.
    """
    environment = os.environ if environment is None else environment
    match = _URL.match(uri)
    if match is None:
        return _fill_pipeline(uri, environment)
    scheme, rest = match["scheme"], _PLACEHOLDER.sub(lambda found: _encoded(found, environment, uri), match["rest"])
    user_info, rest = split_user_info(rest)
    _remember_parameters(rest)
    if not user_info:
        return f"{scheme}://{rest}"
    user, colon, password = user_info.partition(":")
    if password:
        for spelled in {password, unquote(password)}:
            remember(spelled)
        plain = f"{unquote(user)}:{unquote(password)}".encode()
        remember(base64.b64encode(plain).decode())
    return f"{scheme}://{quote(user, safe=_KEEP)}{colon}{quote(password, safe=_KEEP)}@{rest}"


def split_user_info(rest: str) -> tuple[str, str]:
    """What is before and after the ``@`` of what follows ``://``. A ``/``, ``?`` or ``#`` may be in the password.

    Where an address can be read in two ways, a host with a dot, a port or brackets after the last ``@`` decides; a
    password for which that fails must be percent-encoded.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    user_info, at, address = rest.rpartition("@")
    _, colon, port = authority.partition(":")
    if not at or not ("@" in authority or (colon and not authority.startswith("[") and not _PORT.match(port))):
        return "", rest
    if "@" in authority and not _CLEAR_HOST.match(address):
        end = authority.rindex("@")
        return rest[:end], rest[end + 1 :]
    return user_info, address


def remember_options(options: Mapping[str, str]) -> None:
    """Remembers the values of options that are secrets by their names, such as ``passphrase``."""
    for name, value in options.items():
        if _SECRET_NAME.search(name):
            remember(value)


def _remember_parameters(rest: str) -> None:
    for name, value in _QUERY_VALUE.findall(rest):
        if _SECRET_NAME.search(name):
            remember(value)
            remember(unquote(value))


def _encoded(found: re.Match[str], environment: Mapping[str, str], uri: str) -> str:
    value = _value(found, environment, uri)
    whole_user_info = found.start() == 0 and found.string[found.end() : found.end() + 1] == "@"
    if not whole_user_info:
        if found.string[: found.start()].count("?"):
            remember(value)
        return quote(value, safe="")
    user, colon, password = value.partition(":")
    return quote(user, safe="") + colon + quote(password, safe="")


def _fill_pipeline(text: str, environment: Mapping[str, str]) -> str:
    """Braces also belong to the language of pipelines: only variables that exist, and files, are filled in."""

    def value(found: re.Match[str]) -> str:
        if found["name"] and found["name"] not in environment:
            return found[0]
        filled = _value(found, environment, text)
        remember(filled)
        return filled

    return _PLACEHOLDER.sub(value, text)


def _value(found: re.Match[str], environment: Mapping[str, str], uri: str) -> str:
    name, path = found["name"], found["path"]
    if name:
        if name not in environment:
            raise SecretMissing(
                f"{redact(uri)} needs the environment variable {name}, which is not set",
                do=f"Set {name}, or write {{file:PATH}} to read it from a file",
            )
        return environment[name]
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        raise SecretMissing(
            f"{redact(uri)} needs the file {path}, which cannot be read: {type(error).__name__}",
            do="Create it with the secret as its only contents, readable for this user",
        ) from None
