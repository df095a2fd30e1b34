"""Makes a night clip: scenes, light, sensor, tone curve, encoder, in this order, and the truth beside it."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.clips import scratch
from benchmarks.night.clip import Bytes, Flags, Floats, NightClip
from benchmarks.night.compose import Scene, View, compose
from benchmarks.night.encode import read_video, write_video
from benchmarks.night.isp import develop
from benchmarks.night.levels import Degradation, degradation
from benchmarks.night.light import AMBIENT, GLOW, LAMP_COLOUR, LIT, Rhythm
from benchmarks.night.noise import CameraFilter, noisy, quantised
from benchmarks.night.scenarios import SCENARIOS, Stage
from benchmarks.night.sources import STREET, is_clip, pictures, read_clip
from benchmarks.night.world import linear

FPS = 25


def make_clip(
    scenario: str,
    level: str = "mid",
    seed: int = 0,
    *,
    size: tuple[int, int] = (640, 360),
    frames: int = 60,
    source: str | Path = STREET,
    crf: int | None = 28,
    folder: Path | None = None,
) -> NightClip:
    """The clip of a scenario at a level; the same arguments give the same bytes, with the same x264 and OpenCV.

    ``size``: (width, height), even, at least 64. ``source``: a photograph, a folder of them, a clean clip, or
    ``street`` or ``texture``, which are computed. ``crf``: of x264; None leaves the frames unencoded. ``folder``: where
    the file is put (a scratch folder if not given). ``ValueError`` for what does not exist.
    """
    width, height = size
    if scenario not in SCENARIOS:
        raise ValueError(f"scenario {scenario!r} is none of {', '.join(SCENARIOS)}")
    if min(size) < 64 or width % 2 or height % 2:
        raise ValueError(f"a night clip has even sides of at least 64 pixels, not {width}x{height}")
    if frames < 1:
        raise ValueError(f"a night clip has at least one frame, not {frames}")
    key = zlib.crc32(scenario.encode())
    camera = degradation(level, np.random.default_rng((seed, key, 1)))
    moving = is_clip(source)
    still = iter([read_clip(Path(source), frames)]) if moving else ([p] for p in pictures(source, seed))
    if moving and scenario == "cuts":
        raise ValueError("the scenario cuts is made of photographs, not of a clip")
    stage = Stage(size, frames, FPS, still, np.random.default_rng((seed, key, 2)))
    scenes, rhythm = SCENARIOS[scenario](stage)
    truth = _Truth(frames, size)
    lit = truth.filled(_views(scenes, frames, size))
    dark, quiet = [], []
    filters = [CameraFilter(), CameraFilter()] if camera.residue else []
    for t, light in enumerate(_exposed(lit, camera, rhythm)):
        sensed = noisy(light, camera, np.random.default_rng((seed, key, 3, t)))
        if filters:
            light, sensed = (f.step(x, t in truth.cuts) for f, x in zip(filters, (light, sensed), strict=True))
        dark.append(develop(quantised(sensed, camera.bits), camera))
        quiet.append(develop(quantised(light, camera.bits), camera))
    name = f"{scenario}-{level}-{width}x{height}-{frames}-seed{seed}-{_label(source)}"
    path = None
    if crf is not None:
        path = (folder or scratch() / "night") / f"{name}-crf{crf}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(dark, path, FPS, crf)
        dark = read_video(path)
    return NightClip(
        name, scenario, level, seed, FPS, dark, quiet, truth.clean, truth.flow, truth.visible, truth.masks,
        tuple(truth.cuts), (camera.shot, camera.read), camera.exposure, path, not moving,
    )  # fmt: skip


def _label(source: str | Path) -> str:
    """A short name of a source for file names."""
    if not Path(source).exists():
        return str(source)
    return f"{Path(source).stem}{zlib.crc32(str(Path(source).resolve()).encode()) & 0xFFFF:04x}"


class _Truth:
    """Arrays of the clip, filled frame by frame while the frames go on to the sensor."""

    def __init__(self, frames: int, size: tuple[int, int]) -> None:
        width, height = size
        self.clean: Bytes = np.empty((frames, height, width, 3), np.uint8)
        self.flow: Floats = np.zeros((frames, height, width, 2), np.float32)
        self.visible: Flags = np.zeros((frames, height, width), np.bool_)
        self.masks: Bytes = np.zeros((frames, height, width), np.uint8)
        self.cuts: list[int] = []

    def filled(self, views: Iterator[tuple[Scene, View, bool]]) -> Iterator[View]:
        for t, (scene, view, first) in enumerate(views):
            numbers = np.array([0, *(layer.number for layer in scene.layers)], np.uint8)
            self.clean[t], self.masks[t] = view.clean, numbers[view.layer]
            if not first:
                self.flow[t], self.visible[t] = view.flow, view.visible
            elif t:
                self.cuts.append(t)
            yield view


def _views(scenes: list[Scene], frames: int, size: tuple[int, int]) -> Iterator[tuple[Scene, View, bool]]:
    """Each frame's view, and whether a scene begins with it."""
    ends = [scene.start for scene in scenes[1:]] + [frames]
    for scene, end in zip(scenes, ends, strict=True):
        before = None
        for t in range(scene.start, end):
            view = compose(scene, t - scene.start, size, before)
            yield scene, view, before is None
            before = view


def _exposed(views: Iterator[View], camera: Degradation, rhythm: Rhythm) -> Iterator[Floats]:
    """Linear light [H, W, 3] on the sensor, without noise."""
    colour = np.asarray(LAMP_COLOUR, np.float32)
    for t, view in enumerate(views):
        second = t / FPS
        lamps = rhythm.lamps(second, view.maps.shape[0])
        exposure = np.float32(camera.exposure * rhythm.exposure(second))
        falling = (view.maps[..., AMBIENT] + view.maps[..., LIT] * lamps) * exposure
        light = linear(view.clean)
        light *= falling[..., None]
        if view.maps[..., GLOW].any():
            light += (view.maps[..., GLOW] * lamps * exposure)[..., None] * colour
        yield light
