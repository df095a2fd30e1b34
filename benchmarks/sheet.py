"""Draws the before/after pictures of the documentation into ``docs/pictures``.

Held-out photographs with what SCI and ``curve`` make of them, one moment of each clip before and after the real
pipeline, and the demo clip for the top of the README. Everything is shown as it comes out, the worst scene included.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.quality import DATA
from benchmarks.runs import ROOT
from demo.render import DEFAULT as DEMO
from engines.picture import enhance_picture
from engines.planes import Bytes
from stream import Pipeline
from stream.media import open_source
from stream.media.frame import Frame

LARGEST_BYTES = 600_000
_CAPTION = 22
_GAP = 4


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
    _save(_beside([before, after], ["before", "after"], 480), given.out / "demo.jpg")
    _save(_split(before, after), given.out / "demo-split.jpg")
    if given.data.is_dir():
        _save(_photographs(given), given.out / "held-out-scenes.jpg")
    else:
        print(f"{given.data} is not here: no sheet of photographs")
    clips = [(given.clips / name, at) for name, at in (("city-night.mpg", 150), ("vtest.avi", 300))]
    rows = [
        _beside(_moment(path, at, given.bundle), [f"{path.name}, frame {at}", "after"], 520)
        for path, at in [*clips, (DEMO, 130)]
        if path.is_file()
    ]
    _save(_stacked(rows), given.out / "clips.jpg")


def _moment(path: Path, index: int, bundle: str) -> tuple[Bytes, Bytes]:
    """Frame ``index`` of a clip as it is and as it leaves the pipeline, RGB."""
    source = open_source(path)
    try:
        frames = (item for item in source if isinstance(item, Frame))
        before = _rgb(next(islice(frames, index, None)))
    finally:
        source.close()
    after = _rgb(next(islice(Pipeline(path, model=bundle).frames(), index, None)))
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
        _beside(
            [low, enhance_picture(low, given.sci), done, high],
            [f"{name} as taken", "SCI, through the bridge", f"curve, {score:.1f} dB", "reference"],
            256,
        )
        for score, name, low, done, high in chosen
    ]
    credit = "Photographs: SICE part 1 (Cai, Gu, Zhang 2018), CC BY-NC 4.0, shown reduced"
    return _stacked([*rows, _caption(credit, rows[0].shape[1])])


def _beside(pictures: Sequence[Bytes], captions: Sequence[str], width: int) -> Bytes:
    """Pictures of one row at a width each, with captions above."""
    cells = []
    for picture, caption in zip(pictures, captions, strict=True):
        small = _resized(picture, width)
        cells.append(np.concatenate([_caption(caption, width), small]))
        cells.append(np.full((cells[-1].shape[0], _GAP, 3), 255, np.uint8))
    return np.concatenate(cells[:-1], 1)


def _stacked(rows: Sequence[Bytes]) -> Bytes:
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, _GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(padded)


def _split(before: Bytes, after: Bytes) -> Bytes:
    """Left half before, right half after."""
    both, middle = after.copy(), after.shape[1] // 2
    both[:, :middle] = before[:, :middle]
    both[:, middle - 1 : middle + 1] = 255
    return _resized(both, 960)


def _resized(picture: Bytes, width: int) -> Bytes:
    from PIL import Image

    height = round(picture.shape[0] * width / picture.shape[1])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _caption(text: str, width: int) -> Bytes:
    from PIL import Image, ImageDraw, ImageFont

    strip = Image.new("RGB", (width, _CAPTION), "white")
    ImageDraw.Draw(strip).text((2, 4), text, fill=(40, 40, 40), font=ImageFont.load_default(13))
    return np.asarray(strip)


def _save(picture: Bytes, path: Path) -> None:
    """JPEG, as good as fits into ``LARGEST_BYTES``."""
    from PIL import Image

    image: Any = Image.fromarray(picture)
    for quality in (90, 85, 80, 75, 65, 50):
        image.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= LARGEST_BYTES:
            break
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
