"""A bundle -> an engine that has passed its checks, from the cache or built now; and that engine opened on a GPU.

The order: the precision is written into the model and checked in ONNX Runtime; the engine is built, and the precision
of what was parsed compared with the file; on a GPU the engine is loaded, inspected, and compared with ONNX Runtime on
dark scenes, noise, black and white. What fails is not installed. TensorRT-RTX also builds where there is no GPU; such
an engine is marked as unchecked, and checked when it is first opened on one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engines.bundle import Bundle
from engines.errors import DeviceError, ModelError
from engines.precision.agreement import LIMITS
from engines.precision.census import Census, Precision
from engines.precision.pictures import Floats
from engines.tensorrt.build import BuildOptions, build
from engines.tensorrt.cache import EngineCache, Entry, Key, Made
from engines.tensorrt.cuda import Gpu, find_gpu, open_cuda
from engines.tensorrt.engine import LoadError, TensorRTEngine
from engines.tensorrt.flavour import Flavour, Name, best, find
from engines.tensorrt.progress import Report
from engines.tensorrt.shapes import BATCH, Profile, profiles
from engines.tensorrt.stated import Stated, check, confirm, recipe, state

UNCHECKED = "not run on a GPU yet"


@dataclass(frozen=True, slots=True)
class Wish:
    """The engine that is wanted. ``batch``: most pictures at once; ``gpu``: its number, None = none is used.

    ``calibration``: pictures for int8, R'G'B' [3, h, w] in 0..1.
    """

    bundle: Bundle
    flavour: Flavour
    precision: Precision = "fp16"
    gpu: int | None = 0
    batch: int = BATCH
    options: BuildOptions = field(default_factory=BuildOptions)
    calibration: Sequence[Floats] = field(default=(), repr=False)

    def profiles(self) -> list[Profile]:
        """Shapes that it is built for."""
        return profiles(self.bundle.card, self.batch)


def choose_flavour(name: Name | None = None, gpu: int | None = 0) -> Flavour:
    """The flavour of that name, else the best that can build here. Raises ``DeviceError``."""
    if name is not None:
        return find(name)
    return best(builds_here=gpu is not None and isinstance(find_gpu(gpu), Gpu))


def prepare(
    wish: Wish, cache: EngineCache | None = None, report: Report | None = None, again: bool = False
) -> tuple[Entry, bytes]:
    """The engine from the cache, or built and checked now; ``again`` builds it anew.

    Raises ``BuildError``, ``ModelError`` where it fails a check, ``DeviceError`` where it needs a GPU that is not here.
    """
    cache = cache or EngineCache()
    gpu = _gpu(wish)
    return cache.obtain(key_of(wish, gpu), lambda: _make(wish, gpu, report), again=again)


def open_tensorrt(wish: Wish, cache: EngineCache | None = None, report: Report | None = None) -> TensorRTEngine:
    """The engine, loaded on the GPU. One that cannot be loaded is built again, once; an unchecked one is checked first.

    Raises what ``prepare`` does, and ``DeviceError`` without a GPU.
    """
    cache = cache or EngineCache()
    cuda = open_cuda(wish.gpu or 0)
    key, shapes = key_of(wish, cuda.gpu), tuple(wish.profiles())
    entry, plan = prepare(wish, cache, report)
    try:
        engine = TensorRTEngine(plan, wish.flavour, cuda, shapes, cache.kernels(key))
    except LoadError:
        cache.discard(key)
        entry, plan = prepare(wish, cache, report)
        engine = TensorRTEngine(plan, wish.flavour, cuda, shapes, cache.kernels(key))
    if entry.notes.get("checked on") != str(cuda.gpu):
        try:
            notes = _examined(wish, engine, None)
        except ModelError:
            cache.discard(key)
            raise
        cache.obtain(key, lambda: Made(plan, {**entry.notes, **notes, "checked on": str(cuda.gpu)}), again=True)
    return engine


def key_of(wish: Wish, gpu: Gpu | None) -> Key:
    """Everything that the engine depends on."""
    device = str(gpu) if gpu is not None and not wish.flavour.builds_without_gpu else "any"
    shapes = json.dumps([{name: dataclasses.astuple(limits) for name, limits in p.items()} for p in wish.profiles()])
    return Key(
        model=hashlib.sha256(wish.bundle.model).hexdigest(),
        precision=wish.precision,
        recipe=recipe(wish.precision, wish.calibration),
        profiles=hashlib.sha256(shapes.encode()).hexdigest(),
        flavour=wish.flavour.name,
        version=wish.flavour.version,
        device=" ".join(wish.options.targets) or device,
        options=json.dumps(dataclasses.asdict(wish.options), sort_keys=True),
    )


def _gpu(wish: Wish) -> Gpu | None:
    found = find_gpu(wish.gpu) if wish.gpu is not None else "none was asked for"
    if isinstance(found, Gpu):
        return found
    if not wish.flavour.builds_without_gpu:
        raise DeviceError(f"{wish.flavour} builds only where an NVIDIA GPU is at hand: {found}")
    return None


def _make(wish: Wish, gpu: Gpu | None, report: Report | None) -> Made:
    stated = state(wish.bundle, wish.precision, wish.profiles(), wish.calibration)
    built = build(wish.flavour, stated.model, wish.profiles(), wish.options, report)
    confirm(stated, built.census, "the parsed network")
    notes: dict[str, Any] = {
        "bundle": wish.bundle.card.name,
        "onnx": hashlib.sha256(stated.model).hexdigest(),
        "build seconds": round(built.seconds, 1),
        "parsed": str(built.census),
        "file against fp32": str(stated.agreement) if stated.agreement else "the same file",
        "engine against ONNX Runtime": UNCHECKED,
    }
    if gpu is not None:
        engine = TensorRTEngine(built.plan, wish.flavour, open_cuda(gpu.number), tuple(wish.profiles()))
        notes |= {**_examined(wish, engine, stated), "checked on": str(gpu)}
        engine.close()
    return Made(built.plan, notes)


def _examined(wish: Wish, engine: TensorRTEngine, stated: Stated | None) -> dict[str, str]:
    """Precision as built and agreement on the GPU. Raises ``ModelError`` where either is not as it must be."""
    layers = engine.inspect()
    if wish.precision != "fp32" and not _narrow(layers, wish.precision):
        raise ModelError(
            f"the engine of bundle '{wish.bundle.card.name}' computes {layers}, nothing in {wish.precision}: "
            "precision was lost on the way. It is not installed; build with --precision fp32"
        )
    agreement = check(wish.bundle, engine.infer, wish.profiles())
    if not agreement.passes(LIMITS[wish.precision]):
        raise ModelError(
            f"the engine of bundle '{wish.bundle.card.name}' in {wish.precision} differs from ONNX Runtime: "
            f"{agreement}; allowed is p99 {LIMITS[wish.precision]:g}. It is not installed; build with --precision fp32"
        )
    return {"built": str(layers), "engine against ONNX Runtime": str(agreement)}


def _narrow(layers: Census, precision: Precision) -> bool:
    return bool(layers.int8 if precision == "int8" else layers.fp16 + layers.int8)
