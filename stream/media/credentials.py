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

from stream.errors import SecretMissing, UnsupportedUri
from stream.redaction import is_secret_name, redact, remember

_PLACEHOLDER = re.compile(r"\{(?:file:(?P<path>[^{}]+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*))\}")
_URL = re.compile(r"^(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.*)$", re.IGNORECASE | re.DOTALL)
_PORT = re.compile(r"\d{1,5}$")
_NAME = r"(?:[\w-]*[^\W\d][\w-]*)"
_HOST = re.compile(
    rf"(?P<clear>\[[0-9a-fA-F:.%]+\]|\d+(?:\.\d+){{3}}|(?:[\w-]+\.)+{_NAME}\.?|localhost|{_NAME}(?=:\d))?"
    rf"(?(clear)|{_NAME})(?::\d{{1,5}})?(?:[/?#]|$)"
)
"""What an address can go on with after its credentials; ``clear`` where it is hardly a part of a password."""
_QUERY = re.compile(r"\?[\w.-]+=")
_QUERY_VALUE = re.compile(r"[?&;]([^=&;?#]+)=([^&#]+)")
_PIPELINE_SECRET = re.compile(
    r"(?<![a-z0-9])(?:pw|passw(?:or)?d|passphrase|secret|token|[a-z]+-key)\s*=\s*(?:\(\w+\)\s*)?"
    r"(?:\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'|(\S+))",
    re.IGNORECASE,
)
_HEADER = re.compile(r"^\s*([^:\r\n]+):\s*(.+?)\s*$", re.MULTILINE)
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_KEEP = "%!$'()*+,;=~-._"
"""Stays as it is in user names and passwords; ``%`` because those that are encoded already must not be twice."""


def fill_in(uri: str, environment: Mapping[str, str] | None = None) -> str:
    """The address as a library can open it: never show it, show ``redact(uri)``.

    Raises SecretMissing, which names the variable or file that is not there, and UnsupportedUri where nothing tells at
    which ``@`` the host begins.
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
    return f"{scheme}://{_quoted(user)}{colon}{_quoted(password)}@{rest}"


def split_user_info(rest: str) -> tuple[str, str]:
    """What is before and after the ``@`` of what follows ``://``. A ``/``, ``?`` or ``#`` may be in the password.

    Where an address can be read in two ways, the one host with a dot, a port or brackets decides; one in the query
    does not count. Raises UnsupportedUri where that does not tell: a password must not go to a wrong host.
    """
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    _, colon, port = authority.partition(":")
    first = authority.rfind("@")
    if first < 0 and (not colon or authority.startswith("[") or _PORT.match(port)):
        return "", rest
    hosts = [(i, found) for i in _ats(rest, first) if (found := _HOST.match(rest, i + 1))]
    clear = [i for i, found in hosts if found["clear"] and not _QUERY.search(rest, hosts[0][0], i)]
    if len(clear) != 1 and len(hosts) > 1:
        for i, _ in hosts:
            remember(rest[:i].partition(":")[2])
        raise UnsupportedUri(
            f"{redact('x://' + rest).partition('://')[2]}: the address can be read in two ways, as it has several @",
            do="Percent-encode odd characters of the password (@ is %40, / is %2F), or give it as {NAME} from the"
            " environment; an @ in the path is %40 too",
        )
    end = clear[0] if clear else hosts[0][0] if hosts else first if first >= 0 else rest.rfind("@")
    return (rest[:end], rest[end + 1 :]) if end >= 0 else ("", rest)


def _ats(rest: str, first: int) -> list[int]:
    """Where an ``@`` stands, from ``first`` on."""
    return [found.start() for found in re.finditer("@", rest) if found.start() >= first]


def _quoted(text: str) -> str:
    return quote(_LONE_PERCENT.sub("%25", text), safe=_KEEP)


def remember_options(options: Mapping[str, str]) -> None:
    """Remembers the values of options that are secrets by their names, such as ``passphrase``; in headers those too."""
    for name, value in options.items():
        if not is_secret_name(name):
            continue
        headers = _HEADER.findall(value) if name.lower().startswith("header") else []
        for secret in [held for header, held in headers if is_secret_name(header)] if headers else [value]:
            remember(secret)


def _remember_parameters(rest: str) -> None:
    for name, value in _QUERY_VALUE.findall(rest):
        if is_secret_name(name) or name.lower() == "p":
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

    filled_text = _PLACEHOLDER.sub(value, text)
    for given in _PIPELINE_SECRET.findall(filled_text):
        secret = next(filter(None, given), "")
        remember(secret)
        remember(re.sub(r"\\(.)", r"\1", secret))
    return filled_text


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
