"""Credentials never show, hosts do: on odd URLs, in log lines, in errors, in tracebacks, in FFmpeg's own log."""

from __future__ import annotations

import base64
import json
import logging
import os
import re
import subprocess
import sys
import traceback
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import av
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from stream import redaction
from stream.errors import SecretMissing, StreamError
from stream.media.credentials import fill_in, split_user_info
from stream.media.network_errors import connection_error
from stream.media.sources.connection import SourceOptions, open_connection
from stream.redaction import RedactingFilter, redact, remember


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test remembers is forgotten by the next."""
    monkeypatch.setattr(redaction, "_SECRETS", redaction._Secrets())


def forget() -> None:
    redaction._SECRETS = redaction._Secrets()


SCHEMES = st.sampled_from(["rtsp", "rtsps", "http", "https", "rtmp", "srt", "RTSP", "hls+https"])
HOSTS = st.sampled_from(
    ["cam", "camera-7.example.org", "192.168.1.20", "[fe80::12ab]", "[2001:db8::1]", "cam.local:8554", "10.0.0.9:554"]
)
USERS = st.text("abcxyz019.-_%", min_size=1, max_size=8)
ODD = "@/?#:%&=+;,!$'()*~._-^|{}[]<>\\\"` äß€"
PASSWORDS = st.text(st.sampled_from("abcXYZ019" + ODD), min_size=4, max_size=14)
PATHS = st.sampled_from(["", "/", "/live", "/Streaming/Channels/101", "/live?channel=1&subtype=0", "/a/b.m3u8#t"])
BEFORE = st.sampled_from(
    ["", "opening ", "Error opening input: '", 'url="', "cannot open (", "[rtsp @ 0x55d] ", "a,b: "]
)
BETWEEN = st.sampled_from([" ", ", ", ",", " -> ", "\n", "|"])
AFTER = st.sampled_from(
    ["", " failed", "': Connection refused", '", retry in 2 s', ")", ": 401 Unauthorized\n", "\ttail"]
)


@given(SCHEMES, USERS, PASSWORDS, HOSTS, PATHS)
@example("rtsp", "admin", "p@ss/w?rd#1:%41", "cam.local:8554", "/live")
@example("rtsp", "admin", "a@b/c", "10.0.0.9:554", "/live")
@example("rtsp", "admin", "://x://y", "cam", "/live")
@settings(deadline=None, max_examples=150)
def test_a_url_alone(scheme: str, user: str, password: str, host: str, path: str) -> None:
    assume(not _reads_in_two_ways(password))
    shown = redact(f"{scheme}://{user}:{password}@{host}{path}")
    assert password not in shown.replace(host, "").replace(path, "")
    assert shown == f"{scheme}://***@{host}{path}"
    assert redact(shown) == shown


def _reads_in_two_ways(password: str) -> bool:
    """With a blank in it, what comes before could be an address and what follows the next word: ``host:554/x y``.

    Those of addresses that were opened are remembered and never show.
    """
    digits = re.match(r"\d{0,5}", password)
    assert digits is not None
    rest = password[digits.end() :]
    return any(c.isspace() for c in password) and (bool(digits[0]) or not rest[0].isalnum() or "@" in password)


@given(SCHEMES, USERS, PASSWORDS, HOSTS, PATHS, BEFORE, AFTER)
@settings(deadline=None, max_examples=150)
def test_encoded_passwords_in_any_line(
    scheme: str, user: str, password: str, host: str, path: str, before: str, after: str
) -> None:
    encoded = quote(password, safe="")
    line = f"{before}{scheme}://{user}:{encoded}@{host}{path}{after}"
    shown = redact(line)
    assert shown == f"{before}{scheme}://***@{host}{path}{after}"


@given(st.lists(st.tuples(SCHEMES, USERS, PASSWORDS, HOSTS, PATHS), min_size=2, max_size=4), BETWEEN)
@settings(deadline=None)
def test_several_urls_in_one_line(addresses: list[tuple[str, str, str, str, str]], between: str) -> None:
    urls = [
        f"{scheme}://{user}:{quote(password, safe='')}@{host}{path}" for scheme, user, password, host, path in addresses
    ]
    shown = redact(between.join(urls))
    for (_, _, password, host, _), url in zip(addresses, urls, strict=True):
        assert quote(password, safe="") not in shown.replace(host, "") or len(password) < 5
        assert f"***@{host}" in shown, url
    assert shown.count("***@") == len(urls)


@given(PASSWORDS, HOSTS, BEFORE, AFTER)
@settings(deadline=None, max_examples=100)
def test_whatever_was_remembered_never_shows(password: str, host: str, before: str, after: str) -> None:
    assume(len(password.strip()) >= 4 and password not in before + after + host)
    forget()
    remember(password)
    for spelled in (
        password,
        quote(password, safe=""),
        quote(password, safe="").lower(),
        quote(password),
        "".join(f"%{byte:02x}" for byte in password.encode()),
        json.dumps(password),
        json.dumps(password, ensure_ascii=False),
        repr(password),
    ):
        shown = redact(f"{before}{spelled}{after}")
        assert password not in shown
        assert quote(password, safe="") not in shown
        assert before in shown or not before.strip()
    forget()


def test_short_and_simple_secrets_leave_other_words_alone() -> None:
    for secret in ("live", "1234", "ab", "8"):
        remember(secret)
    assert redact("delivery of 12345 frames, live") == "delivery of 12345 frames, ***"
    assert redact("login 1234 user%3A1234%40cam") == "login *** user%3A***%40cam"
    assert redact("8 frames ab") == "8 frames ab"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rtsp://cam/live", "rtsp://cam/live"),
        ("rtsp://cam:554/live", "rtsp://cam:554/live"),
        ("rtsp://[::1]:554/x", "rtsp://[::1]:554/x"),
        ("rtsp://token123@cam/live", "rtsp://***@cam/live"),
        ("rtsp://:onlypass@cam/live", "rtsp://***@cam/live"),
        ("udp://@239.0.0.1:1234", "udp://@239.0.0.1:1234"),
        ("rtsp://host:554: Connection refused", "rtsp://host:554: Connection refused"),
        ("rtsp://user:secr", "rtsp://***"),
        ("rtsp://***@cam/live@2", "rtsp://***@cam/live@2"),
        ("mail me@example.org about rtsp://cam/x", "mail me@example.org about rtsp://cam/x"),
        ("http://h/x?token=abc&ok=1", "http://h/x?token=***&ok=1"),
        ("http://h/x?ok=1&X-Amz-Signature=abc", "http://h/x?ok=1&X-Amz-Signature=***"),
        ("http://h/x?user=a&pwd=b&password=c&auth=d&key=e", "http://h/x?user=a&pwd=***&password=***&auth=***&key=***"),
        ("http://h:554/user=admin_password=tlJwpbo6_channel=1", "http://h:554/user=admin_password=***_channel=1"),
        ("srt://h:9?passphrase=0123456789&latency=20", "srt://h:9?passphrase=***&latency=20"),
        ("srt://h:9?streamid=publish:cam:user:pass&x=1", "srt://h:9?streamid=publish:cam:***&x=1"),
        ("rtmp://live.example/live2/abcd-efgh-ijkl-mnop", "rtmp://live.example/live2/***"),
        ("rtmp://server/app/cam1", "rtmp://server/app/cam1"),
        ("Authorization: Basic dXNlcjpwYXNz\r\nHost: cam", "Authorization: ***\r\nHost: cam"),
        ('Authorization: Digest username="u", response="abc"', "Authorization: ***"),
        ("Proxy-Authorization: Bearer abcdefgh1", "Proxy-Authorization: ***"),
        ("got Bearer abcdefgh.12345 today", "got Bearer *** today"),
        ("{'password': 'hush', 'n': 1}", "{'password': ***, 'n': 1}"),
        ("passphrase=hush, latency=20", "passphrase=***, latency=20"),
        ("key_every=2.0 passes=3", "key_every=2.0 passes=3"),
        ("nothing to hide", "nothing to hide"),
        ("", ""),
    ],
)  # fmt: skip
def test_examples(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


def test_urls_in_json_and_reprs_keep_their_surroundings() -> None:
    told = json.dumps({"uri": "rtsp://u:p@ss'w@cam/x", "mail": "a@b.c", "other": "http://u:q@h/y"})
    assert json.loads(redact(told)) == {"uri": "rtsp://***@cam/x", "mail": "a@b.c", "other": "http://***@h/y"}


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=100)
def test_any_text_survives_and_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


# --- addresses that are opened


@given(SCHEMES, USERS, PASSWORDS, st.sampled_from(["cam.local:8554", "192.168.1.20", "[fe80::1]:554"]))
@settings(deadline=None, max_examples=60)
def test_odd_passwords_reach_the_library_encoded_and_are_remembered(
    scheme: str, user: str, password: str, host: str
) -> None:
    assume(not set(user) & {"%"} and "%" not in password and "{" not in password and "@" not in password[-1:])
    assume(":" not in user and not (password[:1].isdigit() and _digits_then_path(password)))
    forget()
    try:
        filled = fill_in(f"{scheme}://{user}:{password}@{host}/live")
        parts = urlsplit(filled)
        assert unquote(parts.password or "") == password
        assert filled.endswith(f"@{host}/live")
        if len(password) >= 4:
            assert password not in redact(f"failed for {password} today")
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        assert encoded not in redact(f"sent {encoded}")
    finally:
        forget()


def _digits_then_path(password: str) -> bool:
    """Such a password looks like a port and must be percent-encoded."""
    rest = password.lstrip("0123456789")
    return not rest or rest[0] in "/?#"


def test_secrets_from_the_environment_and_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "cam"
    secret.write_text("  s3cr@t/from file \n")
    given_environment = {"CAM_USER": "ann", "CAM_PASS": "pa ss/1@"}
    assert fill_in("rtsp://{CAM_USER}:{CAM_PASS}@cam/live", given_environment) == "rtsp://ann:pa%20ss%2F1%40@cam/live"
    assert fill_in(f"rtsp://ann:{{file:{secret}}}@cam/live", {}) == "rtsp://ann:s3cr%40t%2Ffrom%20file@cam/live"
    assert redact("said 'pa ss/1@' and s3cr@t/from file") == "said '***' and ***"
    secret.write_text("bob:tiger:2\n")
    assert fill_in(f"rtsp://{{file:{secret}}}@cam/live", {}) == "rtsp://bob:tiger%3A2@cam/live"
    assert fill_in("http://cam/x?token={CAM_PASS}", given_environment) == "http://cam/x?token=pa%20ss%2F1%40"


def test_missing_secrets_are_named(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing, match="CAM_PASS") as failure:
        fill_in("rtsp://ann:{CAM_PASS}@cam/live", {})
    assert failure.value.exit_code == 2
    with pytest.raises(SecretMissing, match="nowhere"):
        fill_in(f"rtsp://ann:{{file:{tmp_path / 'nowhere'}}}@cam/live", {})


def test_pipelines_keep_their_braces() -> None:
    text = "gst:videotestsrc ! video/x-raw,format={NV12,I420},x={ NV12 } ! rtspsrc location={CAM_URL}"
    assert fill_in(text, {"CAM_URL": "rtsp://a:longsecret@h/x"}).endswith("location=rtsp://a:longsecret@h/x")
    assert "{NV12,I420},x={ NV12 }" in fill_in(text, {"CAM_URL": "x"})


@pytest.mark.parametrize(
    ("rest", "user_info", "address"),
    [
        ("u:p@cam/x", "u:p", "cam/x"),
        ("u:p@cam/x@1", "u:p", "cam/x@1"),
        ("u:a/b@cam/x", "u:a/b", "cam/x"),
        ("u:a@b/c@10.0.0.9/x", "u:a@b/c", "10.0.0.9/x"),
        ("cam:554/x@1", "", "cam:554/x@1"),
        ("cam/x@1.5/y", "", "cam/x@1.5/y"),
        ("[::1]:554/x", "", "[::1]:554/x"),
        ("@239.0.0.1:1234", "", "239.0.0.1:1234"),
    ],
)
def test_where_credentials_end(rest: str, user_info: str, address: str) -> None:
    assert split_user_info(rest) == (user_info, address)


# --- everything that leaves


def logged(caplog_text: list[str], handler_filter: logging.Filter) -> logging.Logger:
    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            caplog_text.append(self.format(record))

    handler = Keep()
    handler.addFilter(handler_filter)
    logger = logging.getLogger(f"test-redaction-{id(caplog_text)}")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    return logger


def test_records_arguments_and_tracebacks_are_redacted() -> None:
    lines: list[str] = []
    logger = logged(lines, RedactingFilter())
    logger.info("opening %s in %d s", "rtsp://u:topsecret@cam/x", 3)
    try:
        raise OSError("cannot open rtsp://u:topsecret@cam/x")
    except OSError:
        logger.exception("lost", stack_info=True)
    assert "opening rtsp://***@cam/x in 3 s" in lines[0]
    assert "Traceback" in lines[1]
    assert "topsecret" not in "".join(lines)


def test_wrapped_errors_of_the_library_show_no_password() -> None:
    address = "rtsp://ann:topsecret@127.0.0.1:1/x"
    with pytest.raises(OSError, match="topsecret") as original:
        av.open(address, timeout=5)
    with pytest.raises(StreamError) as failure:
        open_connection(address, SourceOptions())
    trace = "".join(traceback.format_exception(failure.value))
    for shown in (str(failure.value), repr(failure.value), repr(connection_error(original.value, address)), trace):
        assert "topsecret" not in shown
    assert "127.0.0.1:1/x" in str(failure.value)


def test_ffmpegs_own_log_is_redacted_in_the_whole_process(tmp_path: Path) -> None:
    """In a process of its own, with everything switched on: what FFmpeg prints has no password in it."""
    code = """
import logging, sys
import av, av.logging
from stream.redaction import redact_all_logging, remember
redact_all_logging(); redact_all_logging()
logging.basicConfig(level=1, stream=sys.stdout)
logging.getLogger("libav").setLevel(1)
av.logging.set_level(av.logging.TRACE)
for address in ("rtsp://ann:topsecret@127.0.0.1:1/x", "http://ann:topsecret@127.0.0.1:1/x?token=hushhush"):
    try:
        av.open(address, timeout=5)
    except OSError:
        logging.getLogger("late.child").exception("not open")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONWARNINGS": "ignore"}, check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert "127.0.0.1" in told
    assert "libav" in told
    assert "topsecret" not in told
    assert "hushhush" not in told
