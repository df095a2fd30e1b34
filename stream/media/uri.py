"""URIs and paths: what to open, which files a folder or pattern means, and where the result goes by default."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stream.errors import InputNotFound, UnsupportedUri
from stream.media.containers import MUXERS
from stream.media.opening import PHOTO_SUFFIXES
from stream.media.sinks.partial import MARK

VIDEO_SUFFIXES = (
    *MUXERS, ".avi", ".webm", ".flv", ".mpg", ".mpeg", ".vob", ".wmv", ".3gp", ".mxf", ".ogv", ".mjpeg", ".mjpg",
)  # fmt: skip
_MILLISECONDS = (".webm", ".flv", ".wmv", ".asf")
ENHANCED = ".enhanced"
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+):(?://)?", re.IGNORECASE)


def local_path(uri: str) -> Path:
    """The path that a URI without a scheme, or with ``file:``, means. Raises UnsupportedUri for all others."""
    if Path(uri).exists():
        return Path(uri)
    match = _SCHEME.match(uri)
    if match is None:
        return Path(uri)
    scheme = match[1].lower()
    if scheme == "file":
        return Path(unquote(urlsplit(uri).path))
    if is_live(uri):
        raise UnsupportedUri(
            f"{scheme}: is a live address, and no file",
            do="In Python LiveRun takes it; on the command line give it as the source, with -o",
        )
    raise UnsupportedUri(
        f"{scheme}: is no address that can be read or written here",
        do="Give a file, a folder, a pattern, or a live address such as rtsp://, rtmp://, srt:// or gst:PIPELINE",
    )


def is_live(uri: str) -> bool:
    """Whether a source goes on by itself: a stream, a camera, or ``live:FILE``, a file at its own pace."""
    from stream.media.sources.connection import is_live as has_live_scheme

    return has_live_scheme(uri) and not Path(uri).is_file()


def is_photo(path: Path) -> bool:
    """By the extension."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def _is_ours(path: Path) -> bool:
    return path.name.startswith(".") or MARK in path.name or path.stem.endswith(ENHANCED)


def expand_inputs(paths: Iterable[str]) -> list[Path]:
    """Files, the clips and photos of folders (not of their subfolders), and what patterns match; sorted by name, once.

    Hidden files, unfinished outputs and ``*.enhanced.*`` are passed over unless they are named themselves.
    Raises InputNotFound where a name, folder or pattern gives nothing, UnsupportedUri for schemes.
    """
    found: list[Path] = []
    for name in paths:
        path = local_path(name)
        if path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if _is_medium(entry))
            if not inside:
                raise InputNotFound(f"the folder {path} holds no videos or photos", do="Give another folder, or a file")
            found += inside
        elif path.exists() or not glob.has_magic(name):
            found.append(path)
        else:
            matches = sorted(entry for entry in map(Path, glob.glob(name)) if entry.is_file() and not _is_ours(entry))
            if not matches:
                raise InputNotFound(
                    f"nothing matches {name}", do="Check the pattern, and quote it if the shell should not expand it"
                )
            found += matches
    return list(dict.fromkeys(found))


def _is_medium(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in (*VIDEO_SUFFIXES, *PHOTO_SUFFIXES) and not _is_ours(path)


def default_output(path: Path, folder: Path | None = None) -> Path:
    """``clip.mov`` -> ``clip.enhanced.mov``, beside it or in ``folder``. Photos keep their kind.

    A container that cannot be written becomes the one that keeps its time stamps exactly: mkv for those that count
    milliseconds, else mp4.
    """
    suffix = path.suffix
    if suffix.lower() not in (*MUXERS, *PHOTO_SUFFIXES):
        suffix = ".mkv" if suffix.lower() in _MILLISECONDS else ".mp4"
    return (folder or path.parent) / f"{path.stem}{ENHANCED}{suffix}"
