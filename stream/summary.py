"""What a run did, as one record that is written as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Literal

from stream.telemetry import StageFigures

if TYPE_CHECKING:
    from stream.vision.semantics import Semantics

ExitReason = Literal["complete", "interrupted", "failed"]

_PACKAGES = {
    "stream_enhance": "stream-enhance",
    "av": "av",
    "numpy": "numpy",
    "numba": "numba",
    "onnxruntime": "onnxruntime",
    "opencv": "opencv-python-headless",
}


@dataclass(frozen=True, slots=True)
class SamFigures:
    """What SAM did beside the frames: key frames with a result, of them without any region, without a result, results
    that came after a cut or too late, and CPU seconds of its thread."""

    runs: int
    empty: int
    failures: int
    refused: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Summary:
    """One input's run. ``frames_in = frames_out + sum(dropped.values())``; times in seconds, percentiles in ms."""

    input: str
    output: str | None
    exit_reason: ExitReason
    error: str | None
    width: int
    height: int
    frames_in: int
    frames_out: int
    dropped: dict[str, int]
    damaged: int
    fps: float
    elapsed_s: float
    first_frame_s: float | None
    """From the start of the run to the first frame that came out; start-up of the interpreter not included."""
    cpu_s: float
    """User and system time of the whole process, codec workers included."""
    peak_rss_mb: float
    stages: dict[str, StageFigures]
    mode: str
    """``fused`` or ``full``."""
    bundle: dict[str, str] | None
    """``name``, ``kind`` and ``sha256``; None if no network was needed."""
    inputs_not_given: tuple[str, ...]
    """What the network takes beside the picture and was left at zero, which means "not known"."""
    sam: SamFigures | None
    """None where no regions were looked for."""
    network_runs: int
    network_failures: int
    cuts: int
    settings: dict[str, object]
    versions: dict[str, str]
    notes: tuple[str, ...]


def sam_figures(semantics: Semantics | None) -> SamFigures | None:
    """What the segmenter of a run did so far."""
    if semantics is None:
        return None
    segmenter = semantics.segmenter
    return SamFigures(segmenter.runs, segmenter.empty, segmenter.failures, semantics.refused, segmenter.cpu_seconds)


def to_json(summaries: Sequence[Summary]) -> str:
    """One summary as an object, several as an array."""
    records = [asdict(summary) for summary in summaries]
    return json.dumps(records[0] if len(records) == 1 else records, indent=2, default=str) + "\n"


def versions() -> dict[str, str]:
    """Of Python, the packages that do the work, and the FFmpeg libraries inside PyAV."""
    import av

    found = {"python": platform.python_version()}
    for name, package in _PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "absent"
    found |= {library: ".".join(map(str, number)) for library, number in sorted(av.library_versions.items())}
    found["ffmpeg"] = str(av.ffmpeg_version_info)
    return found
