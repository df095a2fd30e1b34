"""Which nodes stay in fp32 when a model is computed in fp16, because fp16 gives wrong results or NaN there.

Sums over many values (means, norms, soft-max), powers, exponentials and logarithms leave the range or the resolution of
fp16 (65 504; three decimal digits). A layer normalisation that was exported in pieces is such an island as a whole: the
square before the mean, the root, and the division by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engines.precision.graph import Graph

LARGEST = 65504.0
"""The largest number of fp16."""
SMALLEST = 1e-4
"""Constants nearer to 0 than this lose digits in fp16: additions that keep a division from 0 would vanish."""

_NORMS = {"LayerNormalization", "GroupNormalization", "InstanceNormalization", "BatchNormalization", "LpNormalization"}
_SUMS = {"Softmax", "LogSoftmax", "CumSum", "ReduceMean", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceProd"}
_SUMS |= {"ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare", "GlobalAveragePool"}
_CURVES = {"Exp", "Log", "Pow", "Sqrt", "Reciprocal", "Softplus", "Tan", "Atan", "Cosh", "Sinh", "Sin", "Cos"}
_PLACES = {"GridSample", "Range", "ScatterElements", "ScatterND", "NonMaxSuppression", "TopK", "RoiAlign"}
_CODED = {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}
FULL = _NORMS | _SUMS | _CURVES | _PLACES | _CODED
"""Operators that are always computed in fp32."""

_ELEMENTWISE = {"Add", "Sub", "Mul", "Div", "Neg", "Abs", "Max", "Min", "Clip"}
_ROOTS = {"Sqrt", "Reciprocal", "Pow", "Exp", "ReduceL2", "Softplus"}
_FEW = 16


def islands(graph: Graph) -> set[int]:
    """``id`` of every node that stays in fp32."""
    full = {id(node) for node in graph.nodes if node.op_type in FULL or graph.has_inner_graph(node)}
    full |= {id(node) for node in graph.nodes if any(_out_of_range(graph, name) for name in node.input)}
    while True:
        joining = {
            id(node)
            for node in graph.nodes
            if id(node) not in full and node.op_type in _ELEMENTWISE and _belongs(graph, node, full)
        }
        if not joining:
            return full
        full |= joining


def _belongs(graph: Graph, node: Any, full: set[int]) -> bool:
    """An elementwise node between two nodes of an island, one that squares before a sum, or one that divides."""
    makers = [graph.makers[name] for name in node.input if name in graph.makers]
    readers = [reader for name in node.output for reader in graph.readers[name]]
    from_island = any(id(maker) in full for maker in makers)
    if from_island and any(id(reader) in full for reader in readers):
        return True
    if any(reader.op_type in _SUMS - {"GlobalAveragePool"} for reader in readers) and node.op_type in ("Mul", "Abs"):
        return True
    if node.op_type == "Div":
        divisor = graph.makers.get(node.input[1])
        return divisor is not None and id(divisor) in full
    return node.op_type == "Mul" and any(maker.op_type in _ROOTS for maker in makers)


def _out_of_range(graph: Graph, name: str) -> bool:
    """A constant that fp16 cannot hold, or a few numbers of which one would vanish."""
    tensor = graph.initializers.get(name)
    if tensor is None or not graph.is_float(name):
        return False
    sizes = np.abs(graph.onnx.numpy_helper.to_array(tensor))
    if not sizes.size:
        return False
    if not sizes.max() <= LARGEST:
        return True
    return bool(sizes.size <= _FEW and (sizes[sizes > 0] < SMALLEST).any())
