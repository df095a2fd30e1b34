"""What the arguments of the command line mean: which inputs, and where the result of each goes."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UnsupportedContainer
from stream.media.uri import ENHANCED, VIDEO_SUFFIXES, default_output, expand_inputs, local_path


@dataclass(frozen=True, slots=True)
class Job:
    """One input and its output. A job of many is skipped where its output exists; a single one is refused."""

    source: Path
    target: Path
    one_of_many: bool

    def done_before(self, *, overwrite: bool) -> bool:
        """Whether the output stands already and shall stay."""
        return self.one_of_many and not overwrite and self.target.exists()


def plan(paths: Sequence[str], output: Path | None) -> list[Job]:
    """The jobs that the arguments ask for. Two paths without ``output`` are an input and its output.

    Folders and patterns, or several paths, give many jobs, for which ``output`` is a folder. Raises ``StreamError``.
    """
    if output is None and len(paths) == 2:
        paths, output = paths[:1], local_path(paths[1])
    sources = expand_inputs(paths)
    if len(paths) == 1 and not _means_many(paths[0]):
        return [Job(sources[0], _single_target(sources[0], output), False)]
    if output is not None and output.suffix.lower() in VIDEO_SUFFIXES and not output.is_dir():
        raise UnsupportedContainer(
            f"{output} is a file name, and there are {len(sources)} inputs", do="Give a folder with -o FOLDER"
        )
    jobs: dict[Path, Job] = {}
    for source in sources:
        target = default_output(source, output)
        if target in jobs:  # night.avi beside night.mpg
            target = target.with_name(f"{source.name}{ENHANCED}{target.suffix}")
        jobs[target] = Job(source, target, True)
    return list(jobs.values())


def _means_many(name: str) -> bool:
    path = local_path(name)
    return path.is_dir() or (glob.has_magic(name) and not path.exists())


def _single_target(source: Path, output: Path | None) -> Path:
    """A name without extension means a folder: no file without one can be written."""
    if output is None:
        return default_output(source)
    return default_output(source, output) if output.is_dir() or not output.suffix else output
