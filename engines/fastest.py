"""Which engine is fastest for a bundle on this machine: measured once, and remembered.

Only engines whose results agree with ONNX Runtime's take part. What cannot be used says why.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from engines import onnx_runtime
from engines.bundle import Bundle
from engines.choose import ENGINES, TENSORRT, Engine, open_engine
from engines.errors import DeviceError, EngineError
from engines.precision.agreement import LIMITS, compare
from engines.precision.census import PRECISIONS, Precision
from engines.precision.pictures import feeds
from engines.tensorrt.cache import EngineCache, cache_folder
from engines.tensorrt.cuda import Gpu, find_gpu
from engines.tensorrt.flavour import survey
from engines.tensorrt.lock import locked
from engines.tensorrt.prepare import Wish, key_of
from engines.tensorrt.shapes import THUMBNAILS, profiles

_BETTER = 0.9
"""Another engine than ONNX Runtime is taken where it needs at most this share of its time."""
_RUNS, _SECONDS = 30, 1.0
_PACKAGES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino", "openvino")


@dataclass(frozen=True, slots=True)
class Choice:
    """What was found for a bundle on this machine: the engine taken, ``milliseconds`` of a thumbnail by engine, and
    why others cannot be used or were not taken."""

    engine: str
    milliseconds: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    refused: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def line(self, name: str) -> str:
        """For people: what is known of an engine."""
        if name in self.milliseconds:
            taken = ", taken by --engine auto" if name == self.engine else ""
            return f"{self.milliseconds[name]:.2f} ms a thumbnail{taken}"
        return self.refused.get(name, "ready, not measured yet")


def choose(
    bundle: Bundle, threads: int = 1, precision: Precision = "fp16", gpu: int = 0, again: bool = False
) -> Choice:
    """The fastest engine whose results agree with ONNX Runtime's; measured once for a machine, then remembered.

    TensorRT takes part where its engine is built already: a first run does not wait minutes for a builder.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision is {', '.join(PRECISIONS)}, not {precision}")
    unusable = refusals(bundle, precision, gpu)
    key = _key(bundle, threads, precision, gpu, unusable)
    path = cache_folder() / "engines.json"
    before = None if again else _remembered(path, key)
    if before is not None:
        return before
    usable = [name for name in ENGINES if name not in unusable]
    openers = {name: partial(open_engine, bundle, name, threads, precision, gpu) for name in usable}
    found = measure(bundle, openers)
    found = Choice(found.engine, found.milliseconds, {**unusable, **found.refused})
    with contextlib.suppress(OSError):  # a folder that cannot be written costs the measuring again, nothing else
        _remember(path, key, found)
    return found


def known(bundle: Bundle, threads: int = 1, precision: Precision = "fp16", gpu: int = 0) -> Choice:
    """What was measured before, without measuring now; ``engine`` is empty where nothing was."""
    unusable = refusals(bundle, precision, gpu)
    key = _key(bundle, threads, precision, gpu, unusable)
    return _remembered(cache_folder() / "engines.json", key) or Choice("", {}, unusable)


def refusals(bundle: Bundle, precision: Precision = "fp16", gpu: int = 0) -> dict[str, str]:
    """Engines that cannot be used for this bundle now, with the reason; opens nothing."""
    available = onnxruntime.get_available_providers()
    found: dict[str, str] = {}
    for device in onnx_runtime.DEVICES[1:]:
        try:
            onnx_runtime.require(device, available)
        except DeviceError as error:
            found[device] = str(error)
    try:
        version("openvino")
    except PackageNotFoundError:
        found["openvino"] = "not installed: pip install 'stream-enhance[openvino]'"
    device_found = find_gpu(gpu)
    for name, flavour in survey().items():
        if isinstance(flavour, str):
            found[name] = flavour
        elif not isinstance(device_found, Gpu):
            found[name] = f"{flavour} is here, a GPU is not: {device_found}"
        else:
            wish = Wish(bundle, flavour, precision, gpu)
            if EngineCache().get(key_of(wish, device_found)) is None:
                found[name] = f"not built yet: stream-enhance build {bundle.card.name} --precision {precision}"
    return found


def measure(bundle: Bundle, openers: Mapping[str, Callable[[], Engine]]) -> Choice:
    """Opens, checks and times engines; ``onnxruntime`` must be among them, as the others are compared with it."""
    grid = bundle.card.kind == "grid"
    ranges = profiles(bundle.card, sizes=THUMBNAILS[:1], free=False)
    seen = list(feeds([{name: limits.opt for name, limits in ranges[0].items()}], grid))
    reference = openers["onnxruntime"]()
    times = {"onnxruntime": _milliseconds(reference, seen[0][1])}
    refused: dict[str, str] = {}
    for name, opener in openers.items():
        if name == "onnxruntime":
            continue
        try:
            engine = opener()
            agreement = compare(reference.infer, engine.infer, seen, grid)
            limit = LIMITS["fp16" if name in TENSORRT else "fp32"]
            if not agreement.passes(limit):
                refused[name] = f"differs from ONNX Runtime: {agreement}"
                continue
            times[name] = _milliseconds(engine, seen[0][1])
        except EngineError as error:
            refused[name] = str(error)
    fastest = min(times, key=lambda name: times[name])
    if times[fastest] > _BETTER * times["onnxruntime"]:
        fastest = "onnxruntime"
    return Choice(fastest, times, refused)


def _milliseconds(engine: Engine, feed: Mapping[str, NDArray[Any]]) -> float:
    """Median after a first run."""
    engine.infer(feed)
    durations: list[float] = []
    while len(durations) < _RUNS and sum(durations) < _SECONDS:
        begun = time.perf_counter()
        engine.infer(feed)
        durations.append(time.perf_counter() - begun)
    return 1e3 * float(np.median(durations))


def _key(bundle: Bundle, threads: int, precision: str, gpu: int, unusable: Mapping[str, str]) -> str:
    """Machine, versions, model and the engines that can be used: what a measurement is worth only together with."""
    versions = []
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{package} {version(package)}")
    versions += [str(flavour) for flavour in survey().values() if not isinstance(flavour, str)]
    usable = [name for name in ENGINES if name not in unusable]
    model = hashlib.sha256(bundle.model).hexdigest()
    whole = [_processor(), os.cpu_count(), str(find_gpu(gpu)), versions, usable, threads, precision, model]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:40]


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line
    return platform.processor() or platform.machine()


def _remembered(path: Path, key: str) -> Choice | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))[key]
        choice = Choice(values["engine"], dict(values["milliseconds"]), dict(values["refused"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return choice if choice.engine in ENGINES else None


def _remember(path: Path, key: str, choice: Choice) -> None:
    with locked(path.with_suffix(".lock"), timeout_s=10):
        every: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            every = dict(json.loads(path.read_text(encoding="utf-8")))
        every[key] = {
            "engine": choice.engine,
            "milliseconds": dict(choice.milliseconds),
            "refused": dict(choice.refused),
        }
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(every, indent=1), encoding="utf-8")
        part.replace(path)
