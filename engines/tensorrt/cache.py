"""Engines on disk: built once for a machine, found again by everything that they depend on, never loaded by another.

One file is one engine with its key and the SHA-256 of its content before it. A file that is cut short, altered, of
another key or version is deleted and built again. Files appear under their name only when they are whole; a lock lets
one process build while others wait for the same engine; the least recently used go when the folder grows too large.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from engines.tensorrt.lock import ELSEWHERE, CacheError, is_held, locked

FOLDER_VARIABLE = "STREAM_ENHANCE_CACHE"
LIMIT = 5_000_000_000
"""Bytes that all engines together may take."""

_KERNELS = ".kernels"
_MAGIC = b"stream-enhance engine 1\n"
_LENGTH = 8
_SMALLEST = 1024
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True, slots=True)
class Key:
    """All that an engine depends on.

    ``model``: SHA-256 of the bundle's ONNX file; ``recipe``: how its precision was changed, calibration included;
    ``flavour`` and ``version`` of TensorRT; ``device``: name, compute capability, driver, or the targets it is for.
    """

    model: str
    precision: str
    recipe: str
    profiles: str
    flavour: str
    version: str
    device: str
    options: str

    @property
    def digest(self) -> str:
        """The name of the file."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:40]


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached engine. ``notes``: what was found when it was built (seconds, precision, checks), for people."""

    path: Path
    key: Key
    size: int
    notes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Made:
    """What a build hands to the cache."""

    plan: bytes = field(repr=False)
    notes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


class _Unusable(Exception):
    """The file is not what its name says."""


def cache_folder() -> Path:
    """``$STREAM_ENHANCE_CACHE``, else ``$XDG_CACHE_HOME/stream-enhance`` or ``~/.cache/stream-enhance``."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "stream-enhance"


class EngineCache:
    """A folder of engines; several processes may use it at once."""

    def __init__(self, folder: Path | None = None, limit: int = LIMIT) -> None:
        """``limit``: bytes. The folder is made when something is put into it."""
        self.folder = folder or cache_folder() / "engines"
        self._limit = limit

    def get(self, key: Key) -> tuple[Entry, bytes] | None:
        """An engine of exactly this key, or None; a file that is not sound is deleted. Counts as a use."""
        path = self._path(key)
        try:
            entry, plan = _read(path)
            if entry.key != key:
                raise _Unusable("it has another key")
        except OSError:
            return None
        except _Unusable:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return entry, plan

    def obtain(
        self, key: Key, make: Callable[[], Made], timeout_s: float | None = None, again: bool = False
    ) -> tuple[Entry, bytes]:
        """The engine of this key: from the folder, or made now by whoever is first; the others wait.

        What ``make`` raises comes out of here, and nothing is installed then. ``again`` makes it anew. Raises
        ``LockTimeout`` where another process takes longer than ``timeout_s``, ``CacheError`` for a folder that is full.
        """
        found = None if again else self.get(key)
        if found is not None:
            return found
        with locked(self._lock(key), timeout_s):
            found = None if again else self.get(key)
            if found is not None:
                return found
            for part in self.folder.glob(f"{key.digest}.*.part"):  # of one who ended while he wrote
                part.unlink(missing_ok=True)
            made = make()
            entry = self._write(key, made)
            self._make_room(keep=entry.path)
            return entry, made.plan

    def discard(self, key: Key) -> bool:
        """Deletes an engine, such as one that could not be loaded. False if there was none."""
        path = self._path(key)
        existed = path.exists()
        path.unlink(missing_ok=True)
        self.kernels(key).unlink(missing_ok=True)
        return existed

    def kernels(self, key: Key) -> Path:
        """Where TensorRT-RTX may keep kernels that it compiled for this engine; goes when the engine does."""
        return self._path(key).with_suffix(_KERNELS)

    def entries(self) -> list[Entry]:
        """All sound engines, the most recently used first; reads headers only."""
        found = []
        for path in sorted(self._files(), key=_last_use, reverse=True):
            with contextlib.suppress(_Unusable, OSError), path.open("rb") as file:
                found.append(_header(path, file)[0])
        return found

    def unsound(self) -> list[Path]:
        """Files in the folder that are no engines of this version."""
        sound = {entry.path for entry in self.entries()}
        return [path for path in self._files() if path not in sound]

    def clear(self) -> tuple[int, int]:
        """Deletes all that no build is at work on; the number of files and the bytes that are free now."""
        count = size = 0
        for path in [*self._files(), *self.folder.glob(f"*{_KERNELS}"), *self._unfinished()]:
            with contextlib.suppress(OSError):
                freed = path.stat().st_size
                path.unlink()
                count, size = count + 1, size + freed
        return count, size

    def _path(self, key: Key) -> Path:
        return self.folder / f"{key.digest}.engine"

    def _lock(self, key: Key) -> Path:
        return self.folder / f"{key.digest}.lock"

    def _files(self) -> list[Path]:
        return list(self.folder.glob("*.engine"))

    def _unfinished(self) -> Iterator[Path]:
        """Parts that a process left behind which ended while it wrote."""
        for path in self.folder.glob("*.part"):
            if not is_held(path.with_name(path.name.split(".")[0] + ".lock")):
                yield path

    def _write(self, key: Key, made: Made) -> Entry:
        """Under a name of its own first, on disk as a whole, then renamed."""
        header = {
            "key": asdict(key),
            "notes": dict(made.notes),
            "size": len(made.plan),
            "sha256": hashlib.sha256(made.plan).hexdigest(),
        }
        text = json.dumps(header).encode()
        path = self._path(key)
        part: Path | None = None
        try:
            handle, name = tempfile.mkstemp(prefix=f"{key.digest}.", suffix=".part", dir=self.folder)
            part = Path(name)
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + len(text).to_bytes(_LENGTH, "little") + text + made.plan)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            raise CacheError(f"the engine cannot be kept in {self.folder}: {error.strerror}. {ELSEWHERE}") from error
        finally:
            if part is not None:
                part.unlink(missing_ok=True)
        return Entry(path, key, path.stat().st_size, MappingProxyType(dict(made.notes)))

    def _make_room(self, keep: Path) -> None:
        """The least recently used go until the rest fits; ``keep`` stays whatever its size."""
        for path in self._unfinished():
            path.unlink(missing_ok=True)
        total = 0
        for path in sorted(self._files(), key=lambda path: (path == keep, _last_use(path)), reverse=True):
            with contextlib.suppress(OSError):
                size = sum(part.stat().st_size for part in (path, path.with_suffix(_KERNELS)) if part.exists())
                total += size
                if total > self._limit and path != keep:
                    total -= size
                    path.unlink()
                    path.with_suffix(_KERNELS).unlink(missing_ok=True)


def _last_use(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _header(path: Path, file: Any) -> tuple[Entry, dict[str, Any]]:
    """Reads up to where the engine begins. Raises ``_Unusable``."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise _Unusable("it is no engine of this version")
    length = int.from_bytes(file.read(_LENGTH), "little")
    if not 0 < length <= _LONGEST_HEADER:
        raise _Unusable("its header is damaged")
    try:
        values: dict[str, Any] = json.loads(file.read(length))
        entry = Entry(path, Key(**values["key"]), path.stat().st_size, MappingProxyType(values["notes"]))
        if not isinstance(values["size"], int) or not isinstance(values["sha256"], str):
            raise _Unusable("its header is damaged")
    except (ValueError, KeyError, TypeError) as error:
        raise _Unusable("its header is damaged") from error
    return entry, values


def _read(path: Path) -> tuple[Entry, bytes]:
    with path.open("rb") as file:
        entry, values = _header(path, file)
        plan = file.read()
    if len(plan) != values["size"] or len(plan) < _SMALLEST:
        raise _Unusable("it is cut short")
    if hashlib.sha256(plan).hexdigest() != values["sha256"]:
        raise _Unusable("it was altered")
    return entry, plan
