"""What one network is and costs: parameters, multiply-accumulates, how its export goes, milliseconds in ONNX Runtime.

Networks have their published size and weights that were not learned: neither size nor time depends on that, and for the
comparison of an export they are made to show something (`lively`). The bank of networks that SKF guides is an embedding
that is computed elsewhere, so its cost is not in these figures.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks import machine
from benchmarks.lively import enliven
from engines.bundle import Bundle, TrainingCard
from engines.full_picture import TILE
from engines.onnx_runtime import open_engine
from engines.picture_network import PictureNetwork
from engines.tiles import cut
from export.cards import make_card
from export.interfaces import CURVE, Interface, interface_of, random_inputs
from export.onnx_model import to_onnx
from export.parity import LIMIT, PICTURE_SIZES, TELLING, THUMBNAIL_SIZES, Parity, compare, synthetic_pictures
from networks.compute import giga_macs, parameters
from networks.embedding_bank import EmbeddingBank
from networks.systems import GUIDED, SYSTEMS, Inference, build

GUIDED_SUFFIX = "-skf"
KEYS = tuple(key for system in SYSTEMS for key in (system, system + GUIDED_SUFFIX)[: 2 if system in GUIDED else 1])
"""Names of rows: every system, and its guided form after it."""
THUMBNAIL = (144, 256)
FULL_HD = (1080, 1920)
COUNTED = (400, 600)
_LOOKED_AT = (72, 128)
_HEAVY = ("kind-plus", "hwmnet", "llflow-l", "mirnet")
"""Systems that take seconds for a thumbnail: their exports are compared over every third picture."""
_HRNET, _HRNET_CLASSES = (48, 96, 192), 59


def built(key: str, options: dict[str, Any] | None = None, released: bool = False) -> torch.nn.Module:
    """The network of a row in inference form; ``released``: SKF as published, for its count of parameters."""
    system = key.removesuffix(GUIDED_SUFFIX)
    torch.manual_seed(0)
    chosen: dict[str, Any] = dict(options or {})
    bank = None
    if system != key:
        bank = EmbeddingBank()
        chosen["semantics"] = {"channels": bank.channels, "classes": bank.classes}
        if released:
            chosen["semantics"] = {"channels": _HRNET, "classes": _HRNET_CLASSES, "released": True}
    network = build(system, chosen)
    return network.eval() if system == "curve" else Inference(system, network, bank).eval()


def measured(
    key: str, parts: tuple[str, ...], threads: int, limit: float, options: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The record of one row. ``parts``: of count, export and time; ``options`` build a smaller network.

    ``limit``: seconds that a 1080p frame may take; where more are to be expected, one of its tiles is measured.
    """
    system = key.removesuffix(GUIDED_SUFFIX)
    row: dict[str, Any] = {"system": system, "guided": key != system}
    if "count" in parts:
        row |= _counts(key, options)
    if {"export", "time"} & set(parts):
        network = built(key, options)
        interface = interface_of(network)
        if "export" in parts and isinstance(network, Inference):
            enliven(network, torch.from_numpy(next(synthetic_pictures([_LOOKED_AT])))[None])
        free, model = _exported(network, interface, None, check="export" in parts)
        if "export" in parts:
            row["free"] = free
            row["fixed"], fixed_model = _exported(network, interface, THUMBNAIL, check=True)
            model = model or fixed_model
        elif model is None:
            model = _exported(network, interface, THUMBNAIL, check=False)[1]
        if "time" in parts and model is not None:
            row |= _times(system, interface, model, threads, limit)
    return row


def _counts(key: str, options: dict[str, Any] | None) -> dict[str, Any]:
    """Without memory for weights or pictures."""
    found: dict[str, Any] = {}
    with torch.device("meta"):
        network = built(key, options)
        interface = interface_of(network)
        # `curve` never sees more than a thumbnail, whatever the size of the picture.
        inputs = random_inputs(interface, THUMBNAIL if interface is CURVE else COUNTED)
        found |= {"parameters": parameters(network), "gmacs_600x400": giga_macs(network, *inputs)}
        if key.endswith(GUIDED_SUFFIX):
            found["parameters_released"] = parameters(built(key, options, released=True))
    return found


def _exported(
    network: torch.nn.Module, interface: Interface, size: tuple[int, int] | None, check: bool
) -> tuple[dict[str, Any], bytes | None]:
    """How the export went, and the model. What torch or ONNX Runtime say against it is a result too."""
    begun = time.perf_counter()
    try:
        model = to_onnx(network, interface, size)
        record: dict[str, Any] = {"seconds": round(time.perf_counter() - begun, 1), "megabytes": len(model) / 1e6}
        if check:
            sizes = [size] if size else THUMBNAIL_SIZES if interface is CURVE else PICTURE_SIZES
            pictures = list(synthetic_pictures(sizes))
            if isinstance(network, Inference) and network.system in _HEAVY:
                pictures = pictures[1::3]  # noise at the largest size among them
            record |= _parity(compare(network, model, interface, pictures, fixed=size is not None))
        return record, model
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0][:300]}"}, None


def _parity(parity: Parity) -> dict[str, Any]:
    return {
        "p99": round(parity.p99, 4),
        "worst": round(parity.worst, 4),
        "pictures": parity.pictures,
        "telling": round(parity.telling, 3),
        "passed": parity.p99 <= LIMIT and parity.telling >= TELLING,
    }


def _times(system: str, interface: Interface, model: bytes, threads: int, limit: float) -> dict[str, Any]:
    """Milliseconds a thumbnail on one thread and a 1080p frame, in tiles as the run time cuts them."""
    rng = np.random.default_rng(0)
    training = TrainingCard("none", "none", "none", 0, 0)
    card = make_card(system, system, interface, 0, training, Parity(0, 0, 0), {})
    bundle = Bundle(Path(system), card, model)
    tile = max(THUMBNAIL) if interface.fixed_only else TILE
    times: dict[str, Any] = {"conditions": machine.header(), "threads_full": threads, "tile": tile}
    small = rng.random((3, *THUMBNAIL), dtype=np.float32)
    if interface is CURVE:
        engine = open_engine(bundle)
        return times | {"ms_thumbnail": _milliseconds(lambda: engine.infer({"thumbnail": small[None]}))}
    one = PictureNetwork(bundle, threads=1)
    thumbnail = _milliseconds(lambda: one(small))
    times |= {"ms_thumbnail": thumbnail, "ms_full": None}
    expected = thumbnail / threads * math.prod(FULL_HD) / math.prod(THUMBNAIL) / 1e3
    network = PictureNetwork(bundle, threads=threads, tile=tile)
    if expected <= limit:
        frame = rng.random((3, *FULL_HD), dtype=np.float32)
        return times | {"ms_full": _milliseconds(lambda: network(frame), once=expected > 5)}
    axes = [cut(side, tile) for side in FULL_HD]
    piece = rng.random((3, *(axis.size for axis in axes)), dtype=np.float32)
    if expected / math.prod(len(axis.starts) for axis in axes) <= limit:
        times["tiles"] = math.prod(len(axis.starts) for axis in axes)
        times["ms_tile"] = _milliseconds(lambda: network(piece), once=True)
    return times


def _milliseconds(call: Callable[[], object], once: bool = False) -> float:
    """Median of repeated calls after a first one; of a single call where it takes long."""
    durations: list[float] = []
    if not once:
        call()
    while not durations or (not once and len(durations) < 25 and sum(durations) < 3):
        begun = time.perf_counter()
        call()
        durations.append(time.perf_counter() - begun)
    return 1e3 * median(durations)
