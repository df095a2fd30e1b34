"""Precision of the layers of a parsed network, and of a built engine as its inspector describes it.

A parsed network shows what the builder was told; only the inspector shows what it made of it. The inspector needs a
deserialised engine, hence a GPU.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from engines.errors import ModelError
from engines.precision.census import Census
from engines.tensorrt.flavour import Flavour

_HEAVY = ("CONVOLUTION", "DECONVOLUTION", "MATRIX_MULTIPLY", "EINSUM")
_WORDS = (("int8", r"\bint8\b"), ("fp16", r"\b(half|fp16|float16)\b"), ("fp32", r"\b(float|fp32|float32)\b"))
_NOT_COMPUTING = re.compile(r"reformat|constant|shape|noop|no-op|signal|wait|copy", re.IGNORECASE)


def parsed_census(flavour: Flavour, network: Any) -> Census:
    """Convolutions and matrix products of a network by the type in which they give their result.

    In int8 is what reads nothing but dequantised values. Products of integers, which are about shapes, do not count.
    """
    module = flavour.module
    heavy = {getattr(module.LayerType, name) for name in _HEAVY}
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    dequantised = {layer.get_output(0).name for layer in layers if layer.type == module.LayerType.DEQUANTIZE}
    found: Counter[str] = Counter()
    for layer in layers:
        if layer.type not in heavy:
            continue
        result = layer.get_output(0).dtype
        if layer.get_input(0).name in dequantised:
            found["int8"] += 1
        elif result == module.float16:
            found["fp16"] += 1
        elif result == module.float32:
            found["fp32"] += 1
    return Census(found["fp32"], found["fp16"], found["int8"])


def inspected_census(flavour: Flavour, engine: Any) -> Census:
    """Layers of a built engine that compute, by the narrowest type that they read or write.

    Fused layers count once, so numbers differ from those of the network. Raises ``ModelError`` where the inspector's
    answer cannot be read.
    """
    inspector = engine.create_engine_inspector()
    text = inspector.get_engine_information(flavour.module.LayerInformationFormat.JSON)
    return census_of(text)


def census_of(text: str) -> Census:
    """The same, from the inspector's JSON."""
    try:
        layers = json.loads(text)["Layers"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"the engine inspector's answer cannot be read: {error}") from error
    found: Counter[str] = Counter()
    for layer in layers:
        if not isinstance(layer, dict) or _NOT_COMPUTING.search(str(layer.get("LayerType", ""))):
            continue
        kinds = set(_types(layer))
        narrowest = next((name for name, _ in _WORDS if name in kinds), None)
        if narrowest:
            found[narrowest] += 1
    return Census(found["fp32"], found["fp16"], found["int8"])


def _types(layer: dict[str, Any]) -> Iterator[str]:
    for tensor in [*layer.get("Inputs", ()), *layer.get("Outputs", ())]:
        text = str(tensor.get("Format/Datatype", tensor.get("Datatype", ""))) if isinstance(tensor, dict) else ""
        for name, pattern in _WORDS:
            if re.search(pattern, text, re.IGNORECASE):
                yield name
