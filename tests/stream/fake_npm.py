"""A stand-in for the npm client: ``npm pack NAME@VERSION`` leaves the test's archive in the current folder."""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

_SCRIPT = """#!{python}
import pathlib, shutil, sys
pathlib.Path({log!r}).write_text(" ".join(sys.argv[1:]))
if {code}:
    sys.exit("npm error 404 no such package")
shutil.copy({archive!r}, pathlib.Path.cwd() / "package-1.0.0.tgz")
"""


def write_archive(path: Path, members: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def install_npm(folder: Path, archive: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0) -> Path:
    """Puts an ``npm`` first on the path; the file that is returned will hold the arguments of its call."""
    folder.mkdir(exist_ok=True)
    log = folder / "called"
    client = folder / "npm"
    client.write_text(_SCRIPT.format(python=sys.executable, log=str(log), archive=str(archive), code=code))
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return log
