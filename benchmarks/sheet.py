"""Draws the before/after pictures of the documentation into ``docs/pictures``.

Held-out photographs with what SCI and ``curve`` make of them, one moment of each clip before and after the real
pipeline, and the demo clip for the top of the README. Everything is shown as it comes out, the worst scene included.
"""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.montage import beside, captioned, resized, stacked
from benchmarks.night import make_clip
from benchmarks.quality import DATA
from benchmarks.runs import ROOT
from demo.render import DEFAULT as DEMO
from engines.picture import enhance_picture
from engines.planes import Bytes
from stream import Pipeline
from stream.media import open_source
from stream.media.frame import Frame

LARGEST_BYTES = 600_000


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, default=DATA / "exposures" / "val", help="folder of exposure brackets")
    parser.add_argument("--clips", type=Path, default=DATA / "clips", help="folder with vtest.avi and city-night.mpg")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures")
    parser.add_argument("--scenes", type=int, default=6, help="rows of the sheet of photographs (default 6)")
    parser.add_argument("--bundle", default="curve")
    parser.add_argument("--sci", default="sci")


def run(given: argparse.Namespace) -> None:
    """All pictures whose material is here; says what is left out."""
    given.out.mkdir(parents=True, exist_ok=True)
    before, after = _moment(DEMO, 100, given.bundle)
    _save(beside([before, after], ["before", "after"], 480), given.out / "demo.jpg")
    _save(_split(before, after), given.out / "demo-split.jpg")
    if given.data.is_dir():
        _save(_photographs(given), given.out / "held-out-scenes.jpg")
    else:
        print(f"{given.data} is not here: no sheet of photographs")
    with TemporaryDirectory() as folder:
        _save(stacked(_clips(given, Path(folder))), given.out / "clips.jpg")


def _clips(given: argparse.Namespace, folder: Path) -> list[Bytes]:
    """One moment of each clip: as it is, enhanced without the denoiser, and enhanced. Daylight is made night first."""
    clips = [(given.clips / "city-night.mpg", "city-night.mpg", 150), (DEMO, DEMO.name, 130)]
    street = given.clips / "vtest.avi"
    if street.is_file():
        night = make_clip("static", "mid", 1, frames=90, source=street, size=(768, 576), folder=folder)
        if night.encoded is not None:
            clips.append((night.encoded, "vtest.avi made night, van and man drawn in", 75))
    rows = []
    for path, name, at in clips:
        if not path.is_file():
            print(f"{path} is not here")
            continue
        before, plain = _moment(path, at, given.bundle, denoise="off")
        after = _moment(path, at, given.bundle)[1]
        rows.append(beside([before, plain, after], [f"{name}, frame {at}", "enhanced, --denoise off", "enhanced"], 480))
    return rows


def _moment(path: Path, index: int, bundle: str, **options: Any) -> tuple[Bytes, Bytes]:
    """Frame ``index`` of a clip as it is and as it leaves the pipeline with these settings, RGB."""
    source = open_source(path)
    try:
        frames = (item for item in source if isinstance(item, Frame))
        before = _rgb(next(islice(frames, index, None)))
    finally:
        source.close()
    after = _rgb(next(islice(Pipeline(path, model=bundle, **options).frames(), index, None)))
    return before, after


def _rgb(frame: Frame) -> Bytes:
    return np.asarray(frame.picture.to_ndarray(format="rgb24"), np.uint8)


def _photographs(given: argparse.Namespace) -> Bytes:
    """Rows of input, SCI, curve and reference, spread over the range of results: best, worst and between."""
    import torch

    from training.data import find_pairs, read_picture
    from training.metrics import psnr

    scored = []
    for pair in find_pairs(given.data):
        low, high = read_picture(pair.low), read_picture(pair.high)
        done = enhance_picture(low, given.bundle)
        got, want = (torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1)))[None].float() for p in (done, high))
        scored.append((psnr(got, want).item(), pair.name, low, done, high))
    scored.sort(key=lambda row: row[0])
    seen, chosen = set[str](), []
    for place in np.linspace(0, len(scored) - 1, 4 * given.scenes).round().astype(int):
        scene = scored[place][1].split("/")[0]
        if scene not in seen:
            seen.add(scene)
            chosen.append(scored[place])
    chosen = [chosen[i] for i in np.linspace(0, len(chosen) - 1, given.scenes).round().astype(int)]
    rows = [
        beside(
            [low, enhance_picture(low, given.sci), done, high],
            [f"{name} as taken", "SCI, through the bridge", f"curve, {score:.1f} dB", "reference"],
            256,
        )
        for score, name, low, done, high in chosen
    ]
    credit = "Photographs: SICE part 1 (Cai, Gu, Zhang 2018), CC BY-NC 4.0, shown reduced"
    return stacked([*rows, captioned(np.empty((0, rows[0].shape[1], 3), np.uint8), credit)])


def _split(before: Bytes, after: Bytes) -> Bytes:
    """Left half before, right half after."""
    both, middle = after.copy(), after.shape[1] // 2
    both[:, :middle] = before[:, :middle]
    both[:, middle - 1 : middle + 1] = 255
    return resized(both, 960)


def _save(picture: Bytes, path: Path) -> None:
    """JPEG, as good as fits into ``LARGEST_BYTES``."""
    from PIL import Image

    image: Any = Image.fromarray(picture)
    for quality in (90, 85, 80, 75, 65, 50):
        image.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= LARGEST_BYTES:
            break
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
