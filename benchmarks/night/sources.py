"""Clean pictures that nights are made of: photographs, frames of a clip, or two computed pictures that need no data."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from benchmarks.clips import scratch
from benchmarks.night.clip import Bytes
from demo.street import build_street

STREET = "street"
TEXTURE = "texture"
_PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_STREET_SIZE = (1280, 720)
_STREET_VERSION = 1


def pictures(source: str | Path, seed: int) -> Iterator[Bytes]:
    """Endless R'G'B' pictures [h, w, 3] for the scenes of one clip; the seed says which comes first.

    ``source``: ``street``, ``texture``, a picture, or a folder: of pictures, or of exposure
    brackets with a ``reference.*`` each. ``FileNotFoundError`` where there is nothing of the kind.
    """
    if str(source) == TEXTURE:
        while True:
            yield texture(seed)
            seed += 1000
    if str(source) == STREET:
        whole = street()
        views = [whole, np.ascontiguousarray(whole[250:, 620:]), np.ascontiguousarray(whole[150:, 560::-1])]
        while True:
            yield views[seed % len(views)]
            seed += 1
    files = photographs(Path(source))
    while True:
        yield read_photograph(files[seed % len(files)])
        seed += 1


def is_clip(source: str | Path) -> bool:
    """Whether this is a file of moving pictures."""
    path = Path(source)
    return path.is_file() and path.suffix.lower() not in _PHOTOS


def photographs(path: Path) -> list[Path]:
    """The picture files that a path means, sorted."""
    if path.is_file():
        return [path]
    for pattern in ("reference.*", "*/reference.*", "*"):
        if found := sorted(p for p in path.glob(pattern) if p.suffix.lower() in _PHOTOS):
            return found
    raise FileNotFoundError(f"no photographs in {path}")


def read_photograph(path: Path) -> Bytes:
    """R'G'B' [h, w, 3]."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FileNotFoundError(f"{path} is not a picture that can be read")
    return np.ascontiguousarray(picture[..., ::-1])


def read_clip(path: Path, frames: int) -> list[Bytes]:
    """The first frames of a file as R'G'B'; ``ValueError`` if there are fewer."""
    with av.open(str(path)) as container:
        found = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), frames)]
    if len(found) < frames:
        raise ValueError(f"{path} has {len(found)} frames, {frames} are wanted")
    return [np.asarray(picture, np.uint8) for picture in found]


def street() -> Bytes:
    """The empty street of the demo clip by daylight; computed once (seconds), then kept in the scratch folder."""
    width, height = _STREET_SIZE
    path = scratch() / f"street-{width}x{height}-v{_STREET_VERSION}.png"
    if not path.exists():
        buffers = build_street(width, height)
        sun = np.clip(buffers.normal @ np.array([0.35, 0.8, -0.5], np.float32), 0, None)
        light = buffers.albedo * (0.75 + 0.6 * sun[..., None]) * np.array([1.0, 1.0, 1.02], np.float32)
        rows = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
        sky = np.array([0.28, 0.36, 0.48], np.float32) + rows * np.array([0.6, 0.5, 0.4], np.float32)
        nowhere = buffers.albedo.sum(-1) == 0
        light = np.where(nowhere[..., None], np.broadcast_to(sky, light.shape), light)
        signal = (255 * np.clip(1.6 * light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
        part = path.with_suffix(".part.png")
        cv2.imwrite(str(part), signal[..., ::-1])
        part.replace(path)
    return read_photograph(path)


def texture(seed: int, width: int = 640, height: int = 400) -> Bytes:
    """Coloured boards of several sizes on a mottled ground, softened by a pixel: quick, and full of edges to follow."""
    rng = np.random.default_rng((seed, 17))
    ground = np.full((height, width, 3), 110, np.float32)
    for cells in (4, 12, 40):
        nodes = rng.normal(0, 22, (cells, cells * 2, 3)).astype(np.float32)
        ground += cv2.resize(nodes, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(8, width // 5), rng.integers(8, height // 4)
        board = ground[y : y + h, x : x + w]
        board += (rng.uniform(20, 230, 3) - board) * rng.uniform(0.5, 1)
        board[::6] *= 0.85
    return np.asarray(np.clip(cv2.GaussianBlur(ground, (0, 0), 0.8), 4, 250).astype(np.uint8))
