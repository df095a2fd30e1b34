"""A recording in segments: each one playable alone, named by time, under its name only once it is complete."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from stream.live.outputs.growing import GrowingFile, is_abandoned
from stream.live.outputs.packets import TIME_BASE, AudioTrack, EncodedPicture, VideoFormat
from stream.live.outputs.recording import RecordingWriter
from stream.live.outputs.segment_names import SegmentNames
from stream.media.sinks.partial import MARK, partial_name
from stream.quantities import Keep

_STARTED = time.time() - time.monotonic()
"""What the wall clock was ahead of the steady one when the process began: where it is not any more, it was set."""


class _Memory:
    """What this process knows of the segments of one output, whatever the wall clock is set to."""

    def __init__(self) -> None:
        self.made: dict[Path, int] = {}
        """Those that it completed, counted."""
        self.seen: dict[Path, float] = {}
        """Since when it knows of them, in ``time.monotonic()``."""


_MEMORIES: dict[str, _Memory] = {}
"""By output: a stream that starts again goes on with them."""


class SegmentFolder:
    """What lasts over all segments of one output: their names, and how many are kept."""

    def __init__(self, names: SegmentNames, keep: Keep | None) -> None:
        self.names, self._keep = names, keep
        self._memory = _MEMORIES.setdefault(str(names), _Memory())

    def completed(self, path: Path) -> None:
        """A segment has its name now, and is the newest one."""
        if self._keep is not None:
            self._memory.made[path] = max(self._memory.made.values(), default=0) + 1
            self._memory.seen[path] = time.monotonic()

    def recover(self) -> list[Path]:
        """Gives segments that a killed program left behind their names; they are playable as they are."""
        recovered = []
        for path in self.names.unfinished():
            with contextlib.suppress(OSError):
                file = os.open(path, os.O_RDWR)
                try:
                    if os.fstat(file).st_nlink > 1:
                        path.unlink()  # it has its name already
                    elif is_abandoned(file):
                        stem = path.name[1 : path.name.rindex(MARK)]
                        recovered.append(_into_place(path, path.with_name(stem + path.suffix)))
                finally:
                    os.close(file)
        return recovered

    def prune(self) -> int:
        """Deletes the oldest complete segments beyond what is kept; the newest one always stays. How many it were."""
        if self._keep is None:
            return 0
        found = []
        for path in self._by_age():
            with contextlib.suppress(OSError):
                about = path.stat()
                found.append((path, self._age(path, about.st_mtime), about.st_size))
        total, deleted = sum(size for _, _, size in found), 0
        for path, age, size in found[:-1]:
            too_old = self._keep.seconds is not None and age > self._keep.seconds
            too_much = self._keep.bytes is not None and total > self._keep.bytes
            if not (too_old or too_much):
                continue
            with contextlib.suppress(OSError):
                path.unlink()
                total, deleted = total - size, deleted + 1
                self._tidy(path.parent)
        return deleted

    def _by_age(self) -> list[Path]:
        """The oldest first: those of earlier runs by time, then those of this one as they were completed."""
        memory, now = self._memory, time.monotonic()
        paths = self.names.finished()
        memory.seen = {path: memory.seen.get(path, now) for path in paths}
        memory.made = {path: number for path, number in memory.made.items() if path in memory.seen}
        return sorted(paths, key=lambda path: memory.made.get(path, 0))

    def _age(self, path: Path, changed: float) -> float:
        """In seconds. Where the wall clock was set meanwhile, what both clocks agree upon."""
        known = time.monotonic() - self._memory.seen[path]
        if path in self._memory.made:
            return known
        return max(known, min(time.time(), time.monotonic() + _STARTED) - changed)

    def _tidy(self, folder: Path) -> None:
        """Removes folders that named a time and are empty now."""
        while folder != self.names.root and self.names.root in folder.parents:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent


class SegmentWriter(RecordingWriter):
    """A ``Writer`` of one segment."""

    def __init__(self, folder: SegmentFolder, muxer: str, length_s: float) -> None:
        super().__init__(muxer, indexed=True)
        self._folder, self._length = folder, length_s / TIME_BASE
        self._begun: int | None = None
        self._final = self._path = Path()

    def open(self, video: VideoFormat, audio: list[AudioTrack]) -> None:
        self._folder.prune()
        self._final = self._folder.names.name_at(time.time())
        self._final.parent.mkdir(parents=True, exist_ok=True)
        self._path = partial_name(self._final)
        self._begin(GrowingFile(self._path), video, audio)

    def is_complete(self, picture: EncodedPicture) -> bool:
        half_a_frame = picture.duration / 2
        return self._begun is not None and picture.pts - self._begun + half_a_frame >= self._length

    def write(self, picture: EncodedPicture) -> None:
        if self._begun is None:
            self._begun = picture.pts
        super().write(picture)

    def close(self) -> None:
        """Also after a failure: what is there is playable. A segment without any picture is removed."""
        opened = self._file is not None
        try:
            super().close()
        finally:
            if opened:
                if self.empty:
                    self._path.unlink(missing_ok=True)
                else:
                    self._folder.completed(_into_place(self._path, self._final))
                self._folder.prune()


def _into_place(path: Path, final: Path) -> Path:
    """Renames without ever replacing anything: a name that is taken gets a number. Returns the name."""
    attempt, target = 1, final
    while True:
        try:
            os.link(path, target)
        except FileExistsError:
            attempt += 1
            target = final.with_name(f"{final.stem}-{attempt}{final.suffix}")
            continue
        except OSError:  # a file system without links
            if target.exists():
                attempt += 1
                target = final.with_name(f"{final.stem}-{attempt}{final.suffix}")
                continue
            os.rename(path, target)
            return target
        os.unlink(path)
        return target
