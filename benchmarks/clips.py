"""The clips that are measured on: the computed night street at several sizes, as H.264 with sensor noise.

Made once, kept in the temporary folder under a name that carries what they are; the same on every machine but for the
bits that its x264 chooses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import av

from benchmarks.machine import usable_cores
from demo.camera import Bytes, NightCamera
from demo.render import to_frame
from demo.scene import NightScene

FPS = 25
VERSION = 1
"""Raise when the scene or its encoding changes: older clips are then made again."""
_FIRST_SECOND = 1.0

_stage: tuple[NightScene, NightCamera] | None = None


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """A clip of the night street; ``mbit_per_s`` is what a camera of that size would send."""

    width: int
    height: int
    frames: int
    mbit_per_s: float

    @property
    def name(self) -> str:
        return f"{self.height}p"


SIZES = {
    spec.name: spec
    for spec in (
        ClipSpec(854, 480, 200, 1.5),
        ClipSpec(1280, 720, 200, 3.0),
        ClipSpec(1920, 1080, 200, 6.0),
        ClipSpec(3840, 2160, 48, 20.0),
    )
}
TINY = ClipSpec(320, 180, 24, 0.6)
"""For ``--quick``: shows that everything runs, says nothing about speed."""


def scratch() -> Path:
    """The folder for clips and outputs."""
    folder = Path(tempfile.gettempdir()) / "stream-enhance-benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def clip(spec: ClipSpec) -> Path:
    """Path of the clip, made now if it is not there yet."""
    path = scratch() / f"night-{spec.width}x{spec.height}-{spec.frames}-{spec.mbit_per_s:g}M-v{VERSION}.mp4"
    if not path.exists():
        print(f"making the {spec.name} clip ({spec.frames} frames) ...", flush=True)
        part = path.with_suffix(".part.mp4")
        _write(spec, part)
        part.replace(path)
    return path


def _write(spec: ClipSpec, path: Path) -> None:
    with av.open(str(path), "w") as container:
        options = {"preset": "fast", "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709"}
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
        video.bit_rate = int(spec.mbit_per_s * 1e6)
        video.codec_context.time_base = Fraction(1, FPS)
        for index, planes in enumerate(_rendered(spec)):
            frame = to_frame(planes)
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))


def _rendered(spec: ClipSpec) -> Iterator[tuple[Bytes, Bytes, Bytes]]:
    """Planes of all frames in order, rendered on all cores, a few frames ahead of the encoder."""
    work = partial(_render, spec.width, spec.height)
    if spec.frames * spec.width * spec.height < 10_000_000:
        yield from map(work, range(spec.frames))
        return
    ahead = 2 * usable_cores()
    with ProcessPoolExecutor(usable_cores(), mp_context=get_context("spawn")) as pool:
        indices = iter(range(spec.frames))
        waiting = [pool.submit(work, index) for index in islice(indices, ahead)]
        while waiting:
            yield waiting.pop(0).result()
            waiting += [pool.submit(work, index) for index in islice(indices, 1)]


def _render(width: int, height: int, index: int) -> tuple[Bytes, Bytes, Bytes]:
    global _stage
    if _stage is None or _stage[0].width != width:
        _stage = NightScene(width, height), NightCamera(width, height)
    scene, camera = _stage
    return camera.planes(scene.light(_FIRST_SECOND + index / FPS), index)
