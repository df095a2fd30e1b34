"""Takes credentials out of any text before it leaves the program: logs, errors, notes, metrics, JSON.

Two nets: what looks like a credential (user info and secret parameters of URLs, Authorization headers), and the very
secrets that this process was given, in whatever form they are spelled. Where a text can be read in two ways, the
reading that hides more wins: a path with an ``@`` in it may lose its host, and so may ``rtsp://cam:554 asks me@home``,
because a user name or a password may hold blanks; a password never shows.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from urllib.parse import quote

MARK = "***"

_SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)
_NEXT_URL = re.compile(r"[\s,;|\"'<>()\[\]=][a-z][a-z0-9+.-]{0,30}://", re.IGNORECASE)
_BLANK = re.compile(r"\s")
_CLOSING = {quote: re.compile(rf"{quote}(?![\w%@])") for quote in "\"'`"}
_LINE_END = re.compile(r"[\r\n]")
_HOST_FOLLOWS = re.compile(r"@(?=[\w\[])")
_PORT_OR_NOTHING = re.compile(r"(?:\d{1,5})?[^\w%]*$|\*{3}")
_SECRET_NAME = re.compile(
    r"pas|pw|token|secret|key(?!int|_?frame|_every)|auth|sig|cred|session|hmac|headers?$|cookie", re.IGNORECASE
)
_TAIL = r"[:,.;)\]'\">]{1,3}"
"""Belongs to the sentence around a value, not to the value, where nothing follows it."""
_SECRET_PARAMETER = re.compile(
    r"(?P<name>(?:(?<![a-z])[\w.-]{0,40}?(?:pas|pw|token|secret|key|auth|sig|cred|session|hmac)[\w.-]{0,40}?"
    r"|(?<=[?&;])p)=)"
    rf"(?P<value>(?:(?!_\w{{1,40}}=)(?!{_TAIL}$)[^&\s])*)",
    re.IGNORECASE,
)
_STREAM_ID = re.compile(r"(?P<name>\bstreamid=\w+:[^:&\s]+:)[^&\s]+", re.IGNORECASE)
"""``streamid=publish:path:user:password`` of media servers over SRT."""
_STREAM_KEY = re.compile(rf"^(?P<kept>rtmps?://[^/\s]+/(?:[^/\s?]+/)+)(?:(?!{_TAIL}$)[^/\s?])+", re.IGNORECASE)
"""The last part of an RTMP address, after the application, is what allows to publish there."""
_QUOTED = r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
_ASSIGNED = re.compile(
    r"(?P<name>(?<![a-z0-9])(?:password|passwd|passphrase|pwd|pw|secret|hmac|(?:access[_-]?)?token|"
    r"(?:api|access|stream|private)[_-]?key)[\"']?\s*[=:]\s*)"
    rf"(?P<value>{_QUOTED}|(?:(?!{_TAIL}(?:\s|$))(?!_\w{{1,40}}=)[^\s,;&\"'])+(?:'\w[^\s,;&\"']*)*)",
    re.IGNORECASE,
)
_PIPELINE_PASSWORD = re.compile(
    rf"(?P<name>-pw\s*=\s*(?:\(\w+\)\s*)?)(?P<value>{_QUOTED}|(?:(?![\"'](?:[\s,:;)}}\]]|$))\S)+)", re.IGNORECASE
)
"""``user-pw=...`` and ``proxy-pw=...`` of GStreamer's elements: a word up to the next blank, or quoted."""
_AUTHORIZATION = re.compile(
    r"(?P<name>\b(?:(?:proxy-)?authorization|(?:set-)?cookies?)[\"']?\s*[:=]\s*[\"']?)(?:(?!\\r|\\n)[^\r\n])+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?P<name>Bearer\s+)[\w.~+/=-]{8,}")

_STRONG_LENGTH = 8
_SHORTEST = 3


class _Secrets:
    """The literal secrets of this process, as one pattern."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        with self._lock:
            if secret in self._known:
                return
            self._known.add(secret)
            longest_first = sorted(self._known, key=len, reverse=True)
            self.pattern = re.compile("|".join(map(_spellings, longest_first)))


_SECRETS = _Secrets()


def remember(secret: str) -> None:
    """From now on ``secret`` is taken out of every text, percent-encoded or escaped as it may be.

    Secrets of one or two characters are left to the rules for URLs: without them no text would stay readable. Short or
    simple ones are matched as whole words only, so that a password ``live`` does not blot out ``delivery``.
    """
    if len(secret) >= _SHORTEST:
        _SECRETS.add(secret)


def redact(text: str) -> str:
    """``text`` without credentials; hosts, ports and paths stay. Redacting twice changes nothing."""
    pattern = _SECRETS.pattern
    if pattern is not None:  # first, because the rules below may take a part of a secret and leave the rest
        text = pattern.sub(MARK, text)
    text = _PIPELINE_PASSWORD.sub(rf"\g<name>{MARK}", text)
    if "://" in text:
        text = _redact_urls(text)
    text = _AUTHORIZATION.sub(rf"\g<name>{MARK}", text)
    text = _BEARER.sub(rf"\g<name>{MARK}", text)
    text = _ASSIGNED.sub(rf"\g<name>{MARK}", text)
    return pattern.sub(MARK, text) if pattern is not None else text


def is_secret_name(name: str) -> bool:
    """True for an option, a parameter or a header whose value is a credential by its name, such as ``passphrase``."""
    return _SECRET_NAME.search(name) is not None


def _spellings(secret: str) -> str:
    """A pattern for a secret with each character plain, percent-encoded, or escaped as in JSON and Python's repr."""
    body = "".join(_spellings_of(character) for character in secret)
    simple = len(secret) < _STRONG_LENGTH or secret.isalpha() or secret.isdigit()
    if not simple:
        return body
    return rf"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{{2}}))(?:{body})(?![A-Za-z0-9])"


def _spellings_of(character: str) -> str:
    encoded = "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
    plain = {
        character,
        quote(character, safe="", errors="replace"),
        json.dumps(character)[1:-1],
        repr(character)[1:-1],
        f"\\{character}" if character in "\"'\\" else character,
        "+" if character == " " else character,
    }
    spelled = sorted(map(re.escape, plain), key=len, reverse=True)
    return f"(?:{'|'.join(spelled)}|(?i:{encoded}))"


def _redact_urls(text: str) -> str:
    done: list[str] = []
    position = 0
    while (match := _SCHEME.search(text, position)) is not None:
        end = _end_of_url(text, match.end(), text[match.start() - 1] if match.start() else "")
        done += [text[position : match.start()], _redact_url(match[0], text[match.end() : end])]
        position = end
    return "".join([*done, text[position:]])


def _end_of_url(text: str, start: int, before: str) -> int:
    """Where a URL ends whose scheme ends at ``start``; a password with blanks or quotes in it belongs to it."""
    following = _NEXT_URL.search(text, start)
    limit = following.start() if following else len(text)
    if line := _LINE_END.search(text, start, limit):
        limit = line.start()
    if (closing := _CLOSING.get(before)) and (closed := closing.search(text, start, limit)):
        limit = closed.start()
    end = _next_blank(text, start, limit)
    if text.startswith(MARK, start) and (end == start + len(MARK) or text.startswith("@", start + len(MARK))):
        return end
    if ":" not in re.split(r"[/?#]", text[start:limit], maxsplit=1)[0]:
        return end
    last = start
    for found in _HOST_FOLLOWS.finditer(text, start, limit):
        last = found.start()
    if last <= end and _credentials_are_cut(text[start:end]):
        last = max(text.find("@", end, limit), last)
    return _next_blank(text, last, limit) if last > end else end


def _next_blank(text: str, start: int, limit: int) -> int:
    blank = _BLANK.search(text, start, limit)
    return blank.start() if blank else limit


def _credentials_are_cut(body: str) -> bool:
    """True for ``user:pass`` where a host and a port should be: the rest of the password must follow."""
    if "@" in body:
        return False
    authority = re.split(r"[/?#]", body, maxsplit=1)[0]
    if authority.startswith("[") or (authority.count(":") > 1 and not re.search(r"[^0-9a-fA-F:]", authority)):
        return False
    _, colon, port = authority.partition(":")
    return bool(colon) and _PORT_OR_NOTHING.match(port) is None


def _redact_url(scheme: str, body: str) -> str:
    authority = re.split(r"[/?#]", body, maxsplit=1)[0]
    if body.startswith(f"{MARK}@"):
        rest = body[len(MARK) + 1 :]
        shown = f"{MARK}@{rest}"
    elif "@" in authority or ("@" in body and ":" in authority):
        user, _, rest = body.rpartition("@")
        shown = f"{MARK}@{rest}" if user else body
    elif _credentials_are_cut(body):
        shown = MARK
    else:
        shown = body
    shown = _STREAM_ID.sub(rf"\g<name>{MARK}", shown)
    shown = _SECRET_PARAMETER.sub(rf"\g<name>{MARK}", shown)
    return _STREAM_KEY.sub(rf"\g<kept>{MARK}", scheme + shown)


class RedactingFilter(logging.Filter):
    """For handlers and loggers: message, traceback and stack of each record go through ``redact``."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: records are changed, never dropped."""
        record.msg, record.args = redact(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None  # handlers that format it themselves would show it as it was
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


def redact_all_logging() -> None:
    """Redacts every record of this process as it is made, whoever logs and handles it; FFmpeg's own lines too."""
    make, redacting = logging.getLogRecordFactory(), RedactingFilter()
    if getattr(make, "redacting", False):
        return

    def factory(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        redacting.filter(record)
        return record

    factory.redacting = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)
