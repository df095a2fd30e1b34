"""Opens files for reading, and says in plain words why one cannot be opened."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer

from stream.errors import InputNotFound, InputUnreadable, NotAVideo

PHOTO_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def _options(path: Path) -> dict[str, str]:
    """A playlist or edit script must not make us open addresses; a photo's name is not a pattern of many."""
    options = {"protocol_whitelist": "file,crypto,data"}
    if path.suffix.lower() in PHOTO_SUFFIXES:
        options["pattern_type"] = "none"
    return options


def _is_quicktime(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8)[4:] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def open_container(path: Path) -> InputContainer:
    """An open container. Raises InputNotFound, InputUnreadable or NotAVideo."""
    if not path.exists():
        raise InputNotFound(f"there is no file {path}", do="Check the spelling of the path")
    if path.is_dir():
        raise InputUnreadable(
            f"{path} is a folder", do="Give a file, or let the command line walk the folder with -o FOLDER"
        )
    try:
        if path.stat().st_size == 0:
            raise NotAVideo(f"{path} is empty", do="Give a video file or a photo")
        return av.open(str(path), "r", metadata_errors="replace", container_options=_options(path))
    except (av.error.PermissionError, PermissionError) as error:
        raise InputUnreadable(
            f"{path} may not be read", do="Change its permissions, or run as a user who may read it"
        ) from error
    except av.error.InvalidDataError as error:
        if _is_quicktime(path):
            raise NotAVideo(
                f"{path} begins like an mp4 or mov and is cut off: its index, which comes last, is missing or broken",
                do="Copy the file again; an unfinished recording can sometimes be repaired with untrunc",
            ) from error
        raise NotAVideo(
            f"{path} is not a video or photo: no container that FFmpeg knows",
            do="Give a file that plays in a player",
        ) from error
    except (av.FFmpegError, OSError) as error:
        raise InputUnreadable(f"{path} cannot be opened: {error}", do="Check the disk and the file") from error
