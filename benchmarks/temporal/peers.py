"""What else one could do with a dark clip: nothing, a gamma, CLAHE, SCI frame by frame, filters of FFmpeg."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import numpy as np

from benchmarks.machine import ffmpeg_binary
from benchmarks.night import NightClip
from benchmarks.temporal.frames import Floats, from_rgb, kept, luma_codes, to_rgb
from benchmarks.temporal.operators import Operator, fitted_operator, grid_operator, table_operator
from benchmarks.temporal.outcome import Method, NotAvailable, Outcome
from engines.bundle import load_bundle
from engines.curve import cpu
from engines.curve.fit import fit
from engines.planes import Bytes, Planes
from engines.thumbnail import sample
from engines.tone_model import ToneModel

_USUAL_MEAN = 0.42
"""Mean luma of well-exposed pictures: what someone who turns a knob once, at the first frame, aims at."""
_SATURATION = 1.5


def one_by_one(clip: NightClip, change: Callable[[Planes], tuple[Planes, Operator]], fitted: bool = False) -> Outcome:
    """Every frame for itself: ``change`` gives the new planes and the operator that made them."""
    outcome = Outcome(fitted=fitted)
    for planes in clip.dark:
        begun = time.perf_counter()
        shown, operator = change(planes)
        outcome.latency.add(time.perf_counter() - begun)
        outcome.planes.append(kept(shown))
        outcome.operators.append(operator)
    return outcome


def as_it_is(clip: NightClip) -> Outcome:
    """The dark input: perfectly stable, and as far from the truth as can be."""
    return one_by_one(clip, lambda planes: (planes, luma_codes))


def gamma(clip: NightClip) -> Outcome:
    """v^(1/2.2) of every channel: what people try first."""
    table = np.round(255 * (np.arange(256) / 255) ** (1 / 2.2)).astype(np.uint8)

    def luma(planes: Planes) -> Floats:
        curved: Floats = (luma_codes(planes) / np.float32(255)) ** np.float32(1 / 2.2) * np.float32(255)
        return curved

    return one_by_one(clip, lambda planes: (from_rgb(table[to_rgb(planes)], planes), luma))


def clahe(clip: NightClip) -> Outcome:
    """Contrast-limited adaptive histogram equalisation of the luma plane, clip 3, 8x8 tiles, frame by frame."""
    try:
        import cv2
    except ImportError as error:
        raise NotAvailable("OpenCV is not installed") from error
    equalise = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8))

    def change(planes: Planes) -> tuple[Planes, Operator]:
        luma = np.asarray(equalise.apply(np.ascontiguousarray(planes.y)), np.uint8)
        shown = Planes(luma, planes.u, planes.v, planes.colour)
        return shown, fitted_operator(planes, shown)

    return one_by_one(clip, change, fitted=True)


def per_frame(bundle: str) -> Method:
    """A network on every frame's thumbnail, its grid applied as it is: nothing is smoothed, nothing carried on."""

    def run(clip: NightClip) -> Outcome:
        model = ToneModel(load_bundle(bundle))

        def change(planes: Planes) -> tuple[Planes, Operator]:
            grid = model(sample(planes))
            shown = kept(planes)
            cpu.apply(planes, grid, shown)
            return shown, grid_operator(grid)

        return one_by_one(clip, change)

    return run


def best_grid(clip: NightClip) -> Outcome:
    """What the operator could reach: the grid that best maps each dark frame to the truth, which nobody knows."""
    outcome = Outcome()
    for planes, clean in zip(clip.dark, clip.clean, strict=True):
        grid = fit(sample(planes), sample(from_rgb(clean, planes)))
        shown = kept(planes)
        cpu.apply(planes, grid, shown, 1)
        outcome.planes.append(shown)
        outcome.operators.append(grid_operator(grid))
    return outcome


def full_size(bundle: str) -> Method:
    """A network of kind ``picture`` on every whole frame, as its paper has it."""

    def run(clip: NightClip) -> Outcome:
        from engines.full_picture import open_full
        from engines.rgb_planes import rgb_of

        network = open_full(load_bundle(bundle), threads=1, tile=0)

        def change(planes: Planes) -> tuple[Planes, Operator]:
            drawn = np.clip(network(rgb_of(planes)), 0, 1) * np.float32(255) + np.float32(0.5)
            shown = from_rgb(drawn.astype(np.uint8).transpose(1, 2, 0), planes)
            return shown, fitted_operator(planes, shown)

        return one_by_one(clip, change, fitted=True)

    return run


def filtered(denoiser: str) -> Method:
    """FFmpeg's ``denoiser`` and then ``eq``, whose gamma is set once, by the clip's first frame."""

    def run(clip: NightClip) -> Outcome:
        first = clip.dark[0]
        exponent = gamma_to_usual_mean(first)
        offset = -first.colour.luma_offset / 255
        eq = f"eq=brightness={offset:.5f}:gamma={1 / exponent:.4f}:saturation={_SATURATION}"
        codes = np.arange(256, dtype=np.float64)
        curved = 255 * np.clip((codes - first.colour.luma_offset) / 255, 0, 1) ** exponent
        table = np.clip((curved - first.colour.luma_offset) * 255 / first.colour.luma_range, 0, 255)
        operator = table_operator(table.astype(np.float32))
        shown = through_ffmpeg(clip.dark, clip.fps, f"{denoiser},{eq}")
        return Outcome(planes=shown, operators=[operator] * len(shown))

    return run


def gamma_to_usual_mean(planes: Planes) -> float:
    """The exponent 0.1..1 for luma above black that brings the mean of a frame to that of well-exposed ones."""
    above = np.clip(planes.y.astype(np.float32) - planes.colour.luma_offset, 0, None) / 255
    wanted = (_USUAL_MEAN * planes.colour.luma_range + planes.colour.luma_offset) / 255
    low, high = 0.1, 1.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if float((above**middle).mean()) > wanted else (low, middle)
    return (low + high) / 2


def through_ffmpeg(frames: list[Planes], fps: int, filters: str) -> list[Planes]:
    """The frames after a chain of filters of the ``ffmpeg`` on this machine; PyAV's own build may lack them."""
    binary = ffmpeg_binary()
    if binary is None:
        raise NotAvailable("there is no ffmpeg on this machine")
    width, height = frames[0].width, frames[0].height
    raw = ("-f", "rawvideo", "-pix_fmt", "yuv420p")
    command = [binary, "-v", "error", *raw, "-s", f"{width}x{height}", "-r", str(fps), "-i", "-"]
    command += ["-threads", "1", "-vf", filters, *raw, "-"]
    given = b"".join(plane.tobytes() for planes in frames for plane in (planes.y, planes.u, planes.v))
    run = subprocess.run(command, input=given, capture_output=True, timeout=600)
    if run.returncode:
        raise NotAvailable(f"ffmpeg: {run.stderr.decode(errors='replace').strip().splitlines()[-1]}")
    size = len(given) // len(frames)
    whole = np.frombuffer(run.stdout, np.uint8)
    if len(whole) != size * len(frames):
        raise NotAvailable(f"ffmpeg gave {len(whole) / size:g} frames for {len(frames)}")
    return [_planes(picture, frames[0]) for picture in whole.reshape(len(frames), size)]


def _planes(picture: Bytes, like: Planes) -> Planes:
    luma, chroma = like.y.size, like.u.size
    y, u, v = np.split(picture, (luma, luma + chroma))
    return Planes(y.reshape(like.y.shape), u.reshape(like.u.shape), v.reshape(like.v.shape), like.colour)
