"""A model in fp32 -> the same with convolutions and matrix products in int8, as one ONNX file.

ONNX Runtime's quantiser writes pairs of QuantizeLinear and DequantizeLinear before them. They are symmetric, because
TensorRT takes no other: activations by tensor, weights by channel. What goes in is quantised, what comes out is not: it
is rounded once, where the next one reads it, and not at all before a sigmoid. Biases stay fp32, and all else with them.

What reads the picture itself stays fp32: dark scenes have all of their detail in the lowest codes, which 127 steps from
black to white would wipe out. It is a small part of the work, as pictures have three channels.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from engines.errors import ModelError
from engines.precision.graph import Graph
from engines.precision.pictures import Feed

COMPUTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")


_PASSING = {"Concat", "Slice", "Transpose", "Reshape", "Pad", "Resize", "Split", "Identity", "Cast", "Squeeze"}
_PASSING |= {"Unsqueeze", "AveragePool", "MaxPool", "Clip", "Flatten"}
_WITH_CONSTANT = {"Add", "Sub", "Mul", "Div"}


def to_int8(content: bytes, calibration: Iterable[Feed], keep: Sequence[str] = ()) -> bytes:
    """Runs the model on ``calibration`` to learn the range of every tensor; nodes named in ``keep`` stay fp32 as well.

    Raises ``ModelError`` where it has nothing to quantise or cannot be.
    """
    try:
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    except ImportError as error:
        raise ModelError(f"this ONNX Runtime has no quantiser: {error}") from error

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self, feeds: Iterator[Feed]) -> None:
            self._feeds = feeds

        def get_next(self) -> dict[str, Any] | None:
            feed = next(self._feeds, None)
            return None if feed is None else dict(feed)

    graph = Graph(content)
    _name(graph)
    kept = {*keep, *(node.name for node in graph.nodes if node.op_type in COMPUTED and _reads_picture(graph, node))}
    if not any(node.op_type in COMPUTED and node.name not in kept for node in graph.nodes):
        raise ModelError(f"nothing to compute in int8: the model has no further {', '.join(COMPUTED)}")
    with tempfile.TemporaryDirectory(prefix="stream-enhance-int8-") as folder, _quiet():
        before, after = Path(folder, "model.onnx"), Path(folder, "int8.onnx")
        graph.onnx.save(graph.model, before)
        try:
            quantize_static(
                before,
                after,
                Reader(iter(calibration)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(COMPUTED),
                per_channel=True,
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=sorted(kept),
                extra_options={
                    "ActivationSymmetric": True,
                    "WeightSymmetric": True,
                    "QuantizeBias": False,
                    "OpTypesToExcludeOutputQuantization": list(COMPUTED),
                },
            )
        except Exception as error:
            raise ModelError(f"the model cannot be quantised to int8: {error}") from error
        return after.read_bytes()


def _name(graph: Graph) -> None:
    """Nodes are left out by name, so each needs one of its own."""
    seen: set[str] = set()
    for number, node in enumerate(graph.nodes):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type} {number}"
        seen.add(node.name)


def _reads_picture(graph: Graph, node: Any) -> bool:
    """Whether an input of the model reaches the node with nothing computed on the way but its scale."""
    inputs = {value.name for value in graph.model.graph.input} - set(graph.initializers)
    waiting, seen = list(node.input[:2]), set[str]()
    while waiting:
        name = waiting.pop()
        if name in inputs:
            return True
        maker = graph.makers.get(name)
        if name in seen or maker is None:
            continue
        seen.add(name)
        scaled = maker.op_type in _WITH_CONSTANT and any(part in graph.initializers for part in maker.input)
        if maker.op_type in _PASSING or scaled:
            waiting += maker.input
    return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser warns on the root logger about preparations that this project has made itself."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
