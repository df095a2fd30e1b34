"""What the arguments of the command line mean: which inputs, and where the result of each goes."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stream.errors import UnsupportedContainer, WrongOutputs
from stream.media.uri import ENHANCED, VIDEO_SUFFIXES, default_output, expand_inputs, is_live, local_path
from stream.redaction import redact


@dataclass(frozen=True, slots=True)
class Job:
    """One input and its output. A job of many is skipped where its output exists; a single one is refused."""

    source: Path
    target: Path
    one_of_many: bool

    def done_before(self, *, overwrite: bool) -> bool:
        """Whether the output stands already and shall stay."""
        return self.one_of_many and not overwrite and self.target.exists()


@dataclass(frozen=True, slots=True)
class LiveJob:
    """One live source and where it goes, as URIs; at least one output."""

    source: str
    outputs: tuple[str, ...]

    def __repr__(self) -> str:
        return redact(f"LiveJob({self.source!r}, {self.outputs!r})")


def live_job(names: Sequence[str], outputs: Sequence[str]) -> LiveJob | None:
    """The live stream that the arguments ask for, None if they name files. Raises ``WrongOutputs``.

    Two names without ``outputs`` are a source and its output.
    """
    live = [name for name in names if is_live(name)]
    if not live or not is_live(names[0]):
        if live and (len(names) > 2 or outputs):
            raise WrongOutputs("files and live sources cannot be mixed", do="Start one command for each")
        return None
    if len(names) == 2 and not outputs:
        names, outputs = names[:1], names[1:]
    if len(names) > 1:
        raise WrongOutputs(
            f"{len(names)} sources, and one of them is live",
            do="Give one live source, or name them all in a file for stream-enhance run streams.yaml",
        )
    if not outputs:
        raise WrongOutputs(
            f"{redact(names[0])} is live and has no output beside it",
            do="Say where it goes, for instance -o rtsp://server:8554/cam1, -o night.mp4 or -o null:",
        )
    return LiveJob(names[0], tuple(outputs))


def plan(paths: Sequence[str], outputs: Sequence[str]) -> list[Job]:
    """The jobs that the arguments ask for. Two paths without ``outputs`` are an input and its output.

    Folders and patterns, or several paths, give many jobs, for which the output is a folder. Raises ``StreamError``.
    """
    if len(outputs) > 1:
        raise WrongOutputs(f"files go to one output, and {len(outputs)} are given", do="Give -o once")
    given = outputs[0] if outputs else None
    if given is None and len(paths) == 2:
        paths, given = paths[:1], paths[1]
    for path in paths:
        local_path(path)  # an address that means nothing is told before its output
    if given is not None and (is_live(given) or given == "null:"):
        raise WrongOutputs(
            f"a file cannot be sent to {redact(given)} as fast as it is read",
            do=f"Give live:{paths[0]} as the input to play it at its own pace",
        )
    output = None if given is None else local_path(given)
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
