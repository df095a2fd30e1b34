"""The file that is being written: beside the target under a temporary name, renamed onto it when it is complete."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from stream.errors import OutputExists, OutputIsInput, OutputNotWritable

MARK = ".partial-"


def partial_name(target: Path) -> Path:
    """``out.mp4`` -> ``.out.partial-1a2b3c.mp4``: hidden, unique, same extension."""
    return target.with_name(f".{target.stem}{MARK}{secrets.token_hex(3)}{target.suffix}")


def check_target(target: Path, source: Path | None, *, overwrite: bool) -> None:
    """Raises OutputIsInput, OutputExists or OutputNotWritable before any work is done; makes the missing folder."""
    if target.is_dir():
        raise OutputNotWritable(
            f"{target} is a folder", do="Name a file, or end the name with / to put outputs into it"
        )
    if source is not None and target.exists() and source.exists() and os.path.samefile(target, source):
        raise OutputIsInput(
            f"{target} is the input itself", kept="It was not touched", do="Give another output name with -o"
        )
    if target.exists() and not overwrite:
        raise OutputExists(
            f"{target} exists already", kept="It was not touched", do="Add --overwrite, or give another name with -o"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        probe = partial_name(target)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OutputNotWritable(
            f"cannot write into {target.parent}: {error.strerror}",
            kept="Nothing was written",
            do="Choose a writable place with -o",
        ) from error
