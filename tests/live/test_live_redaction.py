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
from stream.errors import SecretMissing, StreamError, UnsupportedUri
from stream.live.summary import plain
from stream.media.credentials import fill_in, remember_options, split_user_info
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
    assume(not _NEXT_ADDRESS.search(password))
    shown = redact(f"{scheme}://{user}:{password}@{host}{path}")
    assert password not in shown.replace(host, "").replace(path, "")
    assert shown == f"{scheme}://***@{host}{shown_path(scheme, path)}"
    assert redact(shown) == shown


_NEXT_ADDRESS = re.compile(r"[\s,;|\"'<>()\[\]=][a-z][a-z0-9+.-]*://", re.IGNORECASE)
"""What begins a second address in a text, unless it is known to belong to a password."""


def shown_path(scheme: str, path: str) -> str:
    """Of RTMP the last part after the application is the key to publish with."""
    return re.sub(r"^(/[^/?]+/(?:[^/?]+/)*)[^/?]+", r"\1***", path) if scheme == "rtmp" else path


def test_user_names_and_passwords_with_blanks_are_known_before_the_address_is_opened() -> None:
    for user_info in ("admin:123 secret", "user name:pass", "viewer:p@ss/w?rd#1:2% x", "u:a b@c d", "u:p@ss word"):
        assert (
            redact(f"cannot open rtsp://{user_info}@cam:554/x: refused") == "cannot open rtsp://***@cam:554/x: refused"
        )
    assert redact("[rtsp @ 0x55] rtsp://cam:554/x is lost [h264 @ 0x66]").count("cam:554/x") == 1


@given(SCHEMES, USERS, PASSWORDS, st.sampled_from(["cam.local:8554", "192.168.1.20", "[fe80::1]:554"]), BEFORE, AFTER)
@example("rtsp", "viewer", "p@ss/w?rd#1:2% x", "127.0.0.1:18554", "'", "'")
@example("rtsp", "u", "it's@a b", "127.0.0.1:554", "url='", "': refused")
@example("rtsp", "u", "x ,a://b@c d", "127.0.0.1:554", "", "")
@settings(deadline=None, max_examples=150)
def test_addresses_that_were_opened_never_show(
    scheme: str, user: str, password: str, host: str, before: str, after: str
) -> None:
    assume("{" not in password and not _digits_then_path(password) and ":" not in user)
    forget()
    try:
        uri = f"{scheme}://{user}:{password}@{host}/live/1"
        try:
            opened = fill_in(uri)
        except UnsupportedUri:  # which remembers as well
            opened = uri
        for address in (uri, opened, unquote(opened)):
            shown = redact(f"{before}{address}{after}")
            for secret in (password, quote(password, safe=""), unquote(password)):
                assert secret not in shown.replace(before, "").replace(after, "").replace(host, "") or len(secret) < 4
            assert host in shown
    finally:
        forget()


@given(SCHEMES, USERS, PASSWORDS, HOSTS, PATHS, BEFORE, AFTER)
@settings(deadline=None, max_examples=150)
def test_encoded_passwords_in_any_line(
    scheme: str, user: str, password: str, host: str, path: str, before: str, after: str
) -> None:
    encoded = quote(password, safe="")
    line = f"{before}{scheme}://{user}:{encoded}@{host}{path}{after}"
    shown = redact(line)
    assert shown == f"{before}{scheme}://***@{host}{shown_path(scheme, path)}{after}"


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
        ("rtmp://server/app/cam1", "rtmp://server/app/***"),
        ("rtmp://server/app", "rtmp://server/app"),
        ("rtmp://server/app/inst/k1?pw=x&n=1: refused", "rtmp://server/app/inst/***?pw=***&n=1: refused"),
        ("'rtmp://server/app/k1': refused", "'rtmp://server/app/***': refused"),
        ("http://h/x?token=abc: 401", "http://h/x?token=***: 401"),
        ("(http://h/x?n=1&token=abc), then", "(http://h/x?n=1&token=***), then"),
        ("http://h/x?pw=a&p=b&loginpas=c&hmac=d&ptz=5", "http://h/x?pw=***&p=***&loginpas=***&hmac=***&ptz=5"),
        ("rtspsrc location=rtsp://h/x user-pw=s3,c ! x", "rtspsrc location=rtsp://h/x user-pw=*** ! x"),
        ("proxy-pw = (string)\"a b\" ! fakesink", "proxy-pw = *** ! fakesink"),
        ('{"uri": "gst:x user-pw=abc", "n": 1}', '{"uri": "gst:x user-pw=***", "n": 1}'),
        ("X-Api-Key: abc", "X-Api-Key: ***"),
        ("Cookie: a=b; c=d\r\nHost: cam", "Cookie: ***\r\nHost: cam"),
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
    assume("%" not in user and not re.search("%[0-9a-fA-F]{2}", password) and "{" not in password)
    assume(not _digits_then_path(password) and not re.search(r"@.*[?][\w.-]+=|@\w+([.]|:\d)", password))
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
        ("u:p@10.0.0.9/x@1.5/y", "u:p", "10.0.0.9/x@1.5/y"),
        ("u:p@10.0.0.9/x@sub", "u:p", "10.0.0.9/x@sub"),
        ("u:p@10.0.0.9/x?mail=a@b.org", "u:p", "10.0.0.9/x?mail=a@b.org"),
        ("viewer:p@ss/w?rd#1:2% x@127.0.0.1:18554/auth", "viewer:p@ss/w?rd#1:2% x", "127.0.0.1:18554/auth"),
        ("u:p@ss/w@camera:554/stream", "u:p@ss/w", "camera:554/stream"),
        ("u:p@ss/w@localhost/stream", "u:p@ss/w", "localhost/stream"),
        ("u:p@camera", "u:p", "camera"),
        ("cam:554/x@1", "", "cam:554/x@1"),
        ("cam/x@1.5/y", "", "cam/x@1.5/y"),
        ("[::1]:554/x", "", "[::1]:554/x"),
        ("@239.0.0.1:1234", "", "239.0.0.1:1234"),
    ],
)
def test_where_credentials_end(rest: str, user_info: str, address: str) -> None:
    assert split_user_info(rest) == (user_info, address)


@pytest.mark.parametrize(
    "rest",
    [
        "user:p@ss/w@camera/stream",
        "user:p/w@ss/w@camera/stream",
        "u:secret@cam/x@sub",
        "u:secret@cam/x?mail=a@b.org",
        "u:secret@cam.local/x@b.org",
    ],
)
def test_an_address_that_can_be_read_in_two_ways_is_refused(rest: str) -> None:
    with pytest.raises(UnsupportedUri, match=r"two ways.*Percent-encode") as failure:
        fill_in(f"rtsp://{rest}")
    assert not re.search("ss/w|p@|p/w|secret", str(failure.value))
    for password in ("secret", "p@ss/w", "p/w@ss/w"):
        assert password not in redact(f"it said {password}") or password not in rest


@pytest.mark.parametrize(
    ("given_password", "sent"), [("2% x", "2%25%20x"), ("100%", "100%25"), ("a%40b", "a%40b"), ("%zz%4", "%25zz%254")]
)
def test_a_raw_percent_sign_is_encoded_once(given_password: str, sent: str) -> None:
    assert fill_in(f"rtsp://u:{given_password}@cam.local/x") == f"rtsp://u:{sent}@cam.local/x"


def test_secrets_of_pipelines_and_options_are_remembered() -> None:
    fill_in('gst:rtspsrc user-pw="ab \\"cd ef" proxy-pw=x,y;z9 ! fakesink')
    remember_options({"headers": "X-Api-Key: k3y/k3y\r\nAccept: text/html", "cookies": "sid=77aa88bb", "fps": "25.5"})
    shown = redact('ab "cd ef, x,y;z9, k3y/k3y, text/html, sid=77aa88bb, 25.5')
    assert shown == "***, ***, ***, text/html, ***, 25.5"


def test_options_that_are_secrets_by_name_are_hidden_in_summaries() -> None:
    options = {"headers": "X-Other: abc", "cookies": "a=b", "passphrase": "hush", "fps": "25", "keyint": "50"}
    hidden = dict.fromkeys(("headers", "cookies", "passphrase"), "***")
    assert plain({"source_options": options}) == {"source_options": {**hidden, "fps": "25", "keyint": "50"}}


@pytest.mark.parametrize(
    "piece",
    [
        "rtsp://a:b@c ",
        "rtsp://a:b c",
        "@",
        "@a",
        "_a",
        "token=_a",
        "pass_",
        "'a",
        "-pw=",
        ":",
        "a.",
        "\\",
        "'rtsp://a:1 ",
    ],
)
def test_long_lines_are_worked_off_at_once(piece: str) -> None:
    """Each would take hours with a pattern that goes over the rest of the line at every place."""
    for text in (piece * 20_000, f"rtsp://u:{piece * 20_000}", f"token={piece * 20_000}"):
        assert redact(text)


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
