"""Does the exported model do what the network does? Compared in 8-bit codes of the enhanced picture: what one sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from torch import nn

from engines.colour import Colour
from engines.precision.agreement import applied
from export.interfaces import Interface

LIMIT = 1.0
"""Greatest allowed 99th percentile of the difference, in codes."""
TELLING = 0.1
"""Share of telling samples below which a comparison proves nothing; two of five made-up pictures are flat."""
THUMBNAIL_SIZES = ((144, 256), (192, 192), (256, 144))
PICTURE_SIZES = ((144, 256), (63, 45), (32, 99))
"""A thumbnail and two small pictures with odd sides, which no network's strides divide."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Differences between ONNX Runtime and torch over all compared samples, in codes of 255.

    ``telling``: share of samples that are neither clipped nor within a code of their picture's median. Where it is
    about 0, both gave black, white or grey, and agreed about nothing.
    """

    p99: float
    worst: float
    pictures: int
    telling: float = 1.0


def synthetic_pictures(
    sizes: Sequence[tuple[int, int]] = THUMBNAIL_SIZES, seed: int = 0
) -> Iterator[NDArray[np.float32]]:
    """R'G'B' pictures [3, h, w] in 0..1 of every size: dark scenes, noise, black, white, random."""
    rng = np.random.default_rng(seed)
    for height, width in sizes:
        ramp = np.linspace(0, 1, width, dtype=np.float32) * np.linspace(0.1, 0.6, height, dtype=np.float32)[:, None]
        tint = rng.uniform(0.5, 1, (3, 1, 1)).astype(np.float32)
        scene = ramp * tint * np.float32(0.4)
        scene[:, height // 4 : height // 3, width // 2 : width // 2 + 12] = 1
        noisy = scene + rng.normal(0, 0.03, scene.shape)
        level = np.zeros((3, height, width), np.float32)
        for picture in (scene, noisy, level, level + 1, rng.random((3, height, width))):
            yield np.clip(picture, 0, 1).astype(np.float32)


def compare(
    network: nn.Module,
    model: bytes,
    interface: Interface,
    pictures: Sequence[NDArray[np.float32]],
    fixed: bool = False,
    seed: int = 0,
) -> Parity:
    """Run both on all pictures and compare what comes out of the whole enhancement.

    Every picture is run with extra inputs of zeros and again with random ones, whose sizes change from picture to
    picture unless ``fixed``.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    network.eval()
    rng = np.random.default_rng(seed)
    differences, told = [], []
    for index, picture in enumerate(pictures):
        given = _planar(picture) if interface.result == "grid" else picture
        for extra in _extra_inputs(interface, (given.shape[1], given.shape[2]), fixed, index, rng):
            feed = {interface.picture.name: given[None], **extra}
            with torch.no_grad():
                expected = network(*(torch.from_numpy(feed[part.name]) for part in interface.inputs)).numpy()
            (found,) = session.run([interface.result], feed)
            if interface.result == "grid":
                one, two = (applied(grid[0], given) for grid in (expected, found))
            else:
                one, two = expected * 255, found * 255
            differences.append(np.abs(one - two).ravel())
            told.append(share_that_tells(one))
    all_of_them = np.concatenate(differences)
    if not np.isfinite(all_of_them).all():
        return Parity(float("inf"), float("inf"), len(pictures), 0.0)
    telling = float(np.mean(told))
    return Parity(float(np.percentile(all_of_them, 99)), float(all_of_them.max()), len(pictures), telling)


def share_that_tells(codes: NDArray[np.float32]) -> float:
    """Of a picture in codes: the samples that are neither clipped nor within a code of its median."""
    inside = (codes > 0.5) & (codes < 254.5)
    return float((inside & (np.abs(codes - np.median(codes)) > 1)).mean())


def _extra_inputs(
    interface: Interface, size: tuple[int, int], fixed: bool, index: int, rng: np.random.Generator
) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Zeros, then random numbers; once and nothing for a network that takes only a picture."""
    if not interface.extra:
        yield {}
        return
    sides = interface.extra_sizes(size) if fixed else {}
    shapes = {
        part.name: part.shape(size, sides.get(part.name, (3 + index % 7, 4 + index % 5))) for part in interface.extra
    }
    yield {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    yield {
        name: (rng.standard_normal(shape) if name == "embedding" else rng.random(shape)).astype(np.float32)
        for name, shape in shapes.items()
    }


def _planar(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """y, u, v of an R'G'B' picture with the weights of BT.709."""
    kr, kb = Colour("bt709").kr_kb
    red, green, blue = picture
    y = kr * red + (1 - kr - kb) * green + kb * blue
    return np.stack((y, (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr)))).astype(np.float32)
